package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/bed"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/network"
)

func dirFlag(c *cobra.Command, dir *string) {
	c.Flags().StringVar(dir, "dir", bed.DefaultDir(), "directory of the bed; $DEVCLUSTER_DIR sets the default")
}

func upCommand() *cobra.Command {
	var dir string
	var foreground, policies bool
	var nodes string
	var reg registryFlags
	var im imagesFlags
	cfg := bed.Config{NodeCount: 5, GPUNodes: 2, PodDelay: time.Second, MetricsServer: true, StandIns: true}
	c := &cobra.Command{
		Use:   "up",
		Short: "Start a bed and wait until it is ready",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg.Nodes = bed.NodesMode(nodes)
			if cfg.Nodes == bed.RealNodes && !c.Flags().Changed("node-count") {
				cfg.NodeCount = 0 // the real node is enough
			}
			if cfg.CertManager == "" {
				cfg.CertManager = besideUs("cert-manager")
			}
			if cfg.Server != "" {
				var err error
				if cfg.Server, err = filepath.Abs(cfg.Server); err != nil {
					return err
				}
			}
			if policies && cfg.Nodes != bed.RealNodes {
				return errors.New("--network-policies: no packet passes between simulated pods; take --nodes real")
			}
			if cfg.Nodes == bed.RealNodes {
				var err error
				if cfg.NetworkPolicies, err = prepareRealNode(c, &im, policies); err != nil {
					return err
				}
				cfg.Images, cfg.Release = im.dir, im.release
			}
			var err error
			if cfg.Registry, err = reg.options(c.Flags()); err != nil {
				return err
			}
			ready := func(s bed.State) {
				printState(c.OutOrStdout(), s)
				fmt.Fprintf(c.OutOrStdout(), "\nexport KUBECONFIG=%s\n", s.Kubeconfig)
			}
			return bed.Up(c.Context(), bed.Dir(dir), cfg, c.ErrOrStderr(), foreground, ready)
		},
	}
	dirFlag(c, &dir)
	f := c.Flags()
	f.StringVar(&nodes, "nodes", string(bed.SimulatedNodes), "what the nodes are: simulated, or real (root, containerd, Linux)")
	f.IntVar(&cfg.NodeCount, "node-count", cfg.NodeCount, "number of simulated nodes; with a real node, 0 by default")
	f.IntVar(&cfg.GPUNodes, "gpu-nodes", cfg.GPUNodes, "how many of the simulated nodes have GPUs")
	f.IntVar(&cfg.GPUs, "gpus", 0, "GPUs that the real node reports")
	f.DurationVar(&cfg.PodDelay, "pod-delay", cfg.PodDelay, "time until a simulated pod is Ready, as image pulls would take")
	f.BoolVar(&cfg.MetricsServer, "metrics-server", true, "start metrics-server")
	f.BoolVar(&cfg.StandIns, "stand-ins", true, "run processes that respond for simulated pods")
	f.StringVar(&cfg.CertManager, "cert-manager", "", "the real cert-manager's binary; by default the one next to devcluster")
	f.IntVar(&cfg.APIPort, "api-port", 0, "port of the API server on 127.0.0.1; 0 takes a free one")
	f.IntVar(&cfg.ProxyPort, "proxy-port", 0, "port of the HTTP proxy on 127.0.0.1; 0 takes a free one")
	f.StringSliceVar(&cfg.Controllers, "controllers", nil, "kube-controller-manager's flag of that name, such as *,-node-lifecycle-controller")
	f.StringVar(&cfg.EmulatedVersion, "emulated-version", "", "flag of that name of the control plane, such as 1.33: the APIs and features of an older version")
	f.StringSliceVar(&cfg.FeatureGates, "feature-gates", nil, "flag of that name of the control plane, such as DynamicResourceAllocation=true")
	f.StringSliceVar(&cfg.RuntimeConfig, "runtime-config", nil, "kube-apiserver's flag of that name, such as resource.k8s.io/v1beta1=true")
	f.StringVar(&cfg.Server, "server", "", "directory with kube-apiserver, kube-controller-manager and kube-scheduler of another version, to run instead of this program's")
	im.add(f)
	f.StringVar(&cfg.IPFamily, "ip-family", network.IPv4, "addresses that nodes, pods and Services have: ipv4, ipv6 or dual")
	f.StringVar(&cfg.Domain, "cluster-domain", "", "domain that ends the names of Services (default \""+network.DefaultDomain+"\")")
	f.StringVar(&cfg.Network, "network", "", "IPv4 network of the nodes, such as 192.168.108.0/22")
	f.StringVar(&cfg.PodSecurity, "pod-security", "", "level of Pod Security that namespaces without labels enforce: baseline or restricted; none when empty")
	f.StringVar(&cfg.Enforcer, "enforcer", "", "aks: change the selectors of webhooks as AKS does")
	f.StringVar(&cfg.LoadBalancer, "load-balancer", "", "servicelb: assign addresses of nodes to Services of type LoadBalancer as k3s does")
	f.BoolVar(&cfg.Unprovisioned, "storage-class-without-provisioner", false, "make the default StorageClass one whose driver is not installed")
	f.BoolVar(&cfg.SecondClass, "second-storage-class", false, "add a StorageClass that is not the default")
	reg.add(f)
	f.BoolVar(&policies, "network-policies", false, "enforce NetworkPolicies on the real node")
	f.BoolVar(&foreground, "foreground", false, "run in the foreground; the bed stops when this command exits")
	return c
}

