package components_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// peer is who opens a connection: a pod of a namespace, or somebody whom no selector
// finds (the zero value): a person outside, the API server.
type peer struct {
	namespace string
	labels    map[string]string
}

func selects(t *testing.T, s *metav1.LabelSelector, set map[string]string) bool {
	t.Helper()
	selector, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		t.Fatal(err)
	}
	return selector.Matches(labels.Set(set))
}

// admitted tells whether the policies let a connection to the workload's port through,
// and whether any of them is about its pods at all.
func admitted(t *testing.T, objects []*unstructured.Unstructured, from peer, to *unstructured.Unstructured, port int32) (through, isolated bool) {
	t.Helper()
	p := pod(t, to)
	for _, u := range ofKind(objects, "NetworkPolicy") {
		policy := typed[networkingv1.NetworkPolicy](t, u)
		if policy.Namespace != to.GetNamespace() || !selects(t, &policy.Spec.PodSelector, p.Labels) {
			continue
		}
		isolated = true
		for _, rule := range policy.Spec.Ingress {
			through = through || fromPeer(t, rule.From, from, policy.Namespace) && toPort(rule.Ports, p, port)
		}
	}
	return through || !isolated, isolated
}

func fromPeer(t *testing.T, peers []networkingv1.NetworkPolicyPeer, from peer, own string) bool {
	t.Helper()
	for _, p := range peers {
		namespace := from.namespace == own
		if p.NamespaceSelector != nil {
			namespace = from.namespace != "" && selects(t, p.NamespaceSelector, map[string]string{corev1.LabelMetadataName: from.namespace})
		}
		if namespace && (p.PodSelector == nil || selects(t, p.PodSelector, from.labels)) {
			return true
		}
	}
	return len(peers) == 0
}

func toPort(ports []networkingv1.NetworkPolicyPort, p *corev1.PodTemplateSpec, port int32) bool {
	for _, allowed := range ports {
		if allowed.Port.IntVal == port {
			return true
		}
		for _, c := range p.Spec.Containers {
			for _, named := range c.Ports {
				if named.Name != "" && named.Name == allowed.Port.StrVal && named.ContainerPort == port {
					return true
				}
			}
		}
	}
	return len(ports) == 0
}

func TestNetworkPoliciesLetThroughWhatTheStackNeeds(t *testing.T) {
	objects := render(t, "26.03", components.Options{})
	var (
		nobody   = peer{}
		gateway  = peer{"istio-system", map[string]string{"app": "istio-ingressgateway", "istio": "ingressgateway"}}
		istiod   = peer{"istio-system", map[string]string{"app": "istiod", "istio": "pilot"}}
		proxy    = peer{"oauth2-proxy", map[string]string{"app.kubernetes.io/name": "oauth2-proxy"}}
		notebook = peer{"kubeflow-user-example-com", map[string]string{"app": "mine"}}
	)
	for _, test := range []struct {
		name               string
		from               peer
		namespace, program string
		port               int32
		want               bool
	}{
		{"people reach the gateway", nobody, "istio-system", "istio-ingressgateway", 8080, true},
		{"with HTTPS too", nobody, "istio-system", "istio-ingressgateway", 8443, true},
		{"a load balancer asks whether it is well", nobody, "istio-system", "istio-ingressgateway", 15021, true},
		{"nobody reads its metrics", nobody, "istio-system", "istio-ingressgateway", 15090, false},
		{"sidecars get their certificates", notebook, "istio-system", "istiod", 15012, true},
		{"the API server calls the injector", nobody, "istio-system", "istiod", 15017, true},
		{"nobody speaks to istiod without TLS", notebook, "istio-system", "istiod", 15010, false},
		{"the gateway asks who it is", gateway, "oauth2-proxy", "oauth2-proxy", 4180, true},
		{"nobody else does", notebook, "oauth2-proxy", "oauth2-proxy", 4180, false},
		{"people log in through the gateway", gateway, "auth", "dex", 5556, true},
		{"istiod fetches keys", istiod, "auth", "dex", 5556, true},
		{"oauth2-proxy redeems codes", proxy, "auth", "dex", 5556, true},
		{"a notebook does not reach Dex", notebook, "auth", "dex", 5556, false},
		{"the gateway leads to the web app", gateway, "kubeflow", "jupyter-web-app-deployment", 5000, true},
		{"a notebook does not reach the web app", notebook, "kubeflow", "jupyter-web-app-deployment", 5000, false},
		{"the gateway leads to KFAM", gateway, "kubeflow", "profiles-deployment", 8081, true},
		{"the API server calls the PodDefaults webhook", nobody, "kubeflow", "poddefaults-webhook-deployment", 4443, true},
		{"a notebook does not reach the notebook controller", notebook, "kubeflow", "notebook-controller-deployment", 8081, false},
		{"the API server calls cert-manager's webhook", nobody, "cert-manager", "cert-manager-webhook", 10250, true},
		{"nobody reads cert-manager's metrics", notebook, "cert-manager", "cert-manager", 9402, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if through, _ := admitted(t, objects, test.from, find(t, objects, "Deployment", test.namespace, test.program), test.port); through != test.want {
				t.Errorf("admitted: %t, want %t", through, test.want)
			}
		})
	}
	for _, u := range ofKind(objects, "Deployment") {
		if _, isolated := admitted(t, objects, nobody, u, 1); !isolated && u.GetNamespace() != "metallb-system" {
			t.Errorf("%s: no policy is about its pods", id(u))
		}
	}
}

func TestObjectsHaveNoFieldThatTheirKindLacks(t *testing.T) {
	forEachVariant(t, func(t *testing.T, objects []*unstructured.Unstructured) {
		checked := 0
		for _, u := range objects {
			kind, err := scheme.Scheme.New(u.GroupVersionKind())
			if err != nil {
				continue // not one of Kubernetes' own
			}
			checked++
			if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(u.Object, kind, true); err != nil {
				t.Errorf("%s: %v", id(u), err)
			}
		}
		if checked == 0 {
			t.Error("no kind of Kubernetes' own was rendered")
		}
	})
}
