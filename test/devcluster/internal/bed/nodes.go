package bed

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/apply"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/kubeversion"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/kwok"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/process"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/services"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/volumes"
)

// startNodes starts the nodes and what makes their pods useful, and waits
// until the nodes are Ready.
func (r *runner) startNodes(ctx, parts context.Context) (stops []func(), err error) {
	applier, err := apply.New(r.cluster)
	if err != nil {
		return nil, err
	}
	if err := r.startLikeness(ctx, parts, applier); err != nil {
		return nil, err
	}
	nodes := 0
	if r.cfg.NodeCount > 0 {
		if err := r.startKwok(ctx, parts); err != nil {
			return nil, err
		}
		nodes += r.cfg.NodeCount
	}
	if r.cfg.Nodes == SimulatedNodes {
		r.goRun(parts, "volumes of simulated pods", func(ctx context.Context) error {
			return volumes.Run(ctx, r.client, SimulatedProvisioner)
		})
		r.part("volumes", Simulated, "", "every claim of a class of the bed's provisioner is bound, nothing is stored; a pod waits for its Secrets, ConfigMaps and claims")
		proxy := services.New(r.client, r.network.Addresses)
		r.goRun(parts, "service proxy", proxy.Run)
		r.part("cluster IPs", StandIn, "", "a proxy in the bed's process in the place of kube-proxy: TCP only")
	}
	if r.cfg.Registry != nil {
		if err := r.startRegistry(parts); err != nil {
			return nil, err
		}
	}
	r.goRun(parts, "HTTP proxy", func(ctx context.Context) error {
		return services.ServeProxy(ctx, r.proxy, r.client, r.network.Domain, r.names)
	})
	if r.cfg.MetricsServer {
		if err := r.startMetricsServer(parts, applier); err != nil {
			return nil, err
		}
	}
	if r.cfg.Nodes == RealNodes {
		stop, err := r.startRealNode(ctx, parts)
		if stop != nil {
			stops = append(stops, stop)
		}
		if err != nil {
			return stops, err
		}
		nodes++
	}
	if err := r.startBehaviours(ctx, parts); err != nil {
		return stops, err
	}
	r.serveControl(parts)
	if err := r.nodesReady(ctx, nodes); err != nil {
		return stops, err
	}
	return stops, r.namespaceReady(ctx)
}

func (r *runner) startKwok(ctx, parts context.Context) error {
	nodes, err := kwok.Nodes(r.cfg.simulated(r.network))
	if err != nil {
		return err
	}
	for _, u := range nodes {
		var n corev1.Node
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &n); err != nil {
			return err
		}
		// Created, not applied: only then may it carry a status.
		if _, err := r.client.CoreV1().Nodes().Create(ctx, &n, metav1.CreateOptions{FieldManager: apply.FieldManager}); err != nil {
			return fmt.Errorf("create Node %s: %w", n.Name, err)
		}
	}
	r.goRun(parts, "kwok", func(ctx context.Context) error {
		return kwok.Run(ctx, kwok.Config{
			File: r.dir.Path("kwok.yaml"), Kubeconfig: r.dir.internalKubeconfig(), PKI: r.pki,
			PodCIDR: r.network.Pods[0].String(), NodeIP: r.network.Addresses[0].String(), PodDelay: r.cfg.PodDelay,
		})
	})
	r.part("nodes", Simulated, "kwok "+kubeversion.Of(kubeversion.Kwok), fmt.Sprintf(
		"%d nodes, %d of them with GPUs; no container runs: a pod is Ready %s after its volumes are there",
		r.cfg.NodeCount, min(r.cfg.GPUNodes, r.cfg.NodeCount), r.cfg.PodDelay))
	r.say("%d simulated nodes", r.cfg.NodeCount)
	return nil
}

const metricsPort = 4443

func (r *runner) startMetricsServer(parts context.Context, applier *apply.Applier) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	k, address, family := r.dir.internalKubeconfig(), r.network.Addresses[0], "IPv4"
	if address.Is6() {
		family = "IPv6"
	}
	cmd := exec.Command(self, "metrics-server",
		"--kubeconfig="+k, "--authentication-kubeconfig="+k, "--authorization-kubeconfig="+k,
		"--bind-address="+address.String(), fmt.Sprintf("--secure-port=%d", metricsPort),
		"--cert-dir="+r.dir.Path("metrics-server"),
		"--kubelet-insecure-tls", "--kubelet-use-node-status-port", "--kubelet-preferred-address-types=InternalIP",
		// The time-out has to be below the resolution.
		"--metric-resolution=10s", "--kubelet-request-timeout=5s")
	child, err := process.Start(parts, cmd, process.Options{
		Name: "metrics-server", Book: r.dir.Book(), Log: r.dir.Log("metrics-server"),
		Grace: time.Second,
	}) // it keeps nothing
	if err != nil {
		return err
	}
	r.goRun(parts, "metrics-server", func(context.Context) error { return child.Wait() })
	objects := strings.NewReplacer("ADDRESS", address.String(), "FAMILY", family, "PORT", strconv.Itoa(metricsPort)).Replace(metricsObjects)
	if err := applier.Text(parts, []byte(objects)); err != nil {
		return err
	}
	r.part("metrics-server", Real, kubeversion.Of(kubeversion.MetricsServer),
		"a process beside the cluster; figures of simulated pods come from their annotations kwok.x-k8s.io/usage-cpu and usage-memory")
	return nil
}

// closeOnExec keeps an inherited file from this process's children.
func closeOnExec(fd int) { syscall.CloseOnExec(fd) }

// hostUID is the user that this process is outside of its user namespace.
func hostUID() int {
	b, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return os.Getuid()
	}
	if f := strings.Fields(string(b)); len(f) >= 2 {
		if uid, err := strconv.Atoi(f[1]); err == nil {
			return uid
		}
	}
	return os.Getuid()
}

// join copies both ways until both sides have ended.
func join(a, b net.Conn) { services.Join(a, b) }
