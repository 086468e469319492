package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/kubectl-jupyter/kubectl-jupyter/cmd/kubectl-jupyter/internal/fakeserver"
)

var update = flag.Bool("update", false, "write the expected output of the scripts anew")

// TestMain lets the test binary be the program: the scripts run it as a process of
// its own, with its own exit code and streams.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"kubectl-jupyter": main})
}

// TestScripts runs whole commands, as a person types them. None needs a cluster;
// what goes wrong on the way to one is in the scripts too.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "../../test/script",
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("KUBECONFIG", "")
			env.Setenv("NO_COLOR", "")
			env.Setenv("KUBERNETES_SERVICE_HOST", "")
			docs, err := filepath.Abs("../../docs")
			env.Setenv("DOCS", docs)
			return err
		},
		Condition: func(name string) (bool, error) {
			if name == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", name)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"faulty-server": fakeserver.Command},
	})
}
