// Package services makes the addresses of Services work in a bed without a
// kube-proxy, and reaches them from outside of the bed's network.
package services

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
	"k8s.io/klog/v2"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/netns"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/reconcile"
)

// settle is how long changes are gathered before the listeners follow.
const settle = 20 * time.Millisecond

// retry is when a port that could not be opened is tried again.
const retry = 2 * time.Second

// Proxy listens on the addresses of all Services and passes connections to
// their ready endpoints. As with kube-proxy, a port of a Service without
// ready endpoints refuses connections. It knows TCP only.
type Proxy struct {
	client   kubernetes.Interface
	services corelisters.ServiceLister
	slices   discoverylisters.EndpointSliceLister
	open     map[netip.AddrPort]*port
	// nodes are where node ports are served.
	nodes []netip.Addr
	// local are the addresses of load balancers made local so far.
	local map[netip.Addr]bool
}

// New returns a proxy for the Services of a cluster, with node ports at the given addresses.
func New(client kubernetes.Interface, nodes []netip.Addr) *Proxy {
	return &Proxy{client: client, nodes: nodes, open: map[netip.AddrPort]*port{}, local: map[netip.Addr]bool{}}
}

// Run proxies until ctx ends.
func (p *Proxy) Run(ctx context.Context) error {
	factory := informers.NewSharedInformerFactory(p.client, 0)
	p.services, p.slices = factory.Core().V1().Services().Lister(), factory.Discovery().V1().EndpointSlices().Lister()
	changed, err := reconcile.Changes(factory.Core().V1().Services().Informer(), factory.Discovery().V1().EndpointSlices().Informer())
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	defer func() {
		for _, o := range p.open {
			o.close()
		}
	}()
	for {
		var again <-chan time.Time
		if !p.reconcile(ctx) {
			again = time.After(retry)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-again:
		case <-changed:
			// A rollout changes many objects at once: take them together.
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(settle):
			}
		}
	}
}

// reconcile makes the listeners what the Services ask for and tells whether
// all could be opened.
func (p *Proxy) reconcile(ctx context.Context) bool {
	services, err := p.services.List(labels.Everything())
	if err != nil {
		return false
	}
	endpoints, err := p.slices.List(labels.Everything())
	if err != nil {
		return false
	}
	want := Wanted(services, endpoints, p.nodes)
	for at, o := range p.open {
		if _, ok := want[at]; !ok {
			o.close()
			delete(p.open, at)
		}
	}
	all := true
	for at, backends := range want {
		if o, ok := p.open[at]; ok {
			o.set(backends)
			continue
		}
		if err := p.makeLocal(at.Addr()); err != nil {
			klog.Errorf("devcluster: service proxy: %v", err)
			all = false
			continue
		}
		o, err := openPort(ctx, at, backends)
		if err != nil {
			klog.Errorf("devcluster: service proxy: %v", err)
			all = false
			continue
		}
		p.open[at] = o
	}
	return all
}

// makeLocal makes the address of a load balancer one of the bed's network.
func (p *Proxy) makeLocal(a netip.Addr) error {
	if p.local[a] {
		return nil
	}
	if err := netns.AddLocal(netip.PrefixFrom(a, a.BitLen())); err != nil {
		return err
	}
	p.local[a] = true
	return nil
}

// Wanted returns, for every address and port that Services promise, the ready
// endpoints of its family behind it. Ports without any are left out.
func Wanted(services []*corev1.Service, endpoints []*discoveryv1.EndpointSlice, nodes []netip.Addr) map[netip.AddrPort][]string {
	bySvc := map[string][]*discoveryv1.EndpointSlice{}
	for _, e := range endpoints {
		key := e.Namespace + "/" + e.Labels[discoveryv1.LabelServiceName]
		bySvc[key] = append(bySvc[key], e)
	}
	want := map[netip.AddrPort][]string{}
	for _, s := range services {
		for _, sp := range s.Spec.Ports {
			if sp.Protocol != corev1.ProtocolTCP && sp.Protocol != "" {
				continue
			}
			serve := func(a netip.Addr, port int32) {
				if backends := backendsOf(bySvc[s.Namespace+"/"+s.Name], sp.Name, a.Is4()); len(backends) > 0 {
					want[netip.AddrPortFrom(a, uint16(port))] = backends
				}
			}
			for _, a := range addresses(s) {
				serve(a, sp.Port)
			}
			for _, a := range nodes {
				if sp.NodePort != 0 {
					serve(a, sp.NodePort)
				}
			}
		}
	}
	return want
}

func addresses(s *corev1.Service) []netip.Addr {
	if s.Spec.Type == corev1.ServiceTypeExternalName || s.Spec.ClusterIP == corev1.ClusterIPNone {
		return nil
	}
	texts := append(slices.Clone(s.Spec.ClusterIPs), s.Spec.ExternalIPs...)
	for _, i := range s.Status.LoadBalancer.Ingress {
		texts = append(texts, i.IP)
	}
	var all []netip.Addr
	for _, t := range texts {
		if a, err := netip.ParseAddr(t); err == nil {
			all = append(all, a)
		}
	}
	return all
}

func backendsOf(endpoints []*discoveryv1.EndpointSlice, portName string, four bool) []string {
	var all []string
	for _, e := range endpoints {
		if (e.AddressType == discoveryv1.AddressTypeIPv4) != four {
			continue
		}
		for _, ep := range e.Ports {
			if ep.Port == nil || (ep.Name != nil && *ep.Name != portName) {
				continue
			}
			for _, one := range e.Endpoints {
				if one.Conditions.Ready != nil && !*one.Conditions.Ready {
					continue
				}
				for _, a := range one.Addresses {
					all = append(all, net.JoinHostPort(a, strconv.Itoa(int(*ep.Port))))
				}
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// pick chooses one of the backends.
func pick(backends []string) (string, error) {
	if len(backends) == 0 {
		return "", fmt.Errorf("no ready endpoint")
	}
	return backends[rand.IntN(len(backends))], nil
}
