package version

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/version"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// VersionFlags are what was typed.
type VersionFlags struct {
	client bool
	output string
}

// VersionOptions are what is to be told.
type VersionOptions struct {
	base   *plugin.Base
	Client bool
	Format string
}

func New(b *plugin.Base) *cobra.Command {
	f := &VersionFlags{}
	cmd := &cobra.Command{
		Use:     "version",
		GroupID: plugin.GroupOther,
		Short:   "Print the versions of the plugin, the server and the installation",
		Long: `Print the versions of the plugin, the server and the installed release.

If the server does not answer, only the version of the plugin is printed. With --client, the
server is not contacted.`,
		Example: plugin.Examples(`
			# Print all versions
			kubectl jupyter version

			# Print the version of the plugin only, without a server
			kubectl jupyter version --client

			# Print all versions in JSON, for use by programs
			kubectl jupyter version -o json`),
		Args: plugin.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := f.ToOptions(b)
			return plugin.Run(cmd, o, err)
		},
	}
	cmd.Flags().BoolVar(&f.client, "client", false, "If true, shows client version only (no server required)")
	cmd.Flags().StringVarP(&f.output, "output", "o", "", "Output format. One of: (json, yaml)")
	plugin.Complete(cmd, "output", func() []string { return []string{view.JSON, view.YAML} })
	return cmd
}

// ToOptions checks what was typed.
func (f *VersionFlags) ToOptions(b *plugin.Base) (*VersionOptions, error) {
	if f.output != "" {
		if err := view.CheckFormat(f.output, view.JSON, view.YAML); err != nil {
			return nil, err
		}
	}
	return &VersionOptions{base: b, Client: f.client, Format: f.output}, nil
}

// Run prints the versions. Where the server does not answer, the plugin's own
// version is printed all the same.
func (o *VersionOptions) Run(ctx context.Context) error {
	v := plugin.Versions{Client: version.Get()}
	var failed error
	if !o.Client {
		failed = o.ask(ctx, &v)
	}
	if err := o.print(o.base.Out, v, failed); err != nil {
		return err
	}
	return failed
}

func (o *VersionOptions) ask(ctx context.Context, v *plugin.Versions) error {
	c, err := o.base.Connect(ctx, o.base.ErrOut)
	if err != nil {
		return err
	}
	v.Server = &c.Target
	v.Installed, err = rollout.ReadSettings(ctx, c)
	v.Newer = v.Installed.Newest()
	return err
}

func (o *VersionOptions) print(w io.Writer, v plugin.Versions, failed error) error {
	switch o.Format {
	case view.JSON:
		return view.IndentedJSON(w, v)
	case view.YAML:
		data, err := yaml.Marshal(v)
		if err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	}
	build := v.Client.Version
	if v.Client.Commit != "" {
		build += ", commit " + v.Client.Commit
	}
	if v.Client.Date != "" {
		build += " of " + v.Client.Date
	}
	if _, err := fmt.Fprintf(w, "Client: %s (%s, %s)\n", build, v.Client.GoVersion, v.Client.Platform); err != nil {
		return err
	}
	if v.Server != nil {
		if _, err := fmt.Fprintf(w, "Server: %s (context %q)\n", v.Server.Version, v.Server.Context); err != nil {
			return err
		}
	}
	if o.Client || failed != nil {
		return nil
	}
	installed := "nothing"
	if v.Installed != nil {
		installed = fmt.Sprintf("release %s, profile %s", v.Installed.Release, v.Installed.Profile)
		if clone := v.Installed.Clone; clone != nil {
			installed += ", from the clone " + clone.Path
		}
		if v.Installed.From != "" {
			installed += fmt.Sprintf("; the upgrade from release %s is not complete (kubectl jupyter upgrade)", v.Installed.From)
		}
		if v.Newer != "" {
			installed += fmt.Sprintf("; release %s is newer (kubectl jupyter upgrade)", v.Newer)
		}
	}
	_, err := fmt.Fprintf(w, "Installed: %s\n", installed)
	return err
}
