package cli

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/bed"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/control"
)

func execCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "exec [--dir DIR] -- COMMAND ARGS...",
		Short: "Run a command inside of a bed's network",
		Long: `exec runs a command where cluster IPs and the IPs of simulated pods are
reachable, with KUBECONFIG set to the bed's. The command has the terminal's
files but no job control.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			running, err := bed.Dir(dir).Running()
			if err != nil {
				return err
			}
			if !running {
				return fmt.Errorf("no bed runs in %s: start one with `devcluster up --dir %s`", dir, dir)
			}
			abs, err := filepath.Abs(dir)
			if err != nil {
				return err
			}
			wd, err := os.Getwd()
			if err != nil {
				return err
			}
			signals := make(chan os.Signal, 4)
			signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
			defer signal.Stop(signals)
			code, err := control.Run(bed.Dir(abs).ControlSocket(), args, withKubeconfig(os.Environ(), bed.Dir(abs).Kubeconfig()), wd, signals)
			if err != nil {
				return err
			}
			if code != 0 {
				return exitError(code)
			}
			return nil
		},
	}
	c.Flags().SetInterspersed(false)
	dirFlag(c, &dir)
	return c
}

func withKubeconfig(env []string, file string) []string {
	var all []string
	for _, e := range env {
		if !strings.HasPrefix(e, "KUBECONFIG=") {
			all = append(all, e)
		}
	}
	return append(all, "KUBECONFIG="+file)
}
