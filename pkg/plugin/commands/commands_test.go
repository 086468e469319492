package commands

import (
	"context"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
)

func commands(t *testing.T) []*cobra.Command {
	t.Helper()
	streams, _, _, _ := genericiooptions.NewTestIOStreams()
	var all []*cobra.Command
	for _, c := range New(streams).Commands() {
		if c.Name() != "help" {
			all = append(all, c)
		}
	}
	return all
}

func TestEveryCommandExplainsItself(t *testing.T) {
	for _, c := range commands(t) {
		t.Run(c.Name(), func(t *testing.T) {
			if c.Short == "" || strings.HasSuffix(c.Short, ".") {
				t.Errorf("the short description %q is empty or ends in a full stop", c.Short)
			}
			if !strings.Contains(c.Example, "kubectl jupyter "+c.Name()) {
				t.Errorf("no example shows the command:\n%s", c.Example)
			}
			if !strings.HasPrefix(c.UseLine(), "kubectl jupyter ") {
				t.Errorf("the usage line is %q", c.UseLine())
			}
			if c.GroupID == "" {
				t.Error("it is in no group of the help")
			}
			for line := range strings.Lines(c.Long) {
				if len(line) > 100 {
					t.Errorf("a line of the long description is wider than a terminal: %q", line)
				}
			}
		})
	}
}

func TestEveryFlagSaysWhatItDoes(t *testing.T) {
	for _, c := range commands(t) {
		c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" || strings.HasSuffix(f.Usage, ".") {
				t.Errorf("%s --%s: the description %q is empty or ends in a full stop", c.Name(), f.Name, f.Usage)
			}
		})
	}
}

func TestEveryFlagOfKubectlWorksOnEveryCommand(t *testing.T) {
	for _, c := range commands(t) {
		for _, name := range []string{
			"kubeconfig", "context", "cluster", "user", "namespace", "server", "token", "as", "as-group", "as-uid", "request-timeout",
			"certificate-authority", "client-certificate", "client-key", "insecure-skip-tls-verify", "tls-server-name", "cache-dir", "disable-compression",
		} {
			if c.InheritedFlags().Lookup(name) == nil {
				t.Errorf("%s has no --%s", c.Name(), name)
			}
		}
	}
}

// BenchmarkRender renders and prints everything; one must stay far below 200 ms.
func BenchmarkRender(b *testing.B) {
	for b.Loop() {
		streams := genericiooptions.NewTestIOStreamsDiscard()
		if code := plugin.Execute(context.Background(), New(streams), []string{"render"}, streams); code != plugin.ExitDone {
			b.Fatalf("exit code %d", code)
		}
	}
}
