package volume

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/volumes"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/show"
)

// DeleteOptions are what is meant.
type DeleteOptions struct {
	base  *plugin.Base
	Names []string
	Yes   bool
}

func newDeleteCommand(b *plugin.Base) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:     "delete NAME...",
		Aliases: []string{"rm"},
		Short:   "Delete volumes that nothing uses, with all files in them",
		Long: `Delete volumes, with all files in them. Each is shown with what is known about its use, and
is deleted after a confirmation of its own.

A volume that a pod or a Job uses, or that belongs to a notebook, even a stopped one, is
refused, and so is one about which that is not known. Nothing is deleted if one of the
names is refused.`,
		Example: plugin.Examples(`
			# Delete two volumes, after a confirmation for each
			kubectl jupyter notebook volume delete old-workspace data-2024

			# Delete a volume in another namespace, without the prompt for confirmation
			kubectl jupyter notebook volume delete old-workspace -n kubeflow-user-example-com --yes

			# Choose from the volumes that nothing has used for a year, and delete one
			kubectl jupyter notebook volume list --unused 365d
			kubectl jupyter notebook volume delete old-workspace`),
		Args: names,
		RunE: func(cmd *cobra.Command, args []string) error {
			return plugin.Run(cmd, &DeleteOptions{base: b, Names: args, Yes: yes}, nil)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "If true, do not prompt for confirmation")
	return cmd
}

// names takes the names of volumes, each once.
func names(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return plugin.UsageError(cmd, fmt.Errorf("%s requires the name of a volume, or several", cmd.CommandPath()))
	}
	seen := map[string]bool{}
	for _, name := range args {
		if errs := validation.IsDNS1123Subdomain(name); len(errs) > 0 {
			return plugin.UsageError(cmd, fmt.Errorf("%q is not the name of a PersistentVolumeClaim", name))
		}
		if seen[name] {
			return plugin.UsageError(cmd, fmt.Errorf("%q is specified twice", name))
		}
		seen[name] = true
	}
	return nil
}

// Run deletes.
func (o *DeleteOptions) Run(ctx context.Context) error {
	place, err := notebook.Find(ctx, o.base)
	if err != nil {
		return err
	}
	list, err := volumes.Read(ctx, place.Cluster, place.Namespace, volumes.Options{Fresh: true})
	if err != nil {
		return err
	}
	all, err := list.Find(place.Namespace, o.Names)
	if err != nil {
		return err
	}
	var refused []error
	for _, v := range all {
		if err := v.Deletable(); err != nil {
			refused = append(refused, err)
		}
	}
	if err := errors.Join(refused...); err != nil {
		return fmt.Errorf("%w; nothing was deleted", err)
	}
	w := o.base.ErrOut
	fmt.Fprintf(w, "In %s, these volumes will be deleted with all files in them:\n", place)
	var failed []error
	for _, v := range all {
		fmt.Fprintf(w, "  %s\n", describe(v, list.Time))
		if !o.Yes {
			yes, err := notebook.Ask(ctx, o.base, "Delete "+v.Name+"?", "--yes to delete them")
			if err != nil {
				return errors.Join(append(failed, err)...)
			}
			if !yes {
				fmt.Fprintf(w, "Kept: volume %s\n", v.Name)
				continue
			}
		}
		if err := volumes.Delete(ctx, place.Cluster, v); err != nil {
			failed = append(failed, err)
			continue
		}
		if _, err := fmt.Fprintf(o.base.Out, "persistentvolumeclaim/%s deleted\n", v.Name); err != nil {
			return err
		}
	}
	return errors.Join(failed...)
}

// describe is a volume in one line, for those who decide about it.
func describe(v *volumes.Volume, now time.Time) string {
	s := fmt.Sprintf("%s: %s, created %s ago", v.Name, v.Size.String(), show.Age(now.Sub(v.Created)))
	if owner, ok := v.Owner.Get(); ok && owner != "" {
		s += ", of " + owner
	}
	if d, ok := v.UnusedFor(now).Get(); ok {
		return s + fmt.Sprintf(", unused for %s (known from the %s)", show.Age(d), v.Source)
	}
	return s + ", unused for an unknown time"
}
