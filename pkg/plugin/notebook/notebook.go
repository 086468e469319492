// Package notebook is the command `notebook`, and what its verbs share: in which namespace
// they work, names of notebooks as arguments, what they say of several. The verbs are in
// packages below it, and none knows another; package commands lists them.
package notebook

import (
	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
)

// Groups of verbs in the help.
const (
	// GroupManage makes, shows, starts and deletes notebooks.
	GroupManage = "manage"
	// GroupWork works in a notebook, or with what is in it.
	GroupWork = "work"
	// GroupSettings is about what notebooks are made of.
	GroupSettings = "settings"
)

// New makes the command with its verbs. A verb sets its GroupID.
func New(verbs ...plugin.Verb) plugin.Verb {
	return func(b *plugin.Base) *cobra.Command {
		cmd := &cobra.Command{
			Use:     "notebook",
			Aliases: []string{"notebooks", "nb"},
			GroupID: plugin.GroupNotebooks,
			Short:   "Create, list, start, stop and use notebooks",
			Long: `Create, list, start, stop and use notebooks.

The commands work in the namespace that -n specifies; without it, in the namespace of the
kubeconfig's context if it belongs to a Profile, or else in the only namespace of a Profile
in which you are allowed to create notebooks. They use the permissions of the kubectl user;
docs/rbac/notebook-user.yaml has them, and notebook-work.yaml beside it those that run needs.`,
			Example: plugin.Examples(`
				# Create a notebook with one GPU, and wait until it answers
				kubectl jupyter notebook create lab --gpu 1

				# List the notebooks of all namespaces, with what is wrong with them
				kubectl jupyter notebook list -A

				# Show why a notebook does not start
				kubectl jupyter notebook why lab

				# Show what runs in a notebook, and stop it after a confirmation
				kubectl jupyter notebook stop lab`),
			RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
			Args: func(cmd *cobra.Command, args []string) error {
				if len(args) == 0 {
					return nil
				}
				return plugin.UnknownCommand(cmd, args[0])
			},
		}
		cmd.AddGroup(
			&cobra.Group{ID: GroupManage, Title: "Commands for Notebooks:"},
			&cobra.Group{ID: GroupWork, Title: "Commands for Work in Notebooks:"},
			&cobra.Group{ID: GroupSettings, Title: "Commands for Settings:"},
		)
		for _, v := range verbs {
			cmd.AddCommand(v(b))
		}
		return cmd
	}
}
