//go:build e2e_real

package e2e

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
)

// executes runs commands in the notebook, reads what its containers have logged, and runs
// programs of this machine that know no more than the URL of its server.
func (s *shell) executes(t *testing.T) {
	verb := func(verb string, args ...string) []string {
		return append([]string{"notebook", verb, "-n", s.namespace, s.name}, args...)
	}
	r := s.in(t).run(context.Background(), "to and fro", nil, verb("exec", "-i", "--", "sh", "-c", "cat; echo aside >&2; exit 7")...)
	if r.Code != 7 || r.Stdout != "to and fro" || r.Stderr != "aside\n" {
		t.Errorf("%s, want exit code 7, the input on stdout, and no more than a word on stderr", r)
	}
	if r := s.in(t).jupyter(verb("exec", "--", "no-such-program")...); r.Code != 1 || !strings.Contains(r.Stderr, `its image has no program "no-such-program"`) {
		t.Errorf("a program that is not there: %s", r)
	}
	wantSays(t, s.in(t).must(verb("logs")...).Stdout, "Jupyter Server", "is running at")
	if lines := strings.Count(s.in(t).must(verb("logs", "--tail", "1")...).Stdout, "\n"); lines != 1 {
		t.Errorf("%d lines with --tail 1", lines)
	}
	wantSays(t, s.in(t).must(verb("logs", "-c", "istio-proxy")...).Stdout, "Envoy proxy is ready")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if r := s.in(t).jupyter(verb("connect", "--exec", "--", self, "-test.run", "^TestACellRunsAtTheServer$", "-test.v")...); r.Code != 0 || !strings.Contains(r.Stdout, "the cell says 42\n") {
		t.Errorf("a program that runs a cell: %s", r)
	}
	if r := s.in(t).jupyter(verb("connect", "--exec", "--", "sh", "-c", "exit 5")...); r.Code != 5 || r.Stdout != "" {
		t.Errorf("%s, want exit code 5 and nothing on stdout", r)
	}
}

// TestACellRunsAtTheServer is the program that connect --exec runs above.
func TestACellRunsAtTheServer(t *testing.T) {
	address := os.Getenv("JUPYTER_SERVER")
	if address == "" {
		t.Skip("it is run by another test, with the URL of a server")
	}
	server := newJupyterServer(t, address, nil)
	fmt.Print(server.run(t, server.kernel(t), "print('the cell says', 6 * 7)", true))
}
