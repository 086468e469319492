package version

import (
	"runtime"
	"strings"
	"testing"
)

func TestABuildWithoutLinkerFlagsStillHasAVersion(t *testing.T) {
	i := Get()
	if i.Version == "" || i.GoVersion != runtime.Version() || i.Platform != runtime.GOOS+"/"+runtime.GOARCH {
		t.Errorf("got %+v", i)
	}
}

func TestTheLinkersVersionIsWhatCounts(t *testing.T) {
	old := version
	t.Cleanup(func() { version = old })
	version = "v1.2.3"
	if got := Get().Tooling(); got != "kubectl-jupyter/v1.2.3" || strings.Contains(got, " ") {
		t.Errorf("signs as %q", got)
	}
}

func TestTheToolsNameAlwaysHasASemanticVersion(t *testing.T) {
	for _, tt := range []struct{ version, want string }{
		{"v0.1.0", "kubectl-jupyter/v0.1.0"},
		{"v0.1.0-3-gabc123-dirty", "kubectl-jupyter/v0.1.0-3-gabc123-dirty"},
		{"dev", "kubectl-jupyter/v0.0.0-dev"},
		{"3b62763", "kubectl-jupyter/v0.0.0-3b62763"},
	} {
		if got := (Info{Version: tt.version}).Tooling(); got != tt.want {
			t.Errorf("Tooling() of %s = %s, want %s", tt.version, got, tt.want)
		}
	}
}
