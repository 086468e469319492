package login

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// flow is a connection that the way in needs.
type flow struct {
	component           string
	namespace, workload string
	// says is what the workload is called, port its pods' TCP port.
	says string
	port int32
	// from is the workload that connects; without one it is clients outside of the cluster.
	fromNamespace, from string
}

// flows of the stack, in the order of a request. That of the gateway depends on its Gateway.
var flows = []flow{
	{proxyComponent, proxyNamespace, proxyName, "oauth2-proxy", 4180, istioNamespace, gatewayService},
	{dexComponent, dexNamespace, dexName, "Dex", 5556, istioNamespace, gatewayService},
	{dexComponent, dexNamespace, dexName, "Dex", 5556, istioNamespace, istiodName},
	{dexComponent, dexNamespace, dexName, "Dex", 5556, proxyNamespace, proxyName},
	{webAppComponent, stackNamespace, webAppWorkload, "the web app", 5000, istioNamespace, gatewayService},
}

const istiodName = "istiod"

// NetworkPolicyCauses name the policies that cut pieces of the way in off from each other,
// the gateway from clients outside, or people's notebooks from the gateway. Secure tells
// that the gateway serves HTTPS. Pods are those of the stack's namespaces, mesh those with a
// sidecar; a piece of which there is no pod is left out.
func NetworkPolicyCauses(policies []networkingv1.NetworkPolicy, pods, mesh []corev1.Pod, secure bool) []report.Cause {
	if len(policies) == 0 {
		return nil
	}
	var causes []report.Cause
	all := append([]flow{{istioComponent, istioNamespace, gatewayService, "the gateway", diagnose.GatewayPort(secure), "", ""}}, flows...)
	for _, f := range all {
		from := diagnose.Outside
		if f.from != "" {
			p := podOf(pods, f.fromNamespace, f.from)
			if p == nil {
				continue
			}
			from = diagnose.Peer{Says: f.from, Namespace: p.Namespace, Labels: p.Labels}
		}
		if to := podOf(pods, f.namespace, f.workload); to != nil {
			if c := diagnose.NetworkPolicyCause(policies, f.component, to, f.says, f.port, from); c != nil {
				causes = append(causes, *c)
			}
		}
	}
	gateway := podOf(pods, istioNamespace, gatewayService)
	if gateway == nil {
		return causes
	}
	from := diagnose.Peer{Says: "the gateway", Namespace: gateway.Namespace, Labels: gateway.Labels}
	for i := range mesh {
		if p := &mesh[i]; p.Labels[notebookLabel] != "" && p.DeletionTimestamp == nil {
			if c := notebookBlocked(policies, p, from); c != nil {
				causes = append(causes, *c)
			}
		}
	}
	return causes
}

func notebookBlocked(policies []networkingv1.NetworkPolicy, p *corev1.Pod, gateway diagnose.Peer) *report.Cause {
	return diagnose.NetworkPolicyCause(policies, "", p, "notebook "+p.Namespace+"/"+p.Labels[notebookLabel], notebookPort, gateway)
}

// hopComponents are what the probes of a check ask through the gateway.
var hopComponents = map[string]string{
	"dex": dexComponent, "oauth2-proxy": proxyComponent, "sign-in page": proxyComponent, "web app": webAppComponent, "changes": webAppComponent,
}

// blocked are the policies that explain why pieces do not answer; what answers is not cut
// off, whatever policies say.
func (w *walk) blocked() []report.Cause {
	unreachable := func(cause string) bool { return strings.HasSuffix(cause, "Unreachable") }
	silent := map[string]bool{}
	for _, c := range w.causes {
		if unreachable(c.Name) {
			silent[c.Component] = true
		}
	}
	// A packet that is dropped looks like a gateway that does not answer in time.
	for _, p := range w.result.Probes {
		if p.Outcome == report.ProbeFailed && unreachable(p.Cause) {
			silent[hopComponents[p.Hop]] = true
		}
	}
	if w.o.Through == ThroughPortForward {
		silent[istioComponent] = false // it does not come from outside
	}
	var causes []report.Cause
	for _, c := range NetworkPolicyCauses(w.g.NetworkPolicies, w.g.Pods, nil, w.base.Scheme == "https") {
		if silent[c.Component] {
			c.Severity = report.Error
			causes = append(causes, c)
		}
	}
	return causes
}

// notebookPort is where notebook servers listen.
const notebookPort = 8888

// podOf finds a pod of a Deployment, by the names that Deployments give their pods.
func podOf(pods []corev1.Pod, namespace, deployment string) *corev1.Pod {
	i := slices.IndexFunc(pods, func(p corev1.Pod) bool {
		rest, ok := strings.CutPrefix(p.Name, deployment+"-")
		return ok && p.Namespace == namespace && p.DeletionTimestamp == nil && strings.Count(rest, "-") == 1
	})
	if i < 0 {
		return nil
	}
	return &pods[i]
}
