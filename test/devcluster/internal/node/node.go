// Package node is a real Kubernetes node: containerd, runc, kubelet and
// kube-proxy, with cluster DNS and a default StorageClass, on the machine
// that the bed runs on.
//
// Its processes live in a process and a mount namespace of their own, in the
// network namespace of the caller. When its first process ends, for whatever
// reason, the kernel ends all of the node's containers and drops all of its
// mounts. What the kernel does not undo, a few settings of the machine and
// empty control groups, CleanUp does.
package node

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	watchtools "k8s.io/client-go/tools/watch"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/apply"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/images"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/network"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/process"
)

const readyTimeout = time.Minute

//go:embed objects.yaml
var objects string

// Config says what to start and where.
type Config struct {
	// Dir is the node's directory, Cache the one for images, which outlives it.
	Dir, Cache string
	// Logs is the directory of its log files.
	Logs string
	// Name is the Node's name.
	Name string
	// Network is the bed's: its addresses are those of the node.
	Network *network.Network
	// Kubeconfig is an administrator's kubeconfig, ClientCA the certificate
	// authority of clients that the kubelet accepts.
	Kubeconfig, ClientCA string
	// Images are put into containerd, unless there is a registry to pull them from.
	Images   []images.Archive
	Registry *Registry
	// GPUs is the number of nvidia.com/gpu that the Node says it has.
	GPUs int
	// NetworkPolicies is the program that enforces them; nobody does when empty.
	NetworkPolicies string
	// CNIDirs gives the node /opt/cni/bin and /etc/cni/net.d of its own, for
	// pods that install a plugin there.
	CNIDirs bool
	// Book records the node's first process.
	Book process.Book
	// Say tells of progress; it may be nil.
	Say func(format string, args ...any)
}

// Registry is what a node has to know to pull its images.
type Registry struct {
	// Certs is the directory of containerd's hosts configurations, which name the file CA.
	Certs, CA string
	// Hosts is the node's file of host names.
	Hosts string
	// Disk is how much room there is for images, in bytes; as much as the machine has when 0.
	Disk int64
}

// Node is a running node.
type Node struct {
	cfg    Config
	child  *process.Child
	cancel context.CancelFunc
	failed chan error
}

// Up starts a real node and returns when it is Ready, cluster DNS answers and
// all images are there. The node lives until Down is called or life ends; ctx
// bounds the start alone.
func Up(life, ctx context.Context, cfg Config) (*Node, error) {
	t, err := findTools(thisHost())
	if err != nil {
		return nil, err
	}
	if cfg.Say == nil {
		cfg.Say = func(string, ...any) {}
	}
	l := layout{dir: cfg.Dir, cache: cfg.Cache}
	certs := ""
	if cfg.Registry != nil {
		l.cache, certs = l.path("images"), cfg.Registry.Certs // nothing of an earlier bed
	}
	pluginDir := t.pluginDir
	if cfg.CNIDirs {
		if err := copyPlugins(t.pluginDir, l.cniBin()); err != nil {
			return nil, err
		}
		pluginDir = cniBin
	}
	if err := l.writeAll(values{
		Dir: cfg.Dir, Socket: l.socket(), ContainerdRoot: l.containerdRoot(), PluginDir: pluginDir,
		ClientCA: cfg.ClientCA, ResolvConf: l.path("resolv.conf"), Network: cfg.Network,
		Kubeconfig: cfg.Kubeconfig, Name: cfg.Name, PauseImage: images.PauseImage, Certs: certs,
	}); err != nil {
		return nil, err
	}
	if err := saveSysctls(procSys, l.sysctls()); err != nil {
		return nil, err
	}
	rc, err := clientcmd.BuildConfigFromFlags("", cfg.Kubeconfig)
	if err != nil {
		return nil, err
	}
	rc.QPS = -1
	client, err := kubernetes.NewForConfig(rc)
	if err != nil {
		return nil, err
	}

	life, cancel := context.WithCancel(life)
	n := &Node{cfg: cfg, cancel: cancel, failed: make(chan error, 2)}
	if err := n.start(life, l, t); err != nil {
		cancel()
		return nil, err
	}
	if err := n.finish(life, ctx, l, t, rc, client); err != nil {
		return nil, errors.Join(err, n.Down(context.WithoutCancel(ctx)))
	}
	return n, nil
}

