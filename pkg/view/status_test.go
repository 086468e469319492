package view

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

var statusNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// unwell is a report in which everything that a report can tell is told.
func unwell() *report.Report {
	restarted := statusNow.Add(-5 * time.Minute)
	dex := report.Ref{Group: "apps", Kind: "Deployment", Namespace: "auth", Name: "dex"}
	return &report.Report{
		Release: "1.10", Profile: "default", State: report.Failed,
		Target: report.Target{Context: "work", Cluster: "cluster", Server: "https://203.0.113.5:6443", Version: "v1.31.2"},
		Components: []report.Component{
			{Name: "cert-manager", Title: "cert-manager", State: report.Ready, Objects: 40, Ready: 40, Version: "v1.15.3", Offered: "v1.16.1", Pods: &report.Pods{Ready: 3, Wanted: 3}},
			{Name: "istio-crds", Title: "Istio's CRDs", State: report.Ready, Objects: 14, Ready: 14, Version: "1.24.3"},
			{Name: "kubeflow-roles", Title: "aggregated roles", State: report.Unknown, Objects: 9, Cause: "Forbidden"},
			{
				Name: "dex", Title: "Dex", State: report.Failed, Objects: 9, Ready: 8, Version: "v2.41.1", Pods: &report.Pods{Wanted: 1}, Restarts: 7, LastRestart: &restarted, Cause: "CrashLoopBackOff",
				Details: &report.Details{
					Pods:   []report.Pod{{Namespace: "auth", Name: "dex-6d4c7-abcde", Containers: 1, Status: "CrashLoopBackOff", Restarts: 7, Node: "node-0", Created: statusNow.Add(-time.Hour)}},
					Events: []report.Happening{{Time: statusNow.Add(-time.Minute), Type: "Warning", Reason: "BackOff", Object: report.Ref{Kind: "Pod", Namespace: "auth", Name: "dex-6d4c7-abcde"}, Message: "Back-off restarting\nfailed container", Count: 12}},
				},
			},
		},
		Causes: []report.Cause{
			{Name: "CrashLoopBackOff", Severity: report.Error, Component: "dex", Object: dex, Summary: "container dex crashes", Evidence: []string{"exit code 1"}, Remedy: "kubectl -n auth logs deployment/dex", Docs: "https://example.com/crash-loop-back-off.md"},
			{Name: "Forbidden", Severity: report.Warning, Summary: "not everything may be read"},
		},
		LeftOut: []string{"kubeflow-issuer"},
		Culling: &report.Culling{Enabled: true, IdleSeconds: 8 * 3600},
		WayIn:   &report.WayIn{URL: "http://203.0.113.9/jupyter/", Scheme: "http", Address: "203.0.113.9", Via: "LoadBalancer", Users: []string{"user@example.com"}},
	}
}

func TestStatusTellsRowsCausesTheWayInAndAVerdict(t *testing.T) {
	for name, wide := range map[string]bool{"status.txt": false, "status-wide.txt": true} {
		var b bytes.Buffer
		if err := Status(&b, unwell(), wide, Style{}, statusNow); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.String())
	}
	var b bytes.Buffer
	if err := StatusShort(&b, unwell(), "v0.1.0"); err != nil {
		t.Fatal(err)
	}
	golden(t, "status-short.txt", b.String())
	for _, private := range []string{"203.0.113", "user@example.com", "work"} {
		if strings.Contains(b.String(), private) {
			t.Errorf("the short form tells %s", private)
		}
	}
}

