package install

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// InstallFlags are what was typed.
type InstallFlags struct {
	choices       plugin.ChoiceFlags
	skipPreflight bool
	passwordStdin bool
	timeout       time.Duration
	wait          bool
	dryRun        string
	diff          bool
	output        string
}

// InstallOptions are what is meant.
type InstallOptions struct {
	base *plugin.Base
	// Intent is what is to be installed.
	Intent rollout.Intent

	Adopt         bool
	SkipPreflight bool
	PasswordStdin bool
	Timeout       time.Duration
	Wait          bool
	DryRun        string
	Diff          bool
	Format        string
}

func New(b *plugin.Base) *cobra.Command {
	f := &InstallFlags{}
	cmd := &cobra.Command{
		Use:     "install",
		GroupID: plugin.GroupStack,
		Short:   "Install the stack, complete it, or bring it up to date",
		Long: `Install the notebooks stack, complete it, or bring it up to date.

It can be run again at any time: what is as it should be is not touched, and what
was interrupted is completed. Flags that are not given keep the values of the
last run.

First it looks at the cluster as preflight does, and stops at what is fatal. Objects
that belong to somebody else are found then, and the choices named: --use-existing,
--adopt, --skip. --skip-preflight leaves out everything but these.

Progress and messages go to standard error. So does the first user's password,
once, in the run that generates it. With -o json, standard output has one event a
line and the report at the end, which then holds the password.`,
		Example: plugin.Examples(`
			# The whole stack, into the cluster of the current context
			kubectl jupyter install

			# For a small machine: 2 CPUs and 4 GiB
			kubectl jupyter install --profile slim

			# What would happen, object by object
			kubectl jupyter install --dry-run=server
			kubectl jupyter install --diff

			# With a user and a password of your own
			kubectl jupyter install --user-email ada@example.com --password-stdin < password.txt

			# Keep the cert-manager that is there
			kubectl jupyter install --use-existing cert-manager

			# From a mirror, with your own patches on top
			kubectl jupyter install --registry registry.example.com/mirror -k ./my-patches`),
		Args: plugin.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := f.ToOptions(b, cmd.Flags().Changed)
			return plugin.Run(cmd, o, err)
		},
	}
	f.add(cmd)
	return cmd
}

func (f *InstallFlags) add(cmd *cobra.Command) {
	f.choices.Add(cmd)
	fs := cmd.Flags()
	fs.BoolVar(&f.skipPreflight, "skip-preflight", false, "Do not look at the cluster first: its version, the rights, the room on its nodes. Objects of others still end the run")
	fs.BoolVar(&f.passwordStdin, "password-stdin", false, "Read the first user's password from standard input; without it one is generated")
	fs.DurationVar(&f.timeout, "timeout", plugin.DefaultTimeout, "How long the whole run may take, such as 90s or 20m; 0 for no bound")
	fs.BoolVar(&f.wait, "wait", true, "Wait until everything is ready; with false, until everything is accepted")
	fs.StringVar(&f.dryRun, "dry-run", plugin.DryRunNone, "client: print what would be sent, without a cluster; server: ask the server what would happen; `none`")
	fs.BoolVar(&f.diff, "diff", false, "Print what would change in each object, and change nothing")
	fs.StringVarP(&f.output, "output", "o", "", "Output format: json, yaml or name. In a dry run the objects; otherwise json prints events and the report")
	plugin.Complete(cmd, "output", view.ManifestFormats)
	plugin.Complete(cmd, "dry-run", func() []string { return []string{plugin.DryRunNone, plugin.DryRunClient, plugin.DryRunServer} })
}

// ToOptions checks everything that can be checked without a cluster.
func (f *InstallFlags) ToOptions(b *plugin.Base, given func(string) bool) (*InstallOptions, error) {
	if err := plugin.CheckTimeout(f.timeout); err != nil {
		return nil, err
	}
	if err := plugin.CheckDryRun(f.dryRun); err != nil {
		return nil, err
	}
	if f.output != "" {
		if err := view.CheckFormat(f.output, view.ManifestFormats()...); err != nil {
			return nil, err
		}
	}
	switch {
	case f.diff && f.dryRun == plugin.DryRunClient:
		return nil, errors.New("--diff asks the server what would change, which --dry-run=client forbids: leave out one")
	case f.diff && f.output != "":
		return nil, errors.New("--diff and --output cannot be used together")
	case f.passwordStdin && (f.diff || f.dryRun != plugin.DryRunNone):
		return nil, errors.New("--password-stdin has no use in a dry run: leave it out")
	}
	intent, err := f.choices.Intent(b, given)
	if err != nil {
		return nil, err
	}
	return &InstallOptions{
		base: b, Intent: intent,
		Adopt: f.choices.Adopt, SkipPreflight: f.skipPreflight, PasswordStdin: f.passwordStdin, Timeout: f.timeout, Wait: f.wait,
		DryRun: f.dryRun, Diff: f.diff, Format: f.output,
	}, nil
}
