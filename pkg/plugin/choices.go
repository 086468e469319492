package plugin

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// ChoiceFlags say what is to be installed. Install and preflight have them.
type ChoiceFlags struct {
	manifests   ManifestFlags
	only        []string
	skip        []string
	useExisting []string
	isolate     bool
	Adopt       bool
}

func (f *ChoiceFlags) Add(cmd *cobra.Command) {
	f.manifests.Add(cmd)
	fs := cmd.Flags()
	fs.StringSliceVar(&f.only, "only", nil, "Install only these `components`; can be repeated")
	fs.StringSliceVar(&f.skip, "skip", nil, "Skip these `components`; can be repeated")
	fs.StringSliceVar(&f.useExisting, "use-existing", nil, "Use the existing installation of these `components` instead of installing them; can be repeated")
	fs.BoolVar(&f.Adopt, "adopt", false, "If true, take ownership of existing objects, and of fields that another field manager owns")
	fs.BoolVar(&f.isolate, "isolate-namespaces", false, "If true, isolate the namespaces of all users, now and when they are added, with a NetworkPolicy (see kubectl jupyter user isolate); if false, delete these policies")
	for _, flag := range []string{"only", "skip", "use-existing"} {
		Complete(cmd, flag, components.ComponentNames)
	}
}

// Intent checks everything about the choices that can be checked without a cluster.
func (f *ChoiceFlags) Intent(given func(string) bool) (rollout.Intent, error) {
	intent := rollout.Intent{Given: given, Only: f.only, Skip: f.skip, UseExisting: f.useExisting, IsolateNamespaces: f.isolate}
	if err := f.manifests.FillIn(&intent); err != nil {
		return intent, err
	}
	for _, flag := range []struct {
		name   string
		values []string
	}{{"--only", f.only}, {"--skip", f.skip}, {"--use-existing", f.useExisting}} {
		for _, n := range flag.values {
			if _, err := intent.Source.Release().Component(n); err != nil {
				return intent, fmt.Errorf("%s: %w", flag.name, err)
			}
		}
	}
	for _, n := range f.useExisting {
		if slices.Contains(f.only, n) {
			return intent, fmt.Errorf("--only and --use-existing both name %s: remove it from one of them", n)
		}
	}
	return intent, nil
}
