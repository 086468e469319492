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
