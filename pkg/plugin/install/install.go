package install

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/pulls"
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
	pull          string
	notebooks     []string
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
	// Pull says on which nodes images are pulled beside the installation; empty: on none.
	Pull string
	// NotebookImages are the images of notebooks that are pulled, too.
	NotebookImages []string
}

func New(b *plugin.Base) *cobra.Command {
	f := &InstallFlags{}
	cmd := &cobra.Command{
		Use:     "install",
		GroupID: plugin.GroupStack,
		Short:   "Install the stack, or update an existing installation",
		Long: `Install the notebooks stack, or update an existing installation.

The command can be run again at any time: objects that do not differ are not changed, and
an interrupted installation is completed. Flags that are not set keep the values of the
last run.

The preflight checks run first, and a fatal result ends the run. Objects that are not owned
by this installation are reported with the available options: --use-existing, --adopt,
--skip. --skip-preflight skips all other checks.

Progress and messages are written to standard error, as is the password of the first user,
once, in the run that generates it. With -o json, standard output has one event per line,
followed by the report, which then contains the password.`,
		Example: plugin.Examples(`
			# Install the stack into the cluster of the current context
			kubectl jupyter install

			# Install the small profile, for a node with 2 CPUs and 4 GiB of memory
			kubectl jupyter install --profile slim

			# Show what would change in each object
			kubectl jupyter install --dry-run=server
			kubectl jupyter install --diff

			# Set the first user and the password
			kubectl jupyter install --user-email ada@example.com --password-stdin < password.txt

			# Use the cert-manager that is already installed
			kubectl jupyter install --use-existing cert-manager

			# Pull images from a mirror, and apply your own patches
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
	fs.BoolVar(&f.skipPreflight, "skip-preflight", false, "If true, skip the preflight checks, such as server version, permissions and capacity of the nodes. Conflicts with existing objects still end the run")
	fs.BoolVar(&f.passwordStdin, "password-stdin", false, "If true, read the password of the first user from standard input; by default, a password is generated")
	fs.DurationVar(&f.timeout, "timeout", plugin.DefaultTimeout, "The length of time to wait before giving up on the run, such as 90s or 20m; 0 means no timeout")
	fs.BoolVar(&f.wait, "wait", true, "If true, wait until all components are ready; if false, return when the API server has accepted all objects")
	fs.StringVar(&f.dryRun, "dry-run", plugin.DryRunNone, `Must be "none", "client" or "server". If client, print the objects that would be sent, without a cluster; if server, submit server-side requests without persisting the objects`)
	fs.BoolVar(&f.diff, "diff", false, "If true, print the difference for each object, without changing anything")
	fs.StringVarP(&f.output, "output", "o", "", "Output format. One of: (json, yaml, name). A dry run prints the objects; otherwise json prints events and the report")
	fs.StringVar(&f.pull, "pull", pullAuto, `Must be "auto", "all-nodes" or "off". Pull images before the pods start that need them. If auto, on a cluster with one node; on one with several nodes, only the image of notebooks, on one of them, when everything else is ready. If all-nodes, on every node, and wait for it`)
	fs.StringSliceVar(&f.notebooks, "notebook-images", []string{pulls.DefaultImage}, `Images of notebooks to pull: "default", "all", "none", or `+"`names`"+` of images that the form offers, such as jupyter-scipy`)
	plugin.Complete(cmd, "output", view.ManifestFormats)
	plugin.Complete(cmd, "dry-run", func() []string { return []string{plugin.DryRunNone, plugin.DryRunClient, plugin.DryRunServer} })
	plugin.Complete(cmd, "pull", func() []string { return pullModes })
	plugin.Complete(cmd, "notebook-images", func() []string { return []string{pulls.DefaultImage, pulls.AllImages, pulls.NoImages} })
}

// ToOptions checks everything that can be checked without a cluster.
func (f *InstallFlags) ToOptions(b *plugin.Base, given func(string) bool) (*InstallOptions, error) {
	o, err := f.check(b)
	if err != nil {
		return nil, err
	}
	if o.Intent, err = f.choices.Intent(given); err != nil {
		return nil, err
	}
	o.Pull, o.NotebookImages = f.pull, f.notebooks
	if err := o.checkPull(given); err != nil {
		return nil, err
	}
	return o, o.checkCulling()
}

// check is all of ToOptions that says nothing of what is to be installed.
func (f *InstallFlags) check(b *plugin.Base) (*InstallOptions, error) {
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
		return nil, errors.New("--diff and --dry-run=client cannot be used together: --diff sends requests to the server")
	case f.diff && f.output != "":
		return nil, errors.New("--diff and --output cannot be used together")
	case f.passwordStdin && (f.diff || f.dryRun != plugin.DryRunNone):
		return nil, errors.New("--password-stdin cannot be used in a dry run")
	}
	return &InstallOptions{
		base:  b,
		Adopt: f.choices.Adopt, SkipPreflight: f.skipPreflight, PasswordStdin: f.passwordStdin, Timeout: f.timeout, Wait: f.wait,
		DryRun: f.dryRun, Diff: f.diff, Format: f.output,
	}, nil
}