// start starts the node's processes.
func (n *Node) start(ctx context.Context, l layout, t tools) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	log := func(name string) string { return filepath.Join(n.cfg.Logs, name+".log") }
	plan := Plan{
		Keep:   []string{n.cfg.Dir, n.cfg.Cache, n.cfg.Logs, filepath.Dir(n.cfg.Kubeconfig), filepath.Dir(n.cfg.ClientCA)},
		Socket: l.socket(),
		Processes: []Program{
			{Name: "containerd", Path: t.containerd, Log: log("containerd"), Args: []string{"--config", l.path("containerd.toml"), "--log-level", "warn"}},
			// A process finds its own program there, even where its path is hidden from the node.
			{Name: "kube-proxy", Path: "/proc/self/exe", Log: log("kube-proxy"), Args: []string{
				"kube-proxy",
				"--config=" + l.path("kube-proxy.yaml"),
			}},
			{Name: "kubelet", Path: "/proc/self/exe", Log: log("kubelet"), NeedsRuntime: true, Args: []string{
				"kubelet",
				"--config=" + l.path("kubelet.yaml"), "--kubeconfig=" + n.cfg.Kubeconfig, "--root-dir=" + l.path("kubelet"),
				"--cert-dir=" + l.path("kubelet", "pki"), "--hostname-override=" + n.cfg.Name, "--node-ip=" + network.Join(n.cfg.Network.Addresses),
				"--node-labels=devcluster.test/node=real",
			}},
		},
	}
	if n.cfg.NetworkPolicies != "" {
		plan.Keep = append(plan.Keep, filepath.Dir(n.cfg.NetworkPolicies))
		plan.Processes = append(plan.Processes, Program{
			Name: "network-policies", Path: n.cfg.NetworkPolicies, Log: log("network-policies"),
			Args: []string{"--kubeconfig=" + n.cfg.Kubeconfig, "--node=" + n.cfg.Name, "--pods=" + n.cfg.Network.PodsOfReal[0].String()},
		})
	}
	if r := n.cfg.Registry; r != nil {
		plan.Keep = append(plan.Keep, filepath.Dir(r.CA))
		plan.Hosts = r.Hosts
		plan.Disk = Disk{Path: l.containerdRoot(), Size: r.Disk}
	}
	if n.cfg.CNIDirs {
		plan.CNI = map[string]string{cniBin: l.cniBin(), cniConf: l.path("cni")}
	}
	data, err := json.Marshal(plan)
	if err != nil {
		return err
	}
	file := l.path("plan.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return err
	}
	cmd := exec.Command(self, RunCommand, file)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID, Unshareflags: syscall.CLONE_NEWNS}
	n.child, err = process.Start(ctx, cmd, process.Options{Name: "node", Book: n.cfg.Book, Log: log("node")})
	if err != nil {
		return err
	}
	go func() {
		<-n.child.Done()
		if ctx.Err() == nil {
			n.failed <- fmt.Errorf("the real node stopped: %w: %s", n.child.Wait(), lastWord(log("node")))
		}
	}()
	return nil
}

// lastWord is what the node's first process said when it ended, or where to
// look for what others said.
func lastWord(file string) string {
	b, err := os.ReadFile(file)
	if err == nil {
		lines := strings.Split(string(bytes.TrimSpace(b)), "\n")
		if said, ok := strings.CutPrefix(lines[len(lines)-1], "devcluster: "); ok {
			return said
		}
	}
	return "see " + filepath.Dir(file)
}

// finish waits for what start started and completes it.
func (n *Node) finish(life, ctx context.Context, l layout, t tools, rc *rest.Config, client kubernetes.Interface) error {
	if err := waitRuntime(ctx, l.socket(), n.failed); err != nil {
		return err
	}
	if n.cfg.Registry == nil {
		im := importer{ctr: t.ctr, socket: l.socket(), stamps: l.imported()}
		count, err := im.importAll(ctx, n.cfg.Images)
		if err != nil {
			return err
		}
		n.cfg.Say("%d images, %d of them new to containerd", len(n.cfg.Images), count)
	}
	if err := n.waitReady(ctx, client); err != nil {
		return err
	}
	n.cfg.Say("node %s is Ready", n.cfg.Name)
	if n.cfg.GPUs > 0 {
		if err := n.setGPUs(ctx, client); err != nil {
			return err
		}
	}
	applier, err := apply.New(rc)
	if err != nil {
		return err
	}
	text := strings.NewReplacer("COREDNS_IMAGE", images.CoreDNSImage, "CLUSTER_DNS", n.cfg.Network.DNS.String(), "CLUSTER_DOMAIN", n.cfg.Network.Domain).Replace(objects)
	if err := applier.Text(ctx, []byte(text)); err != nil {
		return err
	}
	p := provisioner{client: client, dir: l.path("volumes"), node: n.cfg.Name}
	go func() {
		if err := p.run(life); err != nil && life.Err() == nil {
			n.failed <- fmt.Errorf("volume provisioner stopped: %w", err)
		}
	}()
	if !has(n.cfg.Images, images.CoreDNSImage) {
		n.cfg.Say("no image %s: names of Services will not resolve", images.CoreDNSImage)
		return nil
	}
	return n.waitDNS(ctx, client)
}

