package install

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

func installOptions(t *testing.T, args ...string) (*InstallOptions, error) {
	t.Helper()
	streams, _, _, _ := genericiooptions.NewTestIOStreams()
	b := &plugin.Base{IOStreams: streams, Config: genericclioptions.NewConfigFlags(true)}
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
