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
		Short:   "Complete commands, flags and names with the Tab key",
		Long: `Complete commands, flags and names with the Tab key.

kubectl completes a plugin through a program of the name kubectl_complete-jupyter that
lies on PATH. "completion install" puts it beside the plugin; from then on the shell
that completes kubectl completes kubectl jupyter too: bash, zsh, fish and PowerShell.

Where the cluster answers within two seconds, its nodes, namespaces and people are
offered by name.`,
		Example: plugin.Examples(`
			# Once
			kubectl jupyter completion install

			# kubectl's own completion, where it is not set up yet: bash, zsh
			source <(kubectl completion bash)
			source <(kubectl completion zsh)

			# fish, PowerShell
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
		Short: "Put the helper beside the plugin, where kubectl looks for it",
		Long: `Put kubectl_complete-jupyter beside the plugin, where kubectl looks for it.

The folder is the one on PATH in which kubectl finds the plugin; krew's, for example. It
can be run again at any time. To take it back, delete the file.`,
		Example: plugin.Examples(`
			# Beside the plugin
			kubectl jupyter completion install

			# Into another folder on PATH
			kubectl jupyter completion install --dir ~/.local/bin

			# Take it back
			rm "$(command -v kubectl_complete-jupyter)"`),
		Args: plugin.NoArgs,
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
