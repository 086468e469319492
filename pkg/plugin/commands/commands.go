// Package commands lists the commands: a new one costs its own package, and a line here.
package commands

import (
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/completion"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/expose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/identity"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/install"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/login"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/manifests"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook/access"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook/connect"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook/create"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook/data"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook/edit"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook/formcmd"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook/lifecycle"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook/list"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook/run"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook/volume"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/options"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/preflight"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/pull"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/status"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/supportbundle"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/top"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/uninstall"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/user"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/user/apply"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/user/share"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/user/token"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/version"
)

// New builds the command tree on the given streams.
func New(streams genericiooptions.IOStreams) *cobra.Command {
	return plugin.NewCommand(streams,
		preflight.New,
		install.New,
		install.NewUpgrade,
		uninstall.New,
		status.New,
		supportbundle.New,
		manifests.NewRender,
		manifests.NewImages(pull.New),
		manifests.NewComponents,
		top.New,
		version.New,
		login.New,
		expose.New,
		expose.NewPortForward,
		user.New(
			apply.New,
			share.NewShare,
			share.NewUnshare,
			token.New,
		),
		identity.New,
		notebook.New(
			create.New,
			list.New,
			access.NewWhy,
			access.NewURL,
			access.NewOpen,
			lifecycle.NewStart,
			lifecycle.NewStop,
			lifecycle.NewRestart,
			lifecycle.NewDelete,
			edit.New,
			volume.New,
			run.New,
			formcmd.New,
			connect.New,
			data.NewLogs,
			data.NewExec,
			data.NewCp,
		),
		completion.New,
		options.New,
	)
}
