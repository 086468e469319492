// Package plugin is the command line's root, and what all commands share: the streams,
// the connection, exit codes, progress, flags that several have. The commands are in
// packages below it, one for each verb, and none knows another; package commands lists
// them. Each is a thin face on an engine: Flags hold what was typed, ToOptions turns
// them into what is meant, Run does it.
package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/klog/v2"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/version"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// Groups of commands in the help.
const (
	GroupStack     = "stack"
	GroupAccess    = "access"
	GroupNotebooks = "notebooks"
	GroupUse       = "use"
	GroupManifests = "manifests"
	GroupOther     = "other"
)

// Base is what every command has: the streams, the way to a cluster, the manifests.
type Base struct {
	genericiooptions.IOStreams
	Config *genericclioptions.ConfigFlags
}

// Verb makes a command that hangs below the root.
type Verb func(*Base) *cobra.Command

// NewCommand builds the root on the given streams, with the verbs below it.
func NewCommand(streams genericiooptions.IOStreams, verbs ...Verb) *cobra.Command {
	b := &Base{IOStreams: streams, Config: genericclioptions.NewConfigFlags(true)}
	var verbosity int
	root := &cobra.Command{
		Use:   "kubectl-jupyter",
		Short: "Install and operate Jupyter notebooks on Kubernetes",
		Long: `Install and operate Jupyter notebooks on Kubernetes, from an empty cluster to the first login.

Getting started:
  kubectl jupyter preflight    Check whether the stack can be installed, without changing anything
  kubectl jupyter install      Install the stack; when run again, change only what differs
  kubectl jupyter expose       Assign an external address; with --tls, enable HTTPS
  kubectl jupyter login-url    Print the URL to log in at; with --check, test each hop to it

Day-to-day use:
  kubectl jupyter status       Show whether the stack works, and if not, the causes and remedies
  kubectl jupyter user add     Add a user
  kubectl jupyter notebook     Create, list, start, stop and use notebooks
  kubectl jupyter top          Show which nodes have free GPUs, and who uses the others`,
		// kubectl runs the program under its file name; people type this.
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl jupyter"},
		SilenceErrors: true,
		SilenceUsage:  true,
		CompletionOptions: cobra.CompletionOptions{
			DisableDefaultCmd: true,
		},
		PersistentPreRunE: func(*cobra.Command, []string) error { return setVerbosity(verbosity) },
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cmd.Help(); err != nil {
				return err
			}
			b.here(cmd.Context())
			return nil
		},
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return UnknownCommand(cmd, args[0])
		},
	}
	root.SetOut(streams.Out)
	root.SetErr(streams.ErrOut)
	root.SetIn(streams.In)
	b.Config.AddFlags(root.PersistentFlags())
	root.PersistentFlags().IntVarP(&verbosity, "v", "v", 0, "Number for the log level verbosity of the Kubernetes client: 6 logs requests, 7 also their headers; bodies are never logged")
	root.SetFlagErrorFunc(UsageError)
	root.AddGroup(
		&cobra.Group{ID: GroupStack, Title: "Stack Commands:"},
		&cobra.Group{ID: GroupAccess, Title: "Access Commands:"},
		&cobra.Group{ID: GroupNotebooks, Title: "Notebook Commands:"},
		&cobra.Group{ID: GroupUse, Title: "Resource Usage Commands:"},
		&cobra.Group{ID: GroupManifests, Title: "Manifest Commands:"},
		&cobra.Group{ID: GroupOther, Title: "Other Commands:"},
	)
	root.SetHelpCommandGroupID(GroupOther)
	for _, v := range verbs {
		root.AddCommand(v(b))
	}
	b.completeConfig(root)
	setUsage(root)
	return root
}

func UnknownCommand(cmd *cobra.Command, name string) error {
	err := fmt.Errorf("unknown command %q for %q", name, cmd.CommandPath())
	cmd.SuggestionsMinimumDistance = 2
	if s := cmd.SuggestionsFor(name); len(s) > 0 {
		err = fmt.Errorf("%w: did you mean %s?", err, strings.Join(s, " or "))
	}
	return UsageError(cmd, err)
}

// maxVerbosity is the highest level at which client-go logs no bodies. They hold the
// generated secrets, and logs get kept and pasted.
const maxVerbosity = 7

// setVerbosity keeps the client library quiet unless somebody asks: its own lines
// would come between ours and say in other words what our errors say.
func setVerbosity(v int) error {
	if v <= 0 {
		klog.SetLogger(logr.Discard())
		return nil
	}
	var level klog.Level
	return level.Set(fmt.Sprint(min(v, maxVerbosity)))
}

// Source is where the manifests come from, for who does not know what is installed.
func (b *Base) Source() (*components.Files, error) {
	return components.NewEmbedded(components.DefaultRelease)
}

// Connect reaches the cluster that the flags and the kubeconfig name. Warnings of
// the API server go to w.
func (b *Base) Connect(ctx context.Context, w io.Writer) (*cluster.Cluster, error) {
	if err := b.checkConfig(); err != nil {
		return nil, err
	}
	return cluster.Connect(ctx, b.Config, cluster.Options{
		Context: *b.Config.Context, ClusterName: *b.Config.ClusterName,
		UserAgent: version.Get().Tooling(), Warnings: w,
	})
}

// checkConfig refuses a configuration that names no cluster. client-go would try
// localhost:8080, where nobody has been listening for years.
func (b *Base) checkConfig() error {
	raw, err := b.Config.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		return fmt.Errorf("kubeconfig: %w", err)
	}
	inCluster := os.Getenv("KUBERNETES_SERVICE_HOST") != "" && os.Getenv("KUBERNETES_SERVICE_PORT") != ""
	if *b.Config.APIServer != "" || inCluster || os.Getenv("KUBERNETES_MASTER") != "" {
		return nil
	}
	name := raw.CurrentContext
	if *b.Config.Context != "" {
		name = *b.Config.Context
	}
	known := make([]string, 0, len(raw.Contexts))
	for n := range raw.Contexts {
		known = append(known, n)
	}
	switch c, ok := raw.Contexts[name]; {
	case len(raw.Contexts) == 0 && len(raw.Clusters) == 0:
		return errors.New("no cluster is configured: there is no kubeconfig, or it is empty; specify one with --kubeconfig or KUBECONFIG")
	case name == "" && *b.Config.ClusterName != "":
		return nil
	case name == "":
		return fmt.Errorf("the kubeconfig has no current context: choose one with --context: %s", List(known))
	case !ok:
		return fmt.Errorf("--context: the kubeconfig has no context %q: the contexts are %s", name, List(known))
	case *b.Config.ClusterName == "" && raw.Clusters[c.Cluster] == nil:
		return fmt.Errorf("kubeconfig: context %q refers to cluster %q, which is not defined: use another --context, or specify a --cluster", name, c.Cluster)
	}
	return nil
}

func StyleFor(w io.Writer) view.Style { return view.StyleFor(w, os.Getenv) }
