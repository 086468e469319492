package user

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// defaultUserTimeout bounds what a person's controllers and Dex take: seconds, as a rule.
const defaultUserTimeout = 2 * time.Minute

// changeFlags are those of the commands that change one person. Each command adds the
// ones that it has a use for.
type changeFlags struct {
	passwordStdin bool
	kustomization string
	timeout       time.Duration
	output        string
}

// addTimeout adds --timeout; waits says what the time is for.
func (f *changeFlags) addTimeout(cmd *cobra.Command, waits string) {
	cmd.Flags().DurationVar(&f.timeout, "timeout", defaultUserTimeout, "The length of time to wait "+waits+"; 0 means no timeout")
}

func (f *changeFlags) addKustomize(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.kustomization, "kustomize", "k", "", "Kustomization `directory` that was used for the installation; required for the first user only")
}

// addPassword adds the flags of a command that sets a password.
func (f *changeFlags) addPassword(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.BoolVar(&f.passwordStdin, "password-stdin", false, "If true, read the password from standard input; by default, a password is generated")
	fs.StringVarP(&f.output, "output", "o", "", "Output format. One of: (json, yaml, jsonpath=TEMPLATE, name). All but name include a generated password")
	plugin.Complete(cmd, "output", func() []string { return []string{view.Name, view.JSON, view.YAML, view.JSONPath + "="} })
}

// check refuses what cannot be; flags that a command does not have are empty.
func (f *changeFlags) check() error {
	if err := plugin.CheckTimeout(f.timeout); err != nil {
		return err
	}
	if err := plugin.CheckDirectory(f.kustomization); err != nil {
		return err
	}
	if f.output == "" {
		return nil
	}
	return view.CheckOutput(f.output, view.Name)
}
