package plugin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/klog/v2"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

func commands(t *testing.T) []*cobra.Command {
	t.Helper()
	streams, _, _, _ := genericiooptions.NewTestIOStreams()
	var all []*cobra.Command
	for _, c := range NewCommand(streams).Commands() {
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

func TestExitCodes(t *testing.T) {
	interrupted, cancel := context.WithCancelCause(context.Background())
	cancel(ErrInterrupted)
	for _, test := range []struct {
		name string
		ctx  context.Context
		err  error
		code int
		says string
	}{
		{"nothing went wrong", context.Background(), nil, 0, ""},
		{"a refusal is said once", context.Background(), errors.New("no"), 1, "error: no\n"},
		{"a signal before the first write", interrupted, fmt.Errorf("get: %w", context.Canceled), 130, "error: interrupted before anything was changed\n"},
		{"a signal in the middle says where the run stood", interrupted, &rollout.Failure{Err: rollout.ErrInterrupted, Stood: "3 of 14 components are ready"}, 130, "error: interrupted\n3 of 14 components are ready\n"},
		{"a signal that came too late changes nothing", interrupted, nil, 0, ""},
		{
			"a failure shows its causes", context.Background(),
			&rollout.Failure{Err: errors.New("timed out"), Causes: []report.Cause{{Name: "ImagePullBackOff", Severity: report.Error, Object: report.Ref{Kind: "Pod", Name: "x"}, Summary: "no image"}}}, 1,
			"\nerror: ImagePullBackOff: Pod x\n  no image\n\nerror: timed out\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			if code := finish(test.ctx, test.err, &out); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			if d := cmp.Diff(test.says, out.String()); d != "" {
				t.Errorf("want (-), got (+):\n%s", d)
			}
		})
	}
}

func installOptions(t *testing.T, args ...string) (*InstallOptions, error) {
	t.Helper()
	streams, _, _, _ := genericiooptions.NewTestIOStreams()
	b := &base{IOStreams: streams, config: genericclioptions.NewConfigFlags(true)}
	f := &InstallFlags{}
	cmd := &cobra.Command{Use: "install"}
	f.add(cmd)
	if err := cmd.ParseFlags(args); err != nil {
		return nil, err
	}
	return f.ToOptions(b, cmd.Flags().Changed)
}

func TestALaterInstallKeepsWhatItDoesNotName(t *testing.T) {
	recorded := &rollout.Settings{
		Profile: components.ProfileSlim, UserEmail: "ada@example.org", SecureCookies: true,
		Registry: "registry.example.com", Images: map[string]string{"a": "b"}, UseExisting: []string{"cert-manager"},
	}
	for _, test := range []struct {
		name string
		args []string
		want components.Options
		use  []string
	}{
		{
			"without flags everything stays", nil,
			components.Options{Profile: "slim", UserEmail: "ada@example.org", SecureCookies: true, Registry: "registry.example.com", Images: map[string]string{"a": "b"}},
			[]string{"cert-manager"},
		},
		{
			"a flag changes its own choice only",
			[]string{"--profile", "default", "--registry", ""},
			components.Options{Profile: "default", UserEmail: "ada@example.org", SecureCookies: true, Images: map[string]string{"a": "b"}},
			[]string{"cert-manager"},
		},
		{
			"a component that is asked for by name is not somebody else's any more",
			[]string{"--only", "cert-manager"},
			components.Options{Profile: "slim", UserEmail: "ada@example.org", SecureCookies: true, Registry: "registry.example.com", Images: map[string]string{"a": "b"}},
			nil,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			o, err := installOptions(t, test.args...)
			if err != nil {
				t.Fatal(err)
			}
			if err := o.Intent.Keep(recorded); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(test.want, o.Intent.Manifests); d != "" {
				t.Errorf("want (-), got (+):\n%s", d)
			}
			if !slices.Equal(o.Intent.UseExisting, test.use) {
				t.Errorf("uses the existing %v, want %v", o.Intent.UseExisting, test.use)
			}
		})
	}
}

func TestAnInstallationWithAKustomizationIsNotRevertedInSilence(t *testing.T) {
	recorded := &rollout.Settings{Profile: "default", UserEmail: "a@example.org", Kustomization: "patches"}
	o, err := installOptions(t)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Intent.Keep(recorded); err == nil || !strings.Contains(err.Error(), "-k patches") {
		t.Errorf("the error is %v", err)
	}
	if o, err = installOptions(t, "-k", ""); err != nil {
		t.Fatal(err)
	}
	if err := o.Intent.Keep(recorded); err != nil {
		t.Errorf("an explicit choice is refused: %v", err)
	}
}

func TestQuoteMakesWordsSafeForAShell(t *testing.T) {
	for in, want := range map[string]string{
		"minikube":                "minikube",
		"arn:aws:eks/x@y":         "arn:aws:eks/x@y",
		"two words":               "'two words'",
		"it's":                    `'it'\''s'`,
		"$(rm -rf ~)":             "'$(rm -rf ~)'",
		"https://127.0.0.1:6443/": "https://127.0.0.1:6443/",
	} {
		if got := quote(in); got != want {
			t.Errorf("quote(%q) is %s, want %s", in, got, want)
		}
	}
}

func TestCompletionOffersWhatIsNotNamedYet(t *testing.T) {
	names, _ := completeComponents(nil, []string{"dex", "istio"}, "")
	if slices.Contains(names, "dex") || slices.Contains(names, "istio") || !slices.Contains(names, "cert-manager") {
		t.Errorf("offers %v", names)
	}
}

// BenchmarkRender renders and prints everything; one must stay far below 200 ms.
func BenchmarkRender(b *testing.B) {
	for b.Loop() {
		streams := genericiooptions.NewTestIOStreamsDiscard()
		if code := Execute(context.Background(), []string{"render"}, streams); code != ExitDone {
			b.Fatalf("exit code %d", code)
		}
	}
}

// From level 8 on client-go logs bodies, and with them Secrets.
func TestNoVerbosityShowsBodies(t *testing.T) {
	t.Cleanup(func() {
		var quiet klog.Level
		if err := quiet.Set("0"); err != nil {
			t.Error(err)
		}
	})
	if err := setVerbosity(99); err != nil {
		t.Fatal(err)
	}
	if !klog.V(6).Enabled() || klog.V(8).Enabled() {
		t.Errorf("-v=99 shows requests: %t, bodies: %t; want true and false", klog.V(6).Enabled(), klog.V(8).Enabled())
	}
}

func TestCtrlCEndsAQuestion(t *testing.T) {
	// A pipe that nobody writes to: whoever reads it waits for ever.
	in, out := io.Pipe()
	t.Cleanup(func() { _ = out.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	streams, _, _, _ := genericiooptions.NewTestIOStreams()
	streams.In = in
	if _, err := readPassword(ctx, streams, "ada"); !errors.Is(err, context.Canceled) {
		t.Errorf("readPassword returns %v, want that it was cancelled", err)
	}
}
