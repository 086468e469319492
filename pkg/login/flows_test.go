package login

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// stackPod is one of a Deployment, by its name.
func stackPod(namespace, deployment, app string) corev1.Pod {
	return corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: deployment + "-5d9f-abcde", Labels: map[string]string{"app": app}}}
}

var stackPods = []corev1.Pod{
	stackPod(istioNamespace, gatewayService, "istio-ingressgateway"),
	stackPod(istioNamespace, istiodName, "istiod"),
	stackPod(proxyNamespace, proxyName, "oauth2-proxy"),
	stackPod(dexNamespace, dexName, "dex"),
	stackPod(stackNamespace, webAppWorkload, "jupyter-web-app"),
}

// admitting makes a policy of a namespace for all of its pods.
func admitting(t *testing.T, namespace, ingress string) networkingv1.NetworkPolicy {
	t.Helper()
	p := *parse[networkingv1.NetworkPolicy](t, `{spec: {podSelector: {}, policyTypes: [Ingress], ingress: `+ingress+`}}`)
	p.Namespace, p.Name = namespace, "one"
	return p
}

const ownNamespace = `[{from: [{podSelector: {}}]}]`

func TestPiecesThatPoliciesCutOffAreNamed(t *testing.T) {
	fromGateway := `[{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: istio-system}}, podSelector: {matchLabels: {app: istio-ingressgateway}}}]}]`
	for _, tt := range []struct {
		name     string
		policies []networkingv1.NetworkPolicy
		want     []string
	}{
		{"no policies", nil, nil},
		{"the gateway is for its namespace only", []networkingv1.NetworkPolicy{admitting(t, istioNamespace, ownNamespace)}, []string{"istio: clients outside of the cluster"}},
		{"the gateway is for everybody", []networkingv1.NetworkPolicy{admitting(t, istioNamespace, ownNamespace), admitting(t, istioNamespace, `[{ports: [{port: 8080}]}]`)}, nil},
		{"oauth2-proxy is for its namespace only", []networkingv1.NetworkPolicy{admitting(t, proxyNamespace, ownNamespace)}, []string{"oauth2-proxy: istio-ingressgateway"}},
		{
			"Dex is for the gateway only",
			[]networkingv1.NetworkPolicy{admitting(t, dexNamespace, fromGateway)},
			[]string{"dex: istiod", "dex: oauth2-proxy"},
		},
		{"the web app is for nobody", []networkingv1.NetworkPolicy{admitting(t, stackNamespace, `[]`)}, []string{"jupyter-web-app: istio-ingressgateway"}},
		{"somebody's notebooks are closed to the gateway", []networkingv1.NetworkPolicy{admitting(t, "kubeflow-user-example-com", ownNamespace)}, []string{": the gateway"}},
		{"somebody's notebooks are open to the gateway", []networkingv1.NetworkPolicy{admitting(t, "kubeflow-user-example-com", fromGateway)}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, c := range NetworkPolicyCauses(tt.policies, stackPods, []corev1.Pod{notebookPod("ada", noon)}, false) {
				if c.Name != diagnose.NetworkPolicyBlocks || c.Severity != report.Warning || len(c.Evidence) == 0 || c.Remedy == "" {
					t.Errorf("cause %+v", c)
				}
				for _, who := range []string{diagnose.Outside.Says, "the gateway", gatewayService, istiodName, proxyName} {
					if cut := "no connections from " + who + " to"; strings.Contains(c.Summary, cut) {
						got = append(got, c.Component+": "+who)
					}
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("cut off: %q, want %q", got, tt.want)
			}
		})
	}
}

// A policy is named as the reason where something does not answer, and nowhere else: not
// every network enforces policies.
func TestAPolicyIsTheReasonOnlyOfWhatDoesNotAnswer(t *testing.T) {
	g := whole(t)
	g.Pods = stackPods
	g.NetworkPolicies = []networkingv1.NetworkPolicy{admitting(t, proxyNamespace, ownNamespace), admitting(t, stackNamespace, `[]`)}
	if r := walkTo(t, httptest.NewServer(pretence{}), g, CheckOptions{}); !r.Passed() || len(r.Causes) > 0 {
		t.Errorf("everything answers, and there are causes: %+v", r.Causes)
	}
	silent := map[string]http.HandlerFunc{"GET /oauth2/auth": says(503, "upstream connect error or disconnect/reset before headers. reset reason: connection timeout")}
	r := walkTo(t, httptest.NewServer(pretence{silent}), g, CheckOptions{})
	if len(r.Causes) < 2 || r.Causes[0].Name != diagnose.NetworkPolicyBlocks || r.Causes[0].Component != proxyComponent || r.Causes[0].Severity != report.Error {
		t.Fatalf("causes %+v, want that of oauth2-proxy's policy first", r.Causes)
	}
	for _, c := range r.Causes {
		if c.Component == webAppComponent {
			t.Errorf("the web app answers, and is a cause: %+v", c)
		}
	}

	// So is a packet that is dropped: the gateway waits longer than this machine does.
	dropped := map[string]http.HandlerFunc{"GET /oauth2/auth": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }}
	r = walkTo(t, httptest.NewServer(pretence{dropped}), g, CheckOptions{RequestTimeout: 100 * time.Millisecond})
	if !slices.ContainsFunc(r.Causes, func(c report.Cause) bool {
		return c.Name == diagnose.NetworkPolicyBlocks && c.Component == proxyComponent
	}) {
		t.Errorf("causes %+v, want that of oauth2-proxy's policy", r.Causes)
	}

	// A notebook that does not answer is looked at by itself.
	g.NetworkPolicies = []networkingv1.NetworkPolicy{admitting(t, "kubeflow-user-example-com", ownNamespace)}
	g.MeshPods = []corev1.Pod{notebookPod("first", noon), notebookPod("second", noon)}
	silent = map[string]http.HandlerFunc{"GET /notebook/kubeflow-user-example-com/first/api/events/subscribe": says(503, "upstream connect error or disconnect/reset before headers. reset reason: connection timeout")}
	r = walkTo(t, httptest.NewServer(pretence{silent}), g, CheckOptions{})
	if outcomes(r) != "PPPPPPPPFP" || len(r.Causes) != 2 || r.Causes[0].Name != diagnose.NetworkPolicyBlocks || r.Causes[1].Name != diagnose.NotebookUnreachable {
		t.Errorf("%s %+v, want the policy of the notebook's namespace, and the notebook", outcomes(r), r.Causes)
	}
}
