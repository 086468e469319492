package plugin

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/clones"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// cloneFlags say which clone of kubeflow/manifests is meant, and what about it.
type cloneFlags struct {
	dir      string
	overlays []string
	options  clones.Options
	given    func(flag string) bool
	// context of the command that runs.
	context func() context.Context
}

func (f *cloneFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.dir, clones.FlagManifests, "", "Use a clone of kubeflow/manifests in this `directory` (versions "+clones.Supported()+") instead of a release")
	fs.StringArrayVar(&f.overlays, clones.FlagOverlay, nil, "With --manifests, use another overlay for a component, as `COMPONENT=PATH` with PATH in the clone; can be repeated")
	fs.BoolVar(&f.options.KeepCredentials, clones.FlagKeep, false, "With --manifests, if true, use the credentials in the clone instead of generated ones")
	fs.BoolVar(&f.options.AsIs, clones.FlagAsIs, false, "With --manifests, if true, add nothing to the clone's manifests")
	f.given, f.context = fs.Changed, cmd.Context
}

// source opens the clone; nil where none is named. Release is the flag that names a release.
func (f *cloneFlags) source(release string) (*components.Files, error) {
	if f.dir == "" {
		for _, flag := range []string{clones.FlagOverlay, clones.FlagKeep, clones.FlagAsIs} {
			if f.given(flag) {
				return nil, fmt.Errorf("--%s can only be used with --manifests", flag)
			}
		}
		if f.given(clones.FlagManifests) {
			return nil, errors.New("--manifests: specify the directory of a clone of kubeflow/manifests")
		}
		return nil, nil
	}
	if f.given(release) {
		return nil, fmt.Errorf("--%s and --manifests cannot be used together", release)
	}
	var err error
	if f.options.Overlays, err = clones.ParseOverlays(f.overlays); err != nil {
		return nil, err
	}
	return clones.Open(f.context(), f.dir, f.options)
}
