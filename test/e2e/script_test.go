//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptT lets the set-up of a script reach the test it belongs to.
type scriptT struct{ *testing.T }

func (t scriptT) Run(name string, f func(testscript.T)) {
	t.T.Run(name, func(t *testing.T) { f(scriptT{t}) })
}

func (scriptT) Verbose() bool { return testing.Verbose() }

// TestScripts runs whole sessions, typed as people do: through kubectl, which finds
// the plugin on PATH. Each script has a cluster of its own.
func TestScripts(t *testing.T) {
	sideBySide(t)
	testscript.RunT(scriptT{t}, testscript.Params{
		Dir: "script",
		Setup: func(env *testscript.Env) error {
			b := startBed(env.T().(scriptT).T)
			env.Setenv("KUBECONFIG", b.Kubeconfig)
			env.Setenv("BED", b.Dir)
			bin := filepath.Dir(programs(b.t).Plugin)
			env.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
			env.Setenv("DEVCLUSTER", programs(b.t).Devcluster)
			env.Setenv("TERM", "xterm")
			return nil
		},
	})
}
