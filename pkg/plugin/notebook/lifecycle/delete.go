package lifecycle

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// DeleteOptions are what is meant.
type DeleteOptions struct {
	options
	Volumes bool
}

// NewDelete is `notebook delete`.
func NewDelete(b *plugin.Base) *cobra.Command {
	f := &flags{}
	var volumes bool
	cmd := &cobra.Command{
		Use:     "delete NAME...",
		Aliases: []string{"rm"},
		GroupID: notebook.GroupManage,
		Short:   "Delete notebooks; volumes are kept unless --delete-volume is set",
		Long: `Delete notebooks. Their volumes are kept, and a new notebook can use them (--volume CLAIM).

With --delete-volume, the volumes that the notebooks mount are deleted as well, with all
files in them, except for those that another notebook mounts. What will be deleted, and
what is kept, is shown first.`,
		Example: plugin.Examples(`
			# Delete a notebook after a confirmation, and keep its volumes
			kubectl jupyter notebook delete lab

			# Delete a notebook with its volumes, and wait until it is gone
			kubectl jupyter notebook delete lab --delete-volume --wait

			# Delete two notebooks without a prompt
			kubectl jupyter notebook delete lab vision --yes`),
		Args:              notebook.Names,
		ValidArgsFunction: notebook.CompleteNames(b, 0),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.options(b, args)
			return plugin.Run(cmd, &DeleteOptions{o, volumes}, err)
		},
	}
	cmd.Flags().BoolVar(&volumes, "delete-volume", false, "If true, also delete the volumes of the notebooks, with all files in them")
	f.addYes(cmd)
	f.addWait(cmd, "gone")
	return cmd
}

// Run deletes.
func (o *DeleteOptions) Run(ctx context.Context) error {
	place, list, all, err := o.chosen(ctx)
	if err != nil {
		return err
	}
	w := o.base.ErrOut
	fmt.Fprintf(w, "In %s, %s will be deleted:\n", place, report.Count(len(all), "notebook"))
	o.losses(ctx, place, all)
	lost, kept := o.claims(list, all)
	if len(lost) > 0 {
		fmt.Fprintf(w, "Deleted with all files in them: volumes %s\n", plugin.List(lost))
	}
	for _, line := range kept {
		fmt.Fprintln(w, line)
	}
	if err := o.confirm(ctx, "--yes to delete them"); err != nil {
		return err
	}
	err = notebook.Each(all, func(n *notebooks.Notebook) error {
		if err := notebooks.Delete(ctx, place.Cluster, n); err != nil {
			return err
		}
		return o.say(n, "deleted")
	})
	if err != nil {
		return err
	}
	for _, claim := range lost {
		if err := notebooks.DeleteClaim(ctx, place.Cluster, place.Namespace, claim); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(o.base.Out, "persistentvolumeclaim/%s deleted\n", claim); err != nil {
			return err
		}
	}
	return o.await(ctx, place, all, gone, "is gone")
}

// claims are the volumes that go, and a line for each reason why others stay.
func (o *DeleteOptions) claims(list *notebooks.List, all []*notebooks.Notebook) (lost, kept []string) {
	var stay []string
	for _, n := range all {
		for _, claim := range n.Claims() {
			if slices.Contains(lost, claim) || slices.Contains(stay, claim) {
				continue
			}
			others := slices.DeleteFunc(list.Sharing(n, claim), func(name string) bool { return slices.Contains(o.Names, name) })
			switch {
			case o.Volumes && len(others) > 0:
				kept = append(kept, fmt.Sprintf("Kept: volume %s, which is also mounted by %s", claim, plugin.List(others)))
			case o.Volumes:
				lost = append(lost, claim)
			default:
				stay = append(stay, claim)
			}
		}
	}
	if len(stay) > 0 {
		kept = append(kept, fmt.Sprintf("Kept: volumes %s, with all files in them (--delete-volume deletes them)", plugin.List(stay)))
	}
	return lost, kept
}
