package view

import (
	"strings"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

func TestLinksStandBehindTheirHopAndSayWhatIsWrongFirst(t *testing.T) {
	var b strings.Builder
	err := Links(&b, []report.Link{
		{Object: report.Ref{Kind: "Service", Namespace: "istio-system", Name: "gateway"}, State: report.Failed, Says: "ports 80", Problem: "no endpoint"},
		{Depth: 1, Object: report.Ref{Kind: "Pod", Namespace: "istio-system", Name: "gateway-0"}, State: report.Ready, Says: "10.0.0.1 on a"},
		{Object: report.Ref{Kind: "VirtualService", Namespace: "auth", Name: "dex"}, State: report.Missing},
		{Object: report.Ref{Kind: "VirtualService", Namespace: "auth", Name: "other"}, State: report.Unknown, Problem: "could not be read"},
	}, Style{})
	want := `failed    Service istio-system/gateway   no endpoint; ports 80
ok          Pod istio-system/gateway-0   10.0.0.1 on a
missing   VirtualService auth/dex
?         VirtualService auth/other      could not be read
`
	if err != nil || b.String() != want {
		t.Errorf("%v, got\n%swant\n%s", err, b.String(), want)
	}
}

func TestProbesSayWhatWasExpectedAndWhatCame(t *testing.T) {
	probes := []report.Probe{
		{Step: 1, Hop: "gateway", Expected: "200", Came: "200", Outcome: report.ProbePassed, Request: "GET /healthz/ready", Elapsed: 0.0123},
		{Step: 2, Hop: "dex", Expected: "200", Came: "503, no healthy upstream", Outcome: report.ProbeFailed, Cause: "DexUnreachable", Request: "GET /dex/healthz"},
	}
	for wide, want := range map[bool]string{
		false: `STEP   HOP       RESULT   EXPECTED   CAME                       CAUSE
1      gateway   Passed   200        200                        <none>
2      dex       Failed   200        503, no healthy upstream   DexUnreachable
`,
		true: `STEP   HOP       RESULT   EXPECTED   CAME                       CAUSE            REQUESTS             TIME
1      gateway   Passed   200        200                        <none>           GET /healthz/ready   12ms
2      dex       Failed   200        503, no healthy upstream   DexUnreachable   GET /dex/healthz     0ms
`,
	} {
		var b strings.Builder
		if err := Probes(&b, probes, wide); err != nil || b.String() != want {
			t.Errorf("wide %t: %v, got\n%swant\n%s", wide, err, b.String(), want)
		}
	}
}

func TestAFewUsersAreNamedAndTheRestCounted(t *testing.T) {
	for want, users := range map[string][]string{
		"":            nil,
		"User: a@x\n": {"a@x"},
		"User: a, b, c, d, e and 2 more (kubectl jupyter user list)\n": {"a", "b", "c", "d", "e", "f", "g"},
	} {
		var b strings.Builder
		if Users(&b, report.WayIn{Users: users}); b.String() != want {
			t.Errorf("%q: got %q, want %q", users, b.String(), want)
		}
	}
}
