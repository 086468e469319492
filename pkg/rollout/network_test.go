package rollout

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic/fake"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

func TestTheClustersNetworkIsReadAndNotGuessed(t *testing.T) {
	config := func(name, key, text string) runtime.Object {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name, "namespace": "kube-system"}, "data": map[string]any{key: text},
		}}
	}
	families := func(all ...any) runtime.Object {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": "kubernetes", "namespace": "default"}, "spec": map[string]any{"ipFamilies": all},
		}}
	}
	const corefile = ".:53 {\n    errors\n    kubernetes corp.example in-addr.arpa ip6.arpa {\n       pods insecure\n    }\n    forward . /etc/resolv.conf\n}\n"
	for _, tt := range []struct {
		name     string
		objects  []runtime.Object
		flag     string
		recorded NetworkSettings
		want     Network
		settings NetworkSettings
	}{
		{"nothing tells", nil, "", NetworkSettings{}, Network{Domain: "cluster.local"}, NetworkSettings{}},
		{"CoreDNS tells the domain", []runtime.Object{config("coredns", "Corefile", corefile)}, "", NetworkSettings{}, Network{Domain: "corp.example"}, NetworkSettings{Domain: "corp.example"}},
		{"a Corefile with a list of addresses for its zones", []runtime.Object{config("coredns", "Corefile", "kubernetes in-addr.arpa cluster.local. 10.0.0.0/8 {\n")}, "", NetworkSettings{}, Network{Domain: "cluster.local"}, NetworkSettings{}},
		{"kubelets tell it", []runtime.Object{config("kubelet-config", "kubelet", "kind: KubeletConfiguration\nclusterDomain: k.example\n")}, "", NetworkSettings{}, Network{Domain: "k.example"}, NetworkSettings{Domain: "k.example"}},
		{"kubeadm tells it", []runtime.Object{config("kubeadm-config", "ClusterConfiguration", "networking: {dnsDomain: a.example}\n")}, "", NetworkSettings{}, Network{Domain: "a.example"}, NetworkSettings{Domain: "a.example"}},
		{"a person knows better", []runtime.Object{config("coredns", "Corefile", corefile)}, "b.example", NetworkSettings{}, Network{Domain: "b.example", Given: true}, NetworkSettings{Domain: "b.example", Given: true}},
		{"what was known before, where nothing tells it any more", nil, "", NetworkSettings{Domain: "corp.example", IPv6: true}, Network{Domain: "corp.example", IPv6: true}, NetworkSettings{Domain: "corp.example", IPv6: true}},
		{"IPv6 alone", []runtime.Object{families("IPv6")}, "", NetworkSettings{}, Network{Domain: "cluster.local", IPv6: true, Only: true}, NetworkSettings{IPv6: true}},
		{"IPv6 first", []runtime.Object{families("IPv6", "IPv4")}, "", NetworkSettings{}, Network{Domain: "cluster.local", IPv6: true}, NetworkSettings{IPv6: true}},
		{"IPv4 first", []runtime.Object{families("IPv4", "IPv6")}, "", NetworkSettings{}, Network{Domain: "cluster.local"}, NetworkSettings{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := &Engine{cluster: &cluster.Cluster{Dynamic: fake.NewSimpleDynamicClient(runtime.NewScheme(), tt.objects...)}}
			i := &Intent{Manifests: components.Options{ClusterDomain: tt.flag}, recordedNetwork: tt.recorded}
			got, err := i.network(t.Context(), e)
			if err != nil {
				t.Fatal(err)
			}
			if got.How == "" {
				t.Error("it does not say how it is known")
			}
			got.How = ""
			if *got != tt.want {
				t.Errorf("network = %+v, want %+v", *got, tt.want)
			}
			i.apply(got)
			if s := i.networkSettings(); s != tt.settings {
				t.Errorf("recorded %+v, want %+v", s, tt.settings)
			}
			if o := (Settings{Network: tt.settings}).Options(); o.IPv6 != got.IPv6 || o.ClusterDomain != tt.settings.Domain {
				t.Errorf("the settings are rendered with %q, IPv6 %v", o.ClusterDomain, o.IPv6)
			}
		})
	}
}
