package view

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

var update = flag.Bool("update", false, "write golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s: want (-), got (+):\n%s", file, d)
	}
}

func TestPlainPrintsStatesThatLastAndNoCounters(t *testing.T) {
	var out bytes.Buffer
	c := &clock{now: time.Unix(0, 0)}
	p := NewPlain(&out, c.Now)
	p.Event(plan("cert-manager", "istio"))
	p.Event(component("cert-manager", report.Waiting, 0))
	p.Event(component("cert-manager", report.Applying, 1))
	p.Event(component("cert-manager", report.Applying, 2))
	c.add(61 * time.Second)
	p.Event(component("istio", report.Waiting, 0)) // no change, but time has passed
	p.Event(component("cert-manager", report.Progressing, 7))
	wait := report.Event{Kind: report.EventWait, Component: "cert-manager", Message: "no caBundle yet"}
	p.Event(wait)
	p.Event(wait)
	c.add(2 * time.Second)
	p.Event(report.Event{Kind: report.EventWarning, Message: "careful"})
	p.Event(component("istio", report.Applying, 1))
	p.Event(component("istio", report.Progressing, 10))
	c.add(100 * time.Millisecond)
	p.Event(component("istio", report.Ready, 10))
	c.add(1900 * time.Millisecond)
	p.Event(component("cert-manager", report.Ready, 10))
	want := `   1m1s  cert-manager         Applying 2/10
   1m1s  cert-manager         no caBundle yet
   1m3s  cert-manager         Progressing 7/10
   1m3s  warning              warning: careful
   1m3s  istio                Ready
   1m5s  cert-manager         Ready
`
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Errorf("want (-), got (+):\n%s", d)
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("there are escape sequences in the output")
	}
}

func TestEventsAreOneJSONDocumentALine(t *testing.T) {
	var out, others bytes.Buffer
	e := NewEvents(&out, &others)
	e.Event(plan("istio"))
	e.Event(component("istio", report.Ready, 10))
	e.Document(Result{Report: report.Report{APIVersion: report.APIVersion, Kind: "Report"}, User: "ada@example.org", Password: "<&>"})
	if _, err := e.Write([]byte("warning\n")); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d lines:\n%s", len(lines), out.String())
	}
	var last struct{ Kind, User, Password string }
	if err := json.Unmarshal([]byte(lines[2]), &last); err != nil {
		t.Fatal(err)
	}
	if last.Kind != "Report" || last.User != "ada@example.org" || last.Password != "<&>" {
		t.Errorf("the report is %+v", last)
	}
	if others.String() != "warning\n" {
		t.Errorf("the other stream has %q", others.String())
	}
}

func TestCausesComeWorstFirstWithEvidenceAndRemedy(t *testing.T) {
	pod := func(name string) report.Ref { return report.Ref{Kind: "Pod", Namespace: "kubeflow", Name: name} }
	var out bytes.Buffer
	err := Causes(&out, []report.Cause{
		{Name: "ImagePulling", Severity: report.Delay, Component: "dex", Object: pod("dex-1"), Summary: "the image is being pulled"},
		{
			Name: "ImagePullBackOff", Severity: report.Error, Component: "jupyter-web-app", Object: pod("jupyter-web-app-1"),
			Summary:  "the image cannot be pulled",
			Evidence: []string{"Failed to pull image \"x\":\nnot found\n", "Back-off pulling image"},
			Remedy:   "check the name, or give another:\nkubectl jupyter install --image x=y",
			Also:     []report.Ref{pod("a"), pod("b"), pod("c"), pod("d"), pod("e")},
		},
	}, Style{})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "causes.txt", out.String())
}

func TestSummary(t *testing.T) {
	rows := func(state report.State, action report.Action) []report.Component {
		var out []report.Component
		for _, n := range []string{"istio", "dex", "oauth2-proxy", "jupyter-web-app"} {
			out = append(out, report.Component{Name: n, State: state, Objects: 10, Changes: map[report.Action]int{action: 10}})
		}
		return out
	}
	for _, test := range []struct {
		name   string
		result Result
	}{
		{"a first installation shows the generated password", Result{
			Report: report.Report{Components: rows(report.Ready, report.Created), Elapsed: 41.26},
			User:   "ada@example.org", Password: "correct-horse", Flags: " --context=x",
		}},
		{"a second one has nothing to change and shows no password", Result{
			Report: report.Report{Components: rows(report.Ready, report.Unchanged), Elapsed: 0.8},
			User:   "ada@example.org",
		}},
		{"without waiting nothing is called ready", Result{
			Report: report.Report{Components: rows(report.Accepted, report.Created), Elapsed: 2},
			User:   "ada@example.org",
		}},
		{"a part of the stack has no way in", Result{
			Report: report.Report{Components: rows(report.Ready, report.Created)[:1], Elapsed: 2},
			User:   "ada@example.org",
		}},
		{"what was pruned of a component that is gone is a change", Result{
			Report: report.Report{Components: append(rows(report.Ready, report.Unchanged), report.Component{
				Name: "user", State: report.Removed, Changes: map[report.Action]int{report.Pruned: 1},
			}), Elapsed: 2},
			User: "ada@example.org",
		}},
		{"over HTTPS nothing is said about plain HTTP", Result{
			Report: report.Report{Components: rows(report.Ready, report.Configured), Elapsed: 2},
			User:   "ada@example.org", SecureCookies: true,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			Summary(&out, test.result, Style{})
			golden(t, "summary-"+strings.ReplaceAll(test.name, " ", "-")+".txt", out.String())
		})
	}
}

