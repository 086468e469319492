// Command network-policies enforces the NetworkPolicies of a real node: the decisions are those of
// sigs.k8s.io/kube-network-policies, unchanged.
//
// Its own rules send packets to it by nftables' queue, which many kernels have as a module that is not loaded or not
// built. The same packets are sent to the same queue here by the NFQUEUE target of iptables. Where the kernel has
// both, a packet is decided twice, alike.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
)

// version is that of the module; the linker can set another.
var version = "v0.8.0"

// chain is the chain of iptables that holds the rules; inward is for packets to the node
// itself, which take no other way.
const (
	chain  = "NETWORK-POLICIES"
	inward = "NETWORK-POLICIES-IN"
)

// cleanUpTimeout bounds what is done after the request to stop.
const cleanUpTimeout = 5 * time.Second

type options struct {
	kubeconfig, node string
	pods             netip.Prefix
	queue            int
}

func main() {
	o := options{queue: 100}
	klog.InitFlags(nil)
	flag.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig; empty: the Pod's ServiceAccount")
	flag.StringVar(&o.node, "node", "", "name of the Node whose pods are looked after")
	flag.TextVar(&o.pods, "pods", netip.Prefix{}, "addresses of the Node's pods, such as 10.245.0.0/24")
	flag.IntVar(&o.queue, "queue", o.queue, "number of the kernel's queue")
	show := flag.Bool("version", false, "print the version and end")
	flag.Parse()
	if *show {
		fmt.Println("kube-network-policies", version)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "network-policies:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if o.node == "" || !o.pods.IsValid() {
		return errors.New("--node and --pods are needed")
	}
	cfg, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		return fmt.Errorf("client configuration: %w", err)
	}
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	c, err := networkpolicy.NewController(client, factory.Networking().V1().NetworkPolicies(), factory.Core().V1().Namespaces(),
		factory.Core().V1().Pods(), nil, nil, nil, nil, networkpolicy.Config{NodeName: o.node, QueueID: o.queue})
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	// Packets wait for a decision from here on; those that nobody takes are dropped, as a policy may want it.
	for _, args := range rules(o.pods, o.queue) {
		if err := iptables(ctx, args...); err != nil {
			return err
		}
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), cleanUpTimeout)
		defer cancel()
		for _, args := range undo() {
			if err := iptables(ctx, args...); err != nil {
				klog.Error(err)
			}
		}
	}()
	return c.Run(ctx)
}

// rules are the calls of iptables that send packets from and to pods to the queue. They are decided after the
// addresses of Services have become those of pods, and before the source is rewritten. What root's processes on the
// node send passes, or probes and the API server's calls of webhooks would not reach pods; what belongs to an
// established connection passes too.
func rules(pods netip.Prefix, queue int) [][]string {
	to := []string{"-j", "NFQUEUE", "--queue-num", strconv.Itoa(queue)}
	return [][]string{
		{"-N", chain},
		{"-A", chain, "-m", "owner", "--uid-owner", "0", "-j", "RETURN"},
		{"-A", chain, "-m", "conntrack", "--ctstate", "ESTABLISHED,RELATED", "-j", "RETURN"},
		append([]string{"-A", chain, "-s", pods.String()}, to...),
		append([]string{"-A", chain, "-d", pods.String(), "!", "-s", pods.String()}, to...),
		{"-I", "POSTROUTING", "-j", chain},
		{"-N", inward},
		{"-A", inward, "-m", "conntrack", "--ctstate", "ESTABLISHED,RELATED", "-j", "RETURN"},
		append([]string{"-A", inward, "-s", pods.String()}, to...),
		{"-I", "INPUT", "-j", inward},
	}
}

func undo() [][]string {
	return [][]string{
		{"-D", "POSTROUTING", "-j", chain},
		{"-F", chain},
		{"-X", chain},
		{"-D", "INPUT", "-j", inward},
		{"-F", inward},
		{"-X", inward},
	}
}

func iptables(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "iptables", append([]string{"-w", "-t", "mangle"}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("iptables %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
