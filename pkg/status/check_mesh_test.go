package status

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

func TestPoliciesThatCutTheGatewayOffFromItsClientsAreNamed(t *testing.T) {
	s := lookedAt(t, "")
	s.StackPods = []corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Namespace: "istio-system", Name: "istio-ingressgateway-5d9f-abcde", Labels: map[string]string{"app": "istio-ingressgateway"}}}}
	own := networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "istio-system", Name: "same-namespace"}}
	own.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{}}}}}
	s.NetworkPolicies = []networkingv1.NetworkPolicy{own}

	// Nobody outside has an address of it yet.
	wantCause(t, checkNetworkPolicies(s), diagnose.NetworkPolicyBlocks, report.Info, "istio-system/same-namespace", "8080")
	s.WayIn = report.WayIn{URL: "https://192.0.2.10/jupyter/", Via: "LoadBalancer", Address: "192.0.2.10"}
	wantCause(t, checkNetworkPolicies(s), diagnose.NetworkPolicyBlocks, report.Warning, "8443", "clients outside of the cluster")

	everybody := own.DeepCopy()
	everybody.Name, everybody.Spec.Ingress = "everybody", []networkingv1.NetworkPolicyIngressRule{{}}
	s.NetworkPolicies = append(s.NetworkPolicies, *everybody)
	if causes := checkNetworkPolicies(s); len(causes) > 0 {
		t.Errorf("a policy admits everybody, and there are causes: %+v", causes)
	}
}
