package bed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	watchtools "k8s.io/client-go/tools/watch"
	"k8s.io/klog/v2"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/controlplane"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/kubeversion"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/netns"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/network"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/node"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/pki"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/process"
)

// runner is the bed's main process while it runs.
type runner struct {
	dir      Dir
	cfg      Config
	start    time.Time
	progress *os.File
	api      net.Listener
	proxy    net.Listener
	state    State
	pki      pki.Dir
	network  *network.Network
	cluster  *rest.Config
	client   kubernetes.Interface
	failed   chan error
	// names are hosts in the bed's network beside the Services, with their addresses.
	names map[string]string
	// registry is what the real node has to know to pull its images, if it does.
	registry *node.Registry
}

// spareHeap is the size of a block that is never touched, and so takes no memory, in bytes.
// The garbage collector counts it as in use and runs less often: without it, a quarter of a
// small bed's processor time is spent on collecting. A bed takes as much more memory at most.
const spareHeap = 512 << 20

// Run is the bed itself, in the process that Up started, and returns when the
// bed has ended.
func Run(ctx context.Context, dir Dir) error {
	defer runtime.KeepAlive(make([]byte, spareHeap))
	r := &runner{dir: dir, start: time.Now(), failed: make(chan error, 16)}
	if err := r.inherit(); err != nil {
		return err
	}
	err := r.run(ctx)
	if err != nil && ctx.Err() == nil {
		r.state.Phase, r.state.Error = Failed, err.Error()
		_ = dir.writeState(r.state)
		r.tell(message{Error: err.Error()})
		return err
	}
	return nil
}

// inherit takes over what Up opened and keeps it from this process's own children.
func (r *runner) inherit() error {
	files := map[int]*os.File{}
	for fd, name := range map[int]string{fdLock: "lock", fdAPI: "api", fdProxy: "proxy", fdProgress: "progress"} {
		f := os.NewFile(uintptr(fd), name)
		if _, err := f.Stat(); err != nil {
			return fmt.Errorf("%s is internal; use `devcluster up` (%w)", RunCommand, err)
		}
		closeOnExec(fd)
		files[fd] = f
	}
	inheritedLock = files[fdLock]
	r.progress = files[fdProgress]
	var err error
	if r.api, err = net.FileListener(files[fdAPI]); err != nil {
		return err
	}
	if r.proxy, err = net.FileListener(files[fdProxy]); err != nil {
		return err
	}
	return errors.Join(files[fdAPI].Close(), files[fdProxy].Close())
}

// childGrace is how long the processes of a bed that stops may take.
const childGrace = 3 * time.Second

// inheritedLock keeps the lock's file from being collected and closed.
var inheritedLock *os.File

func (r *runner) tell(m message) {
	if m.Text != "" {
		klog.Infof("devcluster: %s", m.Text)
	}
	data, err := json.Marshal(m)
	if err == nil {
		// Nobody may be listening any more: the starter was interrupted.
		_, _ = r.progress.Write(append(data, '\n'))
	}
}

func (r *runner) say(format string, args ...any) {
	r.tell(message{Text: fmt.Sprintf("%5.1fs  ", time.Since(r.start).Seconds()) + fmt.Sprintf(format, args...)})
}