func TestColoursDoNotMoveColumns(t *testing.T) {
	var plain, coloured bytes.Buffer
	for b, style := range map[*bytes.Buffer]Style{&plain: {}, &coloured: {Color: true}} {
		if err := Status(b, unwell(), false, style, statusNow); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(coloured.String(), "\x1b[31mFailed\x1b[0m") {
		t.Error("Failed is not red")
	}
	if stripped := strip(coloured.String()); stripped != plain.String() {
		t.Errorf("without its colours it is another text:\n%s", stripped)
	}
}

func strip(s string) string {
	var b strings.Builder
	escape := false
	for _, c := range s {
		switch {
		case c == '\x1b':
			escape = true
		case escape:
			escape = (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

func TestTheVerdictIsOneLine(t *testing.T) {
	row := func(name string, s report.State) report.Component { return report.Component{Name: name, State: s} }
	for _, tt := range []struct {
		name string
		r    report.Report
		want string
	}{
		{"whole", report.Report{State: report.Ready, Components: []report.Component{row("a", report.Ready), row("b", report.Ready)}}, "Ready: 2 components."},
		{"with warnings", report.Report{State: report.Ready, Components: []report.Component{row("a", report.Ready)}, Causes: []report.Cause{{Severity: report.Warning}, {Severity: report.Info}}}, "Ready: 1 component, 1 warning."},
		{"nothing there", report.Report{State: report.Missing, Components: []report.Component{row("a", report.Missing)}}, "Nothing is installed: run kubectl jupyter install."},
		{"what an uninstallation leaves", report.Report{State: report.Missing, Components: []report.Component{row("a", report.Missing), row("b", report.Ready)}}, "Not ready: 1 of 2 components: a Missing. kubectl jupyter install creates what is missing."},
		{"one bad", report.Report{State: report.Failed, Components: []report.Component{row("a", report.Failed), row("b", report.Ready)}, Causes: []report.Cause{{Name: "OOMKilled", Severity: report.Error}}}, "Not ready: 1 of 2 components: a Failed. First: OOMKilled."},
		{"the cluster is bad", report.Report{State: report.Failed, Components: []report.Component{row("b", report.Ready)}, Causes: []report.Cause{{Name: "ServerUnsupported", Severity: report.Error}}}, "Not ready: ServerUnsupported."},
		{"not to be seen", report.Report{State: report.Unknown, Components: []report.Component{row("a", report.Unknown), row("b", report.Ready)}}, "Unknown: 1 of 2 components cannot be read or did not answer: a."},
	} {
		if got := Verdict(&tt.r); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestAScreenIsDrawnOverWithoutScrolling(t *testing.T) {
	var b bytes.Buffer
	width, height := 60, 12
	s := NewStatusScreen(&b, false, Style{Color: true}, func() (int, int) { return width, height }, func() time.Time { return statusNow })
	if err := s.Show(unwell()); err != nil {
		t.Fatal(err)
	}
	first := b.String()
	lines := strings.Split(strings.TrimSuffix(strip(first), "\n"), "\n")
	if len(lines) > height-1 {
		t.Errorf("%d lines on a terminal of %d", len(lines), height)
	}
	for _, l := range lines {
		if n := utf8.RuneCountInString(l); n >= width {
			t.Errorf("a line of %d columns on a terminal of %d: %q", n, width, l)
		}
	}
	if last := lines[len(lines)-1]; !strings.HasPrefix(last, "Not ready: 1 of 4 components") {
		t.Errorf("the last line is %q, want the verdict", last)
	}
	b.Reset()
	if err := s.Show(unwell()); err != nil {
		t.Fatal(err)
	}
	if up := "\x1b[11A"; !strings.HasPrefix(b.String(), up) {
		t.Errorf("the second drawing begins with %q, want to go up by as many lines as there were", b.String()[:8])
	}
}

func TestAPipeGetsALineForWhatHasChanged(t *testing.T) {
	var b bytes.Buffer
	s := NewStatusLines(&b, func() time.Time { return statusNow })
	r := unwell()
	show := func() string {
		b.Reset()
		if err := s.Show(r); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if first := show(); strings.Count(first, "\n") != 5 {
		t.Errorf("four rows and a verdict, in:\n%s", first)
	}
	if again := show(); again != "" {
		t.Errorf("nothing has changed, and it prints:\n%s", again)
	}
	r.Components[3].State, r.Components[3].Cause = report.Progressing, "ContainerStarting"
	if changed := show(); !strings.HasPrefix(changed, "2026-03-01T12:00:00Z  dex                  Progressing 0/1 ContainerStarting\n") {
		t.Errorf("got:\n%s", changed)
	}
	r.Components = r.Components[:3]
	if gone := show(); !strings.Contains(gone, "dex                  is no longer part of the installation\n") {
		t.Errorf("got:\n%s", gone)
	}
}
