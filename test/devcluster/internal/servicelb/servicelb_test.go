package servicelb

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
)

func TestAServiceGetsTheAddressesOfTheNodesWhereItsPodIsReady(t *testing.T) {
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "istio-system", Name: "gateway", UID: "0123456789"},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeLoadBalancer, IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol},
			Ports: []corev1.ServicePort{{Port: 80}, {Port: 443}},
		},
	}
	internal := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "internal"}, Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP}}
	node := func(name string, addresses ...string) *corev1.Node {
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
		for _, a := range addresses {
			n.Status.Addresses = append(n.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: a})
		}
		return n
	}
	pod := func(node string, ready corev1.ConditionStatus) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "p-" + node, Labels: map[string]string{nameLabel: "gateway", namespaceLabel: "istio-system"}},
			Spec:       corev1.PodSpec{NodeName: node},
			Status:     corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}},
		}
	}
	client := fake.NewClientset(service, internal, node("a", "10.0.1.1", "fd00::1"), node("b", "10.0.1.2"),
		pod("a", corev1.ConditionTrue), pod("b", corev1.ConditionFalse))
	f := informers.NewSharedInformerFactory(client, 0)
	c := &controller{
		client: client, image: "pause", services: f.Core().V1().Services().Lister(), pods: f.Core().V1().Pods().Lister(),
		nodes: f.Core().V1().Nodes().Lister(), daemons: f.Apps().V1().DaemonSets().Lister(),
	}
	f.Start(t.Context().Done())
	f.WaitForCacheSync(t.Context().Done())
	if err := c.reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	all, err := client.AppsV1().DaemonSets(metav1.NamespaceAll).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(all.Items) != 1 {
		t.Fatalf("%d DaemonSets (%v), want one", len(all.Items), err)
	}
	if d := all.Items[0]; d.Name != "svclb-gateway-01234567" || d.Namespace != namespace || len(hostPorts(&d)) != 2 || hostPorts(&d)[0] != 80 {
		t.Errorf("DaemonSet %s/%s with ports %v of the nodes", d.Namespace, d.Name, hostPorts(&d))
	}
	got, err := client.CoreV1().Services("istio-system").Get(t.Context(), "gateway", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if i := got.Status.LoadBalancer.Ingress; len(i) != 1 || i[0].IP != "10.0.1.1" {
		t.Errorf("addresses %v, want that of node a of the Service's family", i)
	}
}