func (r *runner) run(ctx context.Context) error {
	if err := readJSON(r.dir.configFile(), &r.cfg); err != nil {
		return err
	}
	self, err := process.Of(mainProcess, os.Getpid())
	if err != nil {
		return err
	}
	if err := r.dir.Book().Add(self); err != nil {
		return err
	}
	if err := kubeversion.Stamp(); err != nil {
		return err
	}
	server := fmt.Sprintf("https://127.0.0.1:%d", r.api.Addr().(*net.TCPAddr).Port)
	r.state = State{
		Phase: Starting, Nodes: r.cfg.Nodes, Started: r.start.UTC().Truncate(time.Second), PID: os.Getpid(),
		Kubeconfig: r.dir.Kubeconfig(), Server: server, Proxy: "http://" + r.proxy.Addr().String(),
	}
	if err := r.dir.writeState(r.state); err != nil {
		return err
	}
	if r.network, err = network.Choose(r.cfg.Options); err != nil {
		return err
	}
	if err := netns.Configure(r.network.Addresses, r.network.Local()...); err != nil {
		if netns.Refused(err) && os.Getuid() == 0 {
			return netns.Explain(err, hostUID(), os.ReadFile)
		}
		return err
	}

	// The parts outlive the request to stop until the node is down, which
	// needs the API server.
	parts, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		cancel()
		process.WaitAll(childGrace)
	}()
	starting, stopStarting := context.WithCancelCause(ctx)
	defer stopStarting(nil)
	go func() {
		select {
		case err := <-r.failed:
			r.failed <- err
			stopStarting(err)
		case <-starting.Done():
		}
	}()

	stop, err := r.startParts(starting, parts, server)
	if stop != nil {
		defer stop()
	}
	// In the order of a stop: the real node while the API server is there, then
	// the processes beside it. What runs in this process ends with it: its
	// data is thrown away.
	if err != nil {
		if cause := context.Cause(starting); cause != nil && ctx.Err() == nil {
			return cause
		}
		return err
	}
	r.state.Phase, r.state.ReadyAfter = Ready, time.Since(r.start).Round(100*time.Millisecond).String()
	if err := r.dir.writeState(r.state); err != nil {
		return err
	}
	r.say("ready")
	r.tell(message{Ready: true})

	select {
	case <-ctx.Done():
		r.state.Phase = Stopping
		return r.dir.writeState(r.state)
	case err := <-r.failed:
		return err
	}
}

// startParts starts everything. The function that it returns, when not nil,
// ends what does not end with the context of parts.
func (r *runner) startParts(ctx, parts context.Context, server string) (stop func(), err error) {
	var stops []func()
	stop = func() {
		for i := len(stops) - 1; i >= 0; i-- {
			stops[i]()
		}
	}
	version, where := kubeversion.Of(kubeversion.Kubernetes), "in the bed's process"
	if r.cfg.Server != "" {
		where = "a process of " + r.cfg.Server
		if version, err = controlplane.Programs(r.cfg.Server).Version(ctx); err != nil {
			return stop, fmt.Errorf("--server: %w", err)
		}
	}
	if r.cfg.EmulatedVersion != "" {
		where += ", which emulates " + r.cfg.EmulatedVersion
	}
	r.say("etcd, %s %s", strings.Join(controlplane.Names, ", "), version)
	ips := []net.IP{net.ParseIP("127.0.0.1")}
	for i, a := range r.network.Addresses {
		ips = append(ips, a.AsSlice(), network.First(r.network.Services[i]).AsSlice())
	}
	if r.pki, err = pki.Create(r.dir.Path("pki"), r.network.Domain, ips); err != nil {
		return stop, err
	}
	cpc := controlplane.Config{
		Dir: string(r.dir), PKI: r.pki, Kubeconfig: r.dir.internalKubeconfig(), Advertise: r.network.Addresses[0].String(), Port: APIPort,
		ServiceCIDR: network.Join(r.network.Services), PodCIDR: network.Join(r.network.Pods), Domain: r.network.Domain,
		PodSecurity: r.cfg.PodSecurity, HostPathProvisioner: r.cfg.Nodes == RealNodes, Controllers: r.cfg.Controllers,
		EmulatedVersion: r.cfg.EmulatedVersion, FeatureGates: r.cfg.FeatureGates, RuntimeConfig: r.cfg.RuntimeConfig,
		Programs: controlplane.Programs(r.cfg.Server), Book: r.dir.Book(), Logs: r.dir.Path("logs"),
	}
	if err := errors.Join(
		r.pki.WriteKubeconfig(r.dir.internalKubeconfig(), "https://"+cpc.Address()),
		r.pki.WriteKubeconfig(r.dir.Kubeconfig(), server)); err != nil {
		return stop, err
	}
	if r.cluster, err = clientcmd.BuildConfigFromFlags("", r.dir.internalKubeconfig()); err != nil {
		return stop, err
	}
	r.cluster.QPS = -1 // the API server has priority and fairness
	if r.client, err = kubernetes.NewForConfig(r.cluster); err != nil {
		return stop, err
	}
	cp, err := controlplane.Start(parts, cpc, r.cluster)
	if err != nil {
		return stop, err
	}
	r.watchFailure(parts, cp.Failed())
	r.serveAPI(parts, cpc.Address())
	r.part("etcd", Real, kubeversion.Of(kubeversion.Etcd), "in the bed's process")
	for _, c := range controlplane.Names {
		r.part(c, Real, version, where)
	}
	r.say("the API server answers at %s", server)

	more, err := r.startNodes(ctx, parts)
	stops = append(stops, more...)
	if err != nil {
		return stop, err
	}
	return stop, nil
}

