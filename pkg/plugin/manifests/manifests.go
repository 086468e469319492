// Package manifests has the commands that show what an installation consists of, without
// a cluster: the manifests, their images, the catalogue.
package manifests

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/clones"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// choiceFlags say what is to be shown, and how.
type choiceFlags struct {
	manifests plugin.ManifestFlags
	output    string
	// formats that output may be; where the default is none, none is right too.
	formats  []string
	optional bool
}

// choice is what is meant.
type choice struct {
	base       *plugin.Base
	Source     components.Source
	Components []string
	Manifests  components.Options
	Format     string
}

// add adds the flags. Format is the default one, and says describes --output.
func (f *choiceFlags) add(cmd *cobra.Command, format, says string, formats func() []string) {
	f.formats, f.optional = formats(), format == ""
	f.manifests.Add(cmd)
	cmd.Flags().StringVarP(&f.output, "output", "o", format, says)
	plugin.Complete(cmd, "output", formats)
	cmd.ValidArgsFunction = plugin.CompleteComponents
}

// choice checks what was typed. Args are components; without one it is what the profile
// installs.
func (f *choiceFlags) choice(b *plugin.Base, args []string) (choice, error) {
	c := choice{base: b, Format: f.output}
	var err error
	if c.Manifests, err = f.manifests.Options(); err != nil {
		return c, err
	}
	if f.output != "" || !f.optional {
		if err := view.CheckFormat(f.output, f.formats...); err != nil {
			return c, err
		}
	}
	source, err := f.manifests.Source(&c.Manifests)
	if err != nil {
		return c, err
	}
	if err := source.Release().Accepts(c.Manifests); err != nil {
		return c, err
	}
	fmt.Fprint(b.ErrOut, clones.Warnings(source.Release()))
	c.Source = source
	c.Components, err = chosen(source.Release(), c.Manifests.Profile, args)
	return c, err
}

// chosen are the named components, or what the profile installs when none is named.
func chosen(release *components.Release, profile string, args []string) ([]string, error) {
	for _, a := range args {
		if _, err := release.Component(a); err != nil {
			return nil, err
		}
	}
	if len(args) > 0 {
		return args, nil
	}
	return rollout.Select(release, profile, nil, nil, nil)
}