// besideUs returns the path of a program in the directory of this one, ""
// when there is none.
func besideUs(name string) string {
	self, err := os.Executable()
	if err != nil {
		return ""
	}
	p := filepath.Join(filepath.Dir(self), name)
	if s, err := os.Stat(p); err != nil || s.IsDir() {
		return ""
	}
	return p
}

func downCommand() *cobra.Command {
	var dir string
	var o bed.DownOptions
	c := &cobra.Command{
		Use:   "down",
		Short: "Stop a bed and remove its files and processes",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.Out = c.OutOrStdout()
			return bed.Down(c.Context(), bed.Dir(dir), o)
		},
	}
	dirFlag(c, &dir)
	c.Flags().BoolVar(&o.KeepLogs, "keep-logs", false, "keep the logs")
	c.Flags().BoolVar(&o.Purge, "purge", false, "remove cached images too")
	return c
}

func statusCommand() *cobra.Command {
	var dir, output string
	c := &cobra.Command{
		Use:   "status",
		Short: "Show whether a bed runs and what in it is real, simulated or a stand-in",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			running, err := bed.Dir(dir).Running()
			if err != nil {
				return err
			}
			s, err := bed.Dir(dir).ReadState()
			if err != nil {
				return fmt.Errorf("no bed in %s: start one with `devcluster up --dir %s`", dir, dir)
			}
			if !running && s.Phase != bed.Failed {
				s.Phase, s.Error = bed.Failed, "its process is gone; `devcluster down` cleans up"
			}
			switch output {
			case "json":
				e := json.NewEncoder(c.OutOrStdout())
				e.SetIndent("", "  ")
				err = e.Encode(s)
			case "":
				printState(c.OutOrStdout(), s)
			default:
				return fmt.Errorf("-o %q: only json is known", output)
			}
			if err == nil && s.Phase != bed.Ready {
				return exitError(1)
			}
			return err
		},
	}
	dirFlag(c, &dir)
	c.Flags().StringVarP(&output, "output", "o", "", "json")
	return c
}

func printState(out io.Writer, s bed.State) {
	fmt.Fprintf(out, "bed         %s", s.Phase)
	if s.ReadyAfter != "" {
		fmt.Fprintf(out, " (after %s)", s.ReadyAfter)
	}
	if s.Error != "" {
		fmt.Fprintf(out, ": %s", s.Error)
	}
	fmt.Fprintf(out, "\nkubeconfig  %s\nserver      %s\nproxy       %s (HTTP proxy to cluster IPs and names such as NAME.NAMESPACE.svc)\n", s.Kubeconfig, s.Server, s.Proxy)
	if r := s.Registry; r != nil {
		fmt.Fprintf(out, "registry    %s, to push to: %s, CA %s\n", r.URL, r.Mirror, r.CA)
	}
	if len(s.Parts) == 0 {
		return
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PART\tIS\tVERSION\tNOTE")
	for _, p := range s.Parts {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", p.Name, p.Kind, p.Version, p.Note)
	}
	_ = w.Flush()
}

func runCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:    bed.RunCommand,
		Short:  "The bed itself; `devcluster up` calls it",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   func(c *cobra.Command, _ []string) error { return bed.Run(c.Context(), bed.Dir(dir)) },
	}
	dirFlag(c, &dir)
	return c
}
