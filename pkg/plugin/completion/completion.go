package completion

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
)

func New(b *plugin.Base) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "completion",
		GroupID: plugin.GroupOther,
		Short:   "Set up shell completion for commands, flags and names",
		Long: `Set up shell completion for commands, flags and names.

To complete the arguments of a plugin, kubectl runs an executable on the PATH, here
kubectl_complete-jupyter. "completion install" writes it to the directory of the plugin.
After that, kubectl's own completion (bash, zsh, fish or PowerShell) also completes
kubectl jupyter.

Names of nodes, namespaces and users are completed if the cluster answers within a few
seconds.`,
		Example: plugin.Examples(`
			# Install the completion executable
			kubectl jupyter completion install

			# Load kubectl's own completion, if it is not set up yet, into bash or zsh
			source <(kubectl completion bash)
			source <(kubectl completion zsh)

			# The same for fish or PowerShell
			kubectl completion fish | source
			kubectl completion powershell | Out-String | Invoke-Expression`),
		Args: plugin.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCompletionInstallCommand(b))
	return cmd
}

func newCompletionInstallCommand(b *plugin.Base) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Install the completion executable next to the plugin",
		Long: `Install kubectl_complete-jupyter next to the plugin.

It is written to the directory on the PATH in which kubectl finds the plugin, such as that
of krew. The command can be run again at any time. To uninstall it, delete the file.`,
		Example: plugin.Examples(`
			# Install into the directory of the plugin
			kubectl jupyter completion install

			# Install into another directory on the PATH
			kubectl jupyter completion install --dir ~/.local/bin

			# Uninstall it
			rm "$(command -v kubectl_complete-jupyter)"`),
		Args: plugin.NoArgs,
		RunE: func(*cobra.Command, []string) error { return installCompletion(b.Out, dir, runtime.GOOS) },
	}
	cmd.Flags().StringVar(&dir, "dir", "", "Directory to write the file to; by default, the directory of the plugin")
	return cmd
}

// installCompletion writes the helper and prints its path.
func installCompletion(w io.Writer, dir, system string) error {
	if dir == "" {
		p, err := exec.LookPath("kubectl-jupyter")
		if err != nil {
			return errors.New("kubectl-jupyter is not on the PATH, so kubectl cannot find it: add its directory to the PATH, or set --dir to a directory on the PATH")
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
		return fmt.Errorf("%s already exists and was not written by kubectl jupyter: delete it, or use another --dir", path)
	}
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		return fmt.Errorf("--dir: %w", err)
	}
	if !slices.Contains(filepath.SplitList(os.Getenv("PATH")), filepath.Dir(path)) {
		return fmt.Errorf("%s was written, but its directory is not on the PATH, so kubectl cannot find it", path)
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
