// Package cli is the command line of devcluster.
package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Main runs the command line and returns the exit code. restore gives
// signals their default actions back, for components that handle their own.
func Main(ctx context.Context, args []string, restore func()) int {
	// These take all of their arguments themselves.
	if len(args) > 1 {
		if run, ok := components[args[1]]; ok {
			return exitCode(run(ctx, args[2:], restore))
		}
		if args[1] == "kubectl" {
			restore()
			return exitCode(kubectl(args[2:]))
		}
	}
	root := &cobra.Command{
		Use:   "devcluster",
		Short: "A Kubernetes control plane and nodes in one binary, for tests",
		Long: `devcluster runs etcd, kube-apiserver, kube-controller-manager and
kube-scheduler, the real ones, in one process, in a network of its own. Its
nodes are simulated, or one is real (--nodes real, as root). Several beds run
side by side, each in its own directory.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	// The components register a flag for all programs that they are linked into.
	if f := pflag.CommandLine.Lookup("version"); f != nil {
		f.Hidden = true
	}
	root.AddCommand(upCommand(), downCommand(), statusCommand(), execCommand(), kubectlHelp(), runCommand(), imagesCommand(), runNodeCommand())
	root.SetArgs(args[1:])
	return exitCode(root.ExecuteContext(ctx))
}

// exitError carries the exit code of a command that was run for somebody.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func exitCode(err error) int {
	var code exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	}
	fmt.Fprintln(os.Stderr, "devcluster:", err)
	return 1
}