func secret(data map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Secret",
		"metadata": map[string]any{"name": "s", "namespace": "auth", "resourceVersion": "7", "managedFields": []any{map[string]any{"manager": "x"}}},
		"data":     data,
	}}
}

func TestDiffShowsThatASecretChangesButNotItsValues(t *testing.T) {
	ref := report.Ref{Kind: "Secret", Namespace: "auth", Name: "s"}
	var out bytes.Buffer
	before := secret(map[string]any{"same": "c2FtZQ==", "changed": "b2xk", "gone": "Z29uZQ=="})
	after := secret(map[string]any{"same": "c2FtZQ==", "changed": "bmV3", "added": "YWRk"})
	if err := Diff(&out, ref, before, after); err != nil {
		t.Fatal(err)
	}
	golden(t, "diff-secret.txt", out.String())
	for _, value := range []string{"c2FtZQ==", "b2xk", "Z29uZQ==", "bmV3", "YWRk"} {
		if strings.Contains(out.String(), value) {
			t.Errorf("the value %s is in the diff", value)
		}
	}
	if before.Object["data"].(map[string]any)["changed"] != "b2xk" {
		t.Error("the object itself was masked")
	}
}

func TestDiffOfANewObjectHasOnlyAddedLines(t *testing.T) {
	var out bytes.Buffer
	u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "kubeflow", "uid": "x"}}}
	if err := Diff(&out, report.Ref{Kind: "Namespace", Name: "kubeflow"}, nil, u); err != nil {
		t.Fatal(err)
	}
	golden(t, "diff-new.txt", out.String())
}

func TestTableAlignsAndNamesWhatIsEmpty(t *testing.T) {
	var out bytes.Buffer
	if err := Table(&out, []string{"NAME", "NEEDS"}, [][]string{{"istio", "istio-crds"}, {"kubeflow-roles", ""}}); err != nil {
		t.Fatal(err)
	}
	want := "NAME             NEEDS\nistio            istio-crds\nkubeflow-roles   <none>\n"
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Errorf("want (-), got (+):\n%s", d)
	}
}

func TestColoursAreLeftOutWhenNobodyLooksOrSomebodySaysSo(t *testing.T) {
	if StyleFor(&bytes.Buffer{}, func(string) string { return "" }).Color {
		t.Error("a buffer is no terminal and got colours")
	}
	if got := (Style{}).Bold("x") + (Style{}).State(report.Failed, "y") + (Style{}).Severity(report.Error); got != "xyerror" {
		t.Errorf("without colour: %q", got)
	}
	if got := (Style{Color: true}).Bold("x"); got != "\x1b[1mx\x1b[0m" {
		t.Errorf("with colour: %q", got)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestManifestsSayWhenTheyCannotBeWritten(t *testing.T) {
	u := &unstructured.Unstructured{Object: map[string]any{"kind": "Namespace", "metadata": map[string]any{"name": "x"}}}
	for _, format := range ManifestFormats() {
		if err := Manifests(broken{}, format, []*unstructured.Unstructured{u}); err == nil {
			t.Errorf("%s: no error", format)
		}
	}
	if err := Manifests(&bytes.Buffer{}, "table", nil); err == nil {
		t.Error("an unknown format is taken")
	}
}

func TestRedactedHidesTheValuesOfASecretThatIsInTheCluster(t *testing.T) {
	live := secret(map[string]any{"password": "c2VjcmV0"})
	text, err := appendYAML(nil, Redacted(live).Object)
	if err != nil {
		t.Fatal(err)
	}
	if s := string(text); strings.Contains(s, "c2VjcmV0") || !strings.Contains(s, `password: "***"`) {
		t.Errorf("printed:\n%s", s)
	}
	if live.Object["data"].(map[string]any)["password"] != "c2VjcmV0" {
		t.Error("the object itself was changed")
	}
}