func (r *runner) part(name string, kind Kind, version, note string) {
	r.state.Parts = append(r.state.Parts, Part{Name: name, Kind: kind, Version: version, Note: note})
}

func (r *runner) watchFailure(ctx context.Context, failed <-chan error) {
	go func() {
		select {
		case err := <-failed:
			r.failed <- err
		case <-ctx.Done():
		}
	}()
}

// goRun runs a part that must not end by itself.
func (r *runner) goRun(ctx context.Context, name string, f func(context.Context) error) {
	go func() {
		err := f(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("ended without an error")
		}
		r.failed <- fmt.Errorf("%s stopped: %w", name, err)
	}()
}

// serveAPI passes connections to the API server: those from outside, and
// those inside to the same address, so that one kubeconfig serves both.
func (r *runner) serveAPI(ctx context.Context, address string) {
	listeners := []net.Listener{r.api}
	inside := net.JoinHostPort("127.0.0.1", strconv.Itoa(r.api.Addr().(*net.TCPAddr).Port))
	if l, err := net.Listen("tcp", inside); err != nil {
		klog.Errorf("devcluster: the kubeconfig will not work inside of the bed's network: %v", err)
	} else {
		listeners = append(listeners, l)
	}
	for _, l := range listeners {
		r.goRun(ctx, "forwarder on "+l.Addr().String(), func(ctx context.Context) error {
			return forward(ctx, l, func(ctx context.Context) (net.Conn, error) {
				var d net.Dialer
				return d.DialContext(ctx, "tcp", address)
			})
		})
	}
}

// nodesReady waits until all nodes of the cluster, count of them, are Ready.
func (r *runner) nodesReady(ctx context.Context, count int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	lw := cache.NewListWatchFromClient(r.client.CoreV1().RESTClient(), "nodes", metav1.NamespaceAll, fields.Everything())
	var waiting string
	ready := map[string]bool{}
	_, err := watchtools.UntilWithSync(ctx, lw, &corev1.Node{}, nil, func(e watch.Event) (bool, error) {
		n, ok := e.Object.(*corev1.Node)
		if !ok {
			return false, nil
		}
		ready[n.Name] = nodeReady(n)
		up := 0
		for name, ok := range ready {
			if ok {
				up++
			} else {
				waiting = name
			}
		}
		return up >= count, nil
	})
	if err != nil {
		return fmt.Errorf("%d nodes should be Ready, waiting for node %q: %w", count, waiting, err)
	}
	return nil
}

// namespaceReady waits until pods can be created in the default namespace,
// which needs its ServiceAccount.
func (r *runner) namespaceReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	lw := cache.NewListWatchFromClient(r.client.CoreV1().RESTClient(), "serviceaccounts", metav1.NamespaceDefault,
		fields.OneTermEqualSelector("metadata.name", "default"))
	_, err := watchtools.UntilWithSync(ctx, lw, &corev1.ServiceAccount{}, nil, func(e watch.Event) (bool, error) {
		return e.Type == watch.Added, nil
	})
	if err != nil {
		return fmt.Errorf("ServiceAccount default/default is not there: %w", err)
	}
	return nil
}

func nodeReady(n *corev1.Node) bool {
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// forward accepts connections and joins each with one that dial opens.
func forward(ctx context.Context, l net.Listener, dial func(context.Context) (net.Conn, error)) error {
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	for {
		in, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer func() { _ = in.Close() }()
			out, err := dial(ctx)
			if err != nil {
				klog.V(2).Infof("devcluster: connection from %s: %v", in.RemoteAddr(), err)
				return
			}
			join(in, out)
		}()
	}
}
