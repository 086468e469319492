package diagnose

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// policiesOf reads documents, all of the gateway's namespace.
func policiesOf(t *testing.T, docs ...string) []networkingv1.NetworkPolicy {
	t.Helper()
	var out []networkingv1.NetworkPolicy
	for i, doc := range docs {
		var p networkingv1.NetworkPolicy
		if err := yaml.UnmarshalStrict([]byte("spec: "+doc), &p); err != nil {
			t.Fatalf("%v\n%s", err, doc)
		}
		p.Namespace, p.Name = "istio-system", string(rune('a'+i))
		out = append(out, p)
	}
	return out
}

func TestAPeerIsCutOffWherePoliciesSelectAPodAndNoneAdmitsIt(t *testing.T) {
	const (
		sameNamespace = `{podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {}}]}]}`
		denyAll       = `{podSelector: {}, policyTypes: [Ingress]}`
		knative       = `{podSelector: {matchLabels: {app: istio-ingressgateway}}, ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: knative-serving}}}], ports: [{port: 8080}]}]}`
		everybody     = `{podSelector: {matchLabels: {app: istio-ingressgateway}}, ingress: [{ports: [{port: 8080, protocol: TCP}, {port: 8443, protocol: TCP}]}]}`
		otherPods     = `{podSelector: {matchLabels: {app: istiod}}, ingress: [{}]}`
		egress        = `{podSelector: {}, policyTypes: [Egress]}`
		company       = `{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24}}]}]}`
		named         = `{podSelector: {}, ingress: [{ports: [{port: http2}]}]}`
		udp           = `{podSelector: {}, ingress: [{ports: [{port: 8080, protocol: UDP}]}]}`
		aRange        = `{podSelector: {}, ingress: [{ports: [{port: 8000, endPort: 8100}]}]}`
		teams         = `{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: a}}}]}]}`
		pods          = `{podSelector: {}, ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: proxy}}}]}]}`
	)
	outside := Peer{Says: "clients"}
	for _, tt := range []struct {
		name     string
		policies []string
		from     Peer
		// by are the policies that cut it off, empty where the connection is admitted.
		by string
	}{
		{"no policy at all", nil, outside, ""},
		{"upstream's policies", []string{sameNamespace, knative, otherPods}, outside, "ab"},
		{"upstream's policies and one for everybody", []string{sameNamespace, knative, everybody}, outside, ""},
		{"somebody denies everything", []string{denyAll}, outside, "a"},
		{"somebody denies everything beside a policy for everybody: policies add up", []string{denyAll, everybody}, outside, ""},
		{"policies for other pods", []string{otherPods}, outside, ""},
		{"a policy for what goes out", []string{egress}, outside, ""},
		{"somebody has named addresses", []string{company}, outside, ""},
		{"a port by its name", []string{named}, outside, ""},
		{"another protocol", []string{udp}, outside, "a"},
		{"a range of ports", []string{aRange}, outside, ""},
		{"a pod of the same namespace", []string{sameNamespace}, Peer{Namespace: "istio-system"}, ""},
		{"a pod of another namespace", []string{sameNamespace}, Peer{Namespace: "team"}, "a"},
		{"a namespace by its name", []string{knative}, Peer{Namespace: "knative-serving"}, ""},
		{"a namespace by a label that is not known here", []string{teams}, Peer{Namespace: "team"}, ""},
		{"pods of any namespace by a label", []string{pods}, Peer{Namespace: "team", Labels: map[string]string{"app": "proxy"}}, ""},
		{"pods without that label", []string{pods}, Peer{Namespace: "team", Labels: map[string]string{"app": "other"}}, "a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			gateway := &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Namespace: "istio-system", Name: "istio-ingressgateway-1", Labels: map[string]string{"app": "istio-ingressgateway"}},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "http2", ContainerPort: 8080}}}}},
			}
			var names strings.Builder
			for _, ref := range CutOff(policiesOf(t, tt.policies...), gateway, 8080, tt.from) {
				names.WriteString(ref.Name)
			}
			if names.String() != tt.by {
				t.Errorf("cut off by %q, want %q", names.String(), tt.by)
			}
		})
	}
}
