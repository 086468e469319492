package preflight

import (
	"context"
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/exposure"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// What the policies and routes of the stack take for granted of an Istio, by which they select
// the gateway and know its requests.
const (
	gatewayAccount = "istio-ingressgateway-service-account"
	checkProvider  = "oauth2-proxy"
)

var gatewayLabels = labels.Set{"app": exposure.ServiceName, "istio": "ingressgateway"}

// Layout is what was read of an Istio that somebody else has installed and that is to be used.
type Layout struct {
	// Istiods and Gateways of the whole cluster.
	Istiods, Gateways []appsv1.Deployment
	// Service tells whether the gateway's Service is there by its name.
	Service bool
	// Mesh is the mesh's configuration, empty where there is none.
	Mesh string
	// Injectors are the webhooks that inject sidecars.
	Injectors []admissionv1.MutatingWebhook
}

// layout reads the Istio that is to be used as it is.
func (l *looker) layout(ctx context.Context) error {
	out := &Layout{}
	deployments := func(selector string, into *[]appsv1.Deployment) error {
		var list appsv1.DeploymentList
		err := l.core.list(ctx, "/apis/apps/v1/deployments", metav1.ListOptions{LabelSelector: selector, Limit: 10}, &list)
		*into = list.Items
		return err
	}
	if err := deployments("app=istiod", &out.Istiods); err != nil {
		return err
	}
	if err := deployments("istio in (ingressgateway,ingress)", &out.Gateways); err != nil {
		return err
	}
	there := func(path string, into runtime.Object) (bool, error) {
		err := l.core.get(ctx, path, into)
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return err == nil, err
	}
	var err error
	if out.Service, err = there("/api/v1/namespaces/"+exposure.Namespace+"/services/"+exposure.ServiceName, &corev1.Service{}); err != nil {
		return err
	}
	config := &corev1.ConfigMap{}
	if _, err = there("/api/v1/namespaces/"+exposure.Namespace+"/configmaps/istio", config); err != nil {
		return err
	}
	out.Mesh = config.Data["mesh"]
	var webhooks admissionv1.MutatingWebhookConfigurationList
	if err := l.core.list(ctx, "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations", metav1.ListOptions{Limit: page}, &webhooks); err != nil {
		return err
	}
	for i := range webhooks.Items {
		for _, w := range webhooks.Items[i].Webhooks {
			if strings.HasSuffix(w.Name, "sidecar-injector.istio.io") {
				out.Injectors = append(out.Injectors, w)
			}
		}
	}
	l.facts.Layout = out
	return nil
}

// differs says what the stack needs of an Istio and does not find.
func (o *Layout) differs() []string {
	var lines []string
	where := func(all []appsv1.Deployment) string {
		var names []string
		for i := range all {
			names = append(names, all[i].Namespace+"/"+all[i].Name)
		}
		if len(names) == 0 {
			return "none found"
		}
		return "found: " + strings.Join(names, ", ")
	}
	here := func(d appsv1.Deployment) bool { return d.Namespace == exposure.Namespace }
	if !slices.ContainsFunc(o.Istiods, here) {
		lines = append(lines, fmt.Sprintf("istiod is not in namespace %s (%s)", exposure.Namespace, where(o.Istiods)))
	}
	if !o.Service {
		lines = append(lines, fmt.Sprintf("the gateway's Service %s/%s does not exist (Deployments of gateways %s)", exposure.Namespace, exposure.ServiceName, where(o.Gateways)))
	}
	for i := range o.Gateways {
		d := &o.Gateways[i]
		if !here(*d) || d.Name != exposure.ServiceName {
			continue
		}
		if !gatewayLabels.AsSelector().Matches(labels.Set(d.Spec.Template.Labels)) {
			lines = append(lines, fmt.Sprintf("the gateway's pods do not have the labels %s", gatewayLabels))
		}
		if account := d.Spec.Template.Spec.ServiceAccountName; account != gatewayAccount {
			lines = append(lines, fmt.Sprintf("the gateway's ServiceAccount is %s, not %s", account, gatewayAccount))
		}
	}
	if o.Mesh != "" && !o.provides() {
		lines = append(lines, fmt.Sprintf("the mesh's configuration (ConfigMap %s/istio) has no extension provider %s", exposure.Namespace, checkProvider))
	}
	if asked, ok := o.injects(); !ok {
		lines = append(lines, "its injector does not look at namespaces with istio-injection=enabled"+asked)
	}
	return lines
}

func (o *Layout) provides() bool {
	var mesh struct {
		Providers []struct {
			Name string `json:"name"`
		} `json:"extensionProviders"`
	}
	if err := yaml.Unmarshal([]byte(o.Mesh), &mesh); err != nil {
		return false
	}
	for _, p := range mesh.Providers {
		if p.Name == checkProvider {
			return true
		}
	}
	return false
}

// injects tells whether a webhook is asked about pods of the namespaces of the stack, and
// otherwise by which revisions it is.
func (o *Layout) injects() (revisions string, ok bool) {
	of := labels.Set{"istio-injection": "enabled", corev1.LabelMetadataName: "kubeflow"}
	var known []string
	for _, w := range o.Injectors {
		s, err := metav1.LabelSelectorAsSelector(w.NamespaceSelector)
		if err == nil && w.NamespaceSelector != nil && s.Matches(of) {
			return "", true
		}
		if w.NamespaceSelector == nil {
			continue
		}
		for _, e := range w.NamespaceSelector.MatchExpressions {
			if e.Key == "istio.io/rev" && e.Operator == metav1.LabelSelectorOpIn && !slices.Contains(known, e.Values[0]) {
				known = append(known, e.Values[0])
			}
		}
	}
	if len(known) > 0 {
		revisions = ", only at those with istio.io/rev=" + strings.Join(known, " or ")
	}
	return revisions, false
}

// findLayout: an Istio of another layout leaves the web app unprotected, or unreachable.
func findLayout(f *Facts) (string, []report.Cause) {
	lines := f.Layout.differs()
	if len(lines) == 0 {
		return "the existing Istio has the layout that the stack needs", nil
	}
	return "the existing Istio has another layout than the stack needs", []report.Cause{{
		Name: diagnose.IstioLayoutDiffers, Severity: report.Fatal, Component: "istio",
		Object:   report.Ref{Kind: "Namespace", Name: exposure.Namespace},
		Summary:  "the Istio that is to be used has another layout than the stack's policies and routes are made for: the web app would be unprotected or unreachable",
		Evidence: lines,
		Remedy:   "change in it what the evidence names, or let the stack bring its own Istio (without --use-existing) on a cluster that has none",
	}}
}
