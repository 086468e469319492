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
	testscript.RunT(scriptT{t}, testscript.Params{
		Dir: "script",
		Setup: func(env *testscript.Env) error {
			b := newBed(env.T().(scriptT).T)
			env.Setenv("KUBECONFIG", b.kubeconfig)
			env.Setenv("BED", b.dir)
			bin := filepath.Dir(program(b.t, "KUBECTL_JUPYTER", "kubectl-jupyter"))
			env.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
			env.Setenv("DEVCLUSTER", program(b.t, "DEVCLUSTER", "devcluster"))
			env.Setenv("TERM", "xterm")
			return nil
		},
	})
}
