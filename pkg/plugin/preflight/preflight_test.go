package preflight

import (
	"strings"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/preflight"
)

func TestTheConclusionNamesTheCommandThatFollows(t *testing.T) {
	o := &PreflightOptions{Install: "kubectl jupyter install --profile slim", Upgrade: "kubectl jupyter upgrade --to 26.03"}
	for _, tt := range []struct {
		result  preflight.Result
		upgrade bool
		want    string
	}{
		{preflight.OK, false, "The stack can be installed. Next: " + o.Install},
		{preflight.Warning, false, "see the warnings above. Next: " + o.Install},
		{preflight.OK, true, "The stack can be upgraded. Next: " + o.Upgrade},
		{preflight.Fatal, true, "An upgrade would fail"},
		{preflight.Fatal, false, "An installation would fail"},
		{preflight.Unknown, false, "some checks could not be completed"},
	} {
		if got := o.conclusion(tt.result, tt.upgrade); !strings.Contains(got, tt.want) {
			t.Errorf("%s, upgrade %t: %q, want %q", tt.result, tt.upgrade, got, tt.want)
		}
	}
}
