package plugin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// completionTimeout bounds what a person waits for after the Tab key.
const completionTimeout = 2 * time.Second

func newCompletionCommand(b *base) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "completion",
		GroupID: groupOther,
		Short:   "Complete commands, flags and names with the Tab key",
		Long: `Complete commands, flags and names with the Tab key.

kubectl completes a plugin through a program of the name kubectl_complete-jupyter that
lies on PATH. "completion install" puts it beside the plugin; from then on the shell
that completes kubectl completes kubectl jupyter too: bash, zsh, fish and PowerShell.

Where the cluster answers within two seconds, its nodes, namespaces and people are
offered by name.`,
		Example: examples(`
			# Once
			kubectl jupyter completion install

			# kubectl's own completion, where it is not set up yet: bash, zsh
			source <(kubectl completion bash)
			source <(kubectl completion zsh)

			# fish, PowerShell
			kubectl completion fish | source
			kubectl completion powershell | Out-String | Invoke-Expression`),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCompletionInstallCommand(b))
	return cmd
}

func newCompletionInstallCommand(b *base) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Put the helper beside the plugin, where kubectl looks for it",
		Long: `Put kubectl_complete-jupyter beside the plugin, where kubectl looks for it.

The folder is the one on PATH in which kubectl finds the plugin; krew's, for example. It
can be run again at any time. To take it back, delete the file.`,
		Example: examples(`
			# Beside the plugin
			kubectl jupyter completion install

			# Into another folder on PATH
			kubectl jupyter completion install --dir ~/.local/bin

			# Take it back
			rm "$(command -v kubectl_complete-jupyter)"`),
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return installCompletion(b.Out, dir, runtime.GOOS) },
	}
	cmd.Flags().StringVar(&dir, "dir", "", "`Folder` to put it into, instead of the plugin's own")
	return cmd
}

// installCompletion writes the helper and prints its path.
func installCompletion(w io.Writer, dir, system string) error {
	if dir == "" {
		p, err := exec.LookPath("kubectl-jupyter")
		if err != nil {
			return errors.New("kubectl-jupyter is not on PATH, so kubectl does not find it either: put it there, or name a folder on PATH with --dir")
		}
		// The folder and not what a link in it leads to: krew's versions come and go.
		dir = filepath.Dir(p)
	}
	name, content := completionHelper(system)
	path, err := filepath.Abs(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	if old, err := os.ReadFile(path); err == nil && !bytes.Contains(old, []byte("kubectl-jupyter __complete")) {
		return fmt.Errorf("%s: there is such a file, and it is not this program's: delete it, or choose another --dir", path)
	}
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		return fmt.Errorf("--dir: %w", err)
	}
	if !slices.Contains(filepath.SplitList(os.Getenv("PATH")), filepath.Dir(path)) {
		return fmt.Errorf("%s is written, but its folder is not on PATH, so kubectl will not find it", path)
	}
	_, err = fmt.Fprintln(w, path)
	return err
}

// completionHelper is the program that kubectl asks: it gets what was typed after
// "kubectl jupyter", and answers as cobra's hidden command __complete does.
func completionHelper(system string) (name, content string) {
	if system == "windows" {
		return "kubectl_complete-jupyter.cmd", "@echo off\r\nkubectl-jupyter __complete %*\r\n"
	}
	return "kubectl_complete-jupyter", "#!/bin/sh\nexec kubectl-jupyter __complete \"$@\"\n"
}

// completeNames offers what the cluster has of a kind, for a flag or an argument. What
// cannot be read in time is not offered: nobody wants an error in the middle of a line.
func (b *base) completeNames(resource schema.GroupVersionResource, namespaced bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		ctx := cmd.Context()
		if ctx == nil {
			return nil, cobra.ShellCompDirectiveNoFileComp // a command that nobody has started
		}
		ctx, cancel := context.WithTimeout(ctx, completionTimeout)
		defer cancel()
		return without(b.names(ctx, resource, namespaced), args), cobra.ShellCompDirectiveNoFileComp
	}
}

func (b *base) names(ctx context.Context, resource schema.GroupVersionResource, namespaced bool) []string {
	if b.checkConfig() != nil {
		return nil
	}
	config, err := b.config.ToRESTConfig()
	if err != nil {
		return nil
	}
	// Names alone, without their objects, and without asking what kinds there are.
	client, err := metadata.NewForConfig(metadata.ConfigFor(config))
	if err != nil {
		return nil
	}
	var namespace string
	if namespaced {
		if namespace, _, err = b.config.ToRawKubeConfigLoader().Namespace(); err != nil {
			return nil
		}
	}
	list, err := client.Resource(resource).Namespace(namespace).List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return nil
	}
	names := make([]string, 0, len(list.Items))
	for _, i := range list.Items {
		names = append(names, i.Name)
	}
	slices.Sort(names)
	return names
}

// completeConfig completes the flags that kubectl has too.
func (b *base) completeConfig(root *cobra.Command) {
	namespaces := schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	for flag, f := range map[string]cobra.CompletionFunc{
		"namespace": func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
			return b.completeNames(namespaces, false)(cmd, nil, typed)
		},
		"context": b.completeKubeconfig(func(c *clientcmdapi.Config) []string { return slices.Collect(maps.Keys(c.Contexts)) }),
		"cluster": b.completeKubeconfig(func(c *clientcmdapi.Config) []string { return slices.Collect(maps.Keys(c.Clusters)) }),
		"user":    b.completeKubeconfig(func(c *clientcmdapi.Config) []string { return slices.Collect(maps.Keys(c.AuthInfos)) }),
	} {
		// The only error is a flag that does not exist: a mistake in the program.
		if err := root.RegisterFlagCompletionFunc(flag, f); err != nil {
			panic(err)
		}
	}
}

func (b *base) completeKubeconfig(names func(*clientcmdapi.Config) []string) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		raw, err := b.config.ToRawKubeConfigLoader().RawConfig()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		all := names(&raw)
		slices.Sort(all)
		return all, cobra.ShellCompDirectiveNoFileComp
	}
}
