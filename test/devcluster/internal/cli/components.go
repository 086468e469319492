package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	kubectlcmd "k8s.io/kubectl/pkg/cmd"
	kubeproxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
	metricsserver "sigs.k8s.io/metrics-server/cmd/metrics-server/app"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/bed"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/kubeversion"
)

// components are Kubernetes programs that a bed runs as processes of their
// own, with their own flags.
var components = map[string]func(ctx context.Context, args []string, restore func()) error{
	"metrics-server": func(ctx context.Context, args []string, _ func()) error {
		return execute(ctx, metricsserver.NewMetricsServerCommand(ctx.Done()), args)
	},
	"kubelet": func(ctx context.Context, args []string, _ func()) error {
		return execute(ctx, kubelet.NewKubeletCommand(ctx), args)
	},
	"kube-proxy": func(ctx context.Context, args []string, restore func()) error {
		restore() // it takes no context: the default action of a signal ends it
		return execute(ctx, kubeproxy.NewProxyCommand(), args)
	},
}

func execute(ctx context.Context, c *cobra.Command, args []string) error {
	if err := kubeversion.Stamp(); err != nil {
		return err
	}
	c.SetArgs(args)
	return c.ExecuteContext(ctx)
}

// kubectl runs the kubectl of this binary against a bed.
func kubectl(args []string) error {
	dir, rest, err := kubectlArgs(args)
	if err != nil {
		return err
	}
	if len(rest) == 1 && (rest[0] == "--help" || rest[0] == "-h") && dir == "" {
		return kubectlHelp().Help()
	}
	if dir == "" {
		dir = bed.DefaultDir()
	}
	file := bed.Dir(dir).Kubeconfig()
	if _, err := os.Stat(file); err != nil {
		return fmt.Errorf("no bed in %s: start one with `devcluster up --dir %s`", dir, dir)
	}
	if file, err = filepath.Abs(file); err != nil {
		return err
	}
	if err := os.Setenv("KUBECONFIG", file); err != nil {
		return err
	}
	if err := kubeversion.Stamp(); err != nil {
		return err
	}
	// kubectl finds its plugins and names itself by os.Args.
	os.Args = append([]string{"kubectl"}, rest...)
	c := kubectlcmd.NewDefaultKubectlCommand()
	c.SetArgs(rest)
	return c.Execute()
}

// kubectlArgs takes devcluster's own flag from the front; all that follows,
// after "--" or from the first other argument on, is kubectl's.
func kubectlArgs(args []string) (dir string, rest []string, err error) {
	for len(args) > 0 {
		switch a := args[0]; {
		case a == "--":
			return dir, args[1:], nil
		case a == "--dir":
			if len(args) < 2 {
				return "", nil, fmt.Errorf("--dir needs a directory")
			}
			dir, args = args[1], args[2:]
		case strings.HasPrefix(a, "--dir="):
			dir, args = strings.TrimPrefix(a, "--dir="), args[1:]
		default:
			return dir, args, nil
		}
	}
	return dir, nil, nil
}

func kubectlHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "kubectl [--dir DIR] [--] ARGS...",
		Short: "Run kubectl against a bed",
		Run:   func(*cobra.Command, []string) {}, // Main runs it before cobra sees it
	}
}
