// Package servicelb gives LoadBalancer Services addresses as ServiceLB of k3s
// does: for each one a DaemonSet whose pods take the Service's ports of the
// nodes, and the address of the nodes on which they are ready. Where another
// Service has such a port, the scheduler finds no node for them. What the
// pods would do, pass connections on, the bed does by itself.
package servicelb

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	appslisters "k8s.io/client-go/listers/apps/v1"
	corelisters "k8s.io/client-go/listers/core/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/reconcile"
)

// Name is by what it is asked for, and what lists call it.
const Name = "servicelb"

// The labels that k3s gives what it makes for a Service.
const (
	nameLabel      = "svccontroller.k3s.cattle.io/svcname"
	namespaceLabel = "svccontroller.k3s.cattle.io/svcnamespace"
)

// namespace is where k3s makes the DaemonSets.
const namespace = metav1.NamespaceSystem

type controller struct {
	client   kubernetes.Interface
	image    string
	services corelisters.ServiceLister
	pods     corelisters.PodLister
	nodes    corelisters.NodeLister
	daemons  appslisters.DaemonSetLister
}

// Run gives addresses until ctx ends. The pods are of the image.
func Run(ctx context.Context, client kubernetes.Interface, image string) error {
	f := informers.NewSharedInformerFactory(client, 0)
	c := &controller{
		client: client, image: image, services: f.Core().V1().Services().Lister(), pods: f.Core().V1().Pods().Lister(),
		nodes: f.Core().V1().Nodes().Lister(), daemons: f.Apps().V1().DaemonSets().Lister(),
	}
	changed, err := reconcile.Changes(
		f.Core().V1().Services().Informer(), f.Core().V1().Pods().Informer(), f.Core().V1().Nodes().Informer(), f.Apps().V1().DaemonSets().Informer(),
	)
	if err != nil {
		return err
	}
	f.Start(ctx.Done())
	f.WaitForCacheSync(ctx.Done())
	return reconcile.Until(ctx, changed, "ServiceLB", c.reconcile)
}

func (c *controller) reconcile(ctx context.Context) error {
	services, err := c.services.List(labels.Everything())
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, s := range services {
		if s.Spec.Type != corev1.ServiceTypeLoadBalancer || s.Spec.LoadBalancerClass != nil || s.DeletionTimestamp != nil {
			continue
		}
		wanted[daemonName(s)] = true
		if err := c.serve(ctx, s); err != nil && !overtaken(err) {
			return fmt.Errorf("Service %s/%s: %w", s.Namespace, s.Name, err)
		}
	}
	daemons, err := c.daemons.DaemonSets(namespace).List(labels.Everything())
	if err != nil {
		return err
	}
	for _, d := range daemons {
		if d.Labels[nameLabel] == "" || wanted[d.Name] {
			continue
		}
		if err := c.client.AppsV1().DaemonSets(namespace).Delete(ctx, d.Name, metav1.DeleteOptions{}); err != nil && !overtaken(err) {
			return fmt.Errorf("DaemonSet %s/%s: %w", namespace, d.Name, err)
		}
	}
	return nil
}

// overtaken tells that somebody else has written or deleted the object, which its watch tells as well.
func overtaken(err error) bool {
	return apierrors.IsConflict(err) || apierrors.IsNotFound(err) || apierrors.IsAlreadyExists(err)
}

// daemonName is that of k3s: with the beginning of the Service's UID.
func daemonName(s *corev1.Service) string {
	return fmt.Sprintf("svclb-%s-%.8s", s.Name, s.UID)
}

// serve makes the DaemonSet of a Service, and tells the Service its addresses.
func (c *controller) serve(ctx context.Context, s *corev1.Service) error {
	want := daemonSet(s, c.image)
	have, err := c.daemons.DaemonSets(namespace).Get(want.Name)
	switch {
	case apierrors.IsNotFound(err):
		if _, err := c.client.AppsV1().DaemonSets(namespace).Create(ctx, want, metav1.CreateOptions{}); err != nil {
			return err
		}
	case err != nil:
		return err
	case !slices.Equal(hostPorts(have), hostPorts(want)):
		have = have.DeepCopy()
		have.Spec.Template = want.Spec.Template
		if _, err := c.client.AppsV1().DaemonSets(namespace).Update(ctx, have, metav1.UpdateOptions{}); err != nil {
			return err
		}
	}
	ingress, err := c.ingress(s)
	if err != nil || equality.Semantic.DeepEqual(s.Status.LoadBalancer.Ingress, ingress) {
		return err
	}
	s = s.DeepCopy()
	s.Status.LoadBalancer.Ingress = ingress
	_, err = c.client.CoreV1().Services(s.Namespace).UpdateStatus(ctx, s, metav1.UpdateOptions{})
	return err
}

// ingress are the addresses of the nodes whose pod of the Service is ready, of the Service's families.
func (c *controller) ingress(s *corev1.Service) ([]corev1.LoadBalancerIngress, error) {
	pods, err := c.pods.Pods(namespace).List(labels.SelectorFromSet(labels.Set{nameLabel: s.Name, namespaceLabel: s.Namespace}))
	if err != nil {
		return nil, err
	}
	given := map[netip.Addr]bool{}
	for _, p := range pods {
		if !slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		}) || p.DeletionTimestamp != nil {
			continue
		}
		n, err := c.nodes.Get(p.Spec.NodeName)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, a := range n.Status.Addresses {
			address, err := netip.ParseAddr(a.Address)
			family := corev1.IPv6Protocol
			if address.Is4() {
				family = corev1.IPv4Protocol
			}
			if err == nil && a.Type == corev1.NodeInternalIP && slices.Contains(s.Spec.IPFamilies, family) {
				given[address] = true
			}
		}
	}
	var out []corev1.LoadBalancerIngress
	for _, a := range slices.SortedFunc(maps.Keys(given), netip.Addr.Compare) {
		mode := corev1.LoadBalancerIPModeVIP
		out = append(out, corev1.LoadBalancerIngress{IP: a.String(), IPMode: &mode})
	}
	return out, nil
}

func hostPorts(d *appsv1.DaemonSet) []int32 {
	var out []int32
	for _, c := range d.Spec.Template.Spec.Containers {
		for _, p := range c.Ports {
			out = append(out, p.HostPort)
		}
	}
	return out
}

func daemonSet(s *corev1.Service, image string) *appsv1.DaemonSet {
	name := daemonName(s)
	of := map[string]string{nameLabel: s.Name, namespaceLabel: s.Namespace, "app": name}
	no := false
	d := &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: of},
		Spec: appsv1.DaemonSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: of},
				Spec:       corev1.PodSpec{AutomountServiceAccountToken: &no},
			},
		},
	}
	for _, p := range s.Spec.Ports {
		port := corev1.ContainerPort{Name: fmt.Sprintf("lb-tcp-%d", p.Port), ContainerPort: p.Port, HostPort: p.Port, Protocol: p.Protocol}
		d.Spec.Template.Spec.Containers = append(d.Spec.Template.Spec.Containers, corev1.Container{
			Name: port.Name, Image: image, ImagePullPolicy: corev1.PullIfNotPresent, Ports: []corev1.ContainerPort{port},
		})
	}
	return d
}