func has(archives []images.Archive, name string) bool {
	for _, a := range archives {
		if a.Name == name {
			return true
		}
	}
	return false
}

// Failed gets an error when the node ends without having been asked to.
func (n *Node) Failed() <-chan error { return n.failed }

// Down ends the node and undoes what it did to the machine.
func (n *Node) Down(ctx context.Context) error {
	n.cancel()
	select {
	case <-n.child.Done():
	case <-ctx.Done():
		return ctx.Err()
	}
	return CleanUp(ctx, n.cfg.Dir)
}

// CleanUp undoes what a node that kept its things in dir did to the machine.
// The node must have ended; one that was killed is cleaned up after by the
// next bed. A directory without a node is no error.
func CleanUp(ctx context.Context, dir string) error {
	l := layout{dir: dir}
	return errors.Join(
		removeCgroups(ctx, cgroupRoot, l.containerdState()),
		restoreSysctls(procSys, l.sysctls()))
}

func (n *Node) waitReady(ctx context.Context, client kubernetes.Interface) error {
	return n.until(ctx, client.CoreV1().RESTClient(), "nodes", "", n.cfg.Name, &corev1.Node{}, "Node "+n.cfg.Name+" is not Ready", func(e watch.Event) (bool, error) {
		node, ok := e.Object.(*corev1.Node)
		if !ok {
			return false, nil
		}
		for _, c := range node.Status.Conditions {
			if c.Type == corev1.NodeReady {
				return c.Status == corev1.ConditionTrue, nil
			}
		}
		return false, nil
	})
}

func (n *Node) waitDNS(ctx context.Context, client kubernetes.Interface) error {
	return n.until(ctx, client.CoreV1().RESTClient(), "endpoints", "kube-system", "kube-dns", &corev1.Endpoints{}, "cluster DNS (Service kube-system/kube-dns) has no ready Pod", func(e watch.Event) (bool, error) {
		ep, ok := e.Object.(*corev1.Endpoints)
		if !ok {
			return false, nil
		}
		for _, s := range ep.Subsets {
			if len(s.Addresses) > 0 {
				return true, nil
			}
		}
		return false, nil
	})
}

// until watches one object until done says so. The end of the node ends it too.
func (n *Node) until(ctx context.Context, c cache.Getter, resource, namespace, name string, obj runtime.Object, what string, done watchtools.ConditionFunc) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyTimeout, fmt.Errorf("%s after %s; see %s", what, readyTimeout, filepath.Join(n.cfg.Logs, "kubelet.log")))
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go func() {
		select {
		case err := <-n.failed:
			n.failed <- err
			stop(err)
		case <-ctx.Done():
		}
	}()
	lw := cache.NewListWatchFromClient(c, resource, namespace, fields.OneTermEqualSelector(metav1.ObjectNameField, name))
	if _, err := watchtools.UntilWithSync(ctx, lw, obj, nil, done); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// setGPUs puts GPUs on the Node's status, as a device plugin would make the
// kubelet do. The kubelet leaves extended resources there alone.
func (n *Node) setGPUs(ctx context.Context, client kubernetes.Interface) error {
	q := map[string]any{"nvidia.com/gpu": fmt.Sprint(n.cfg.GPUs)}
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"capacity": q, "allocatable": q}})
	if err != nil {
		return err
	}
	if _, err := client.CoreV1().Nodes().Patch(ctx, n.cfg.Name, types.MergePatchType, patch, metav1.PatchOptions{}, "status"); err != nil {
		return fmt.Errorf("GPUs of Node %s: %w", n.cfg.Name, err)
	}
	return nil
}
