package preflight

import (
	"fmt"
	"slices"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// patience is how long the deletion of something may take before it counts as stuck.
const patience = time.Minute

// Webhook is an admission webhook whose Service does not exist.
type Webhook struct {
	Configuration report.Ref
	Name, Service string
	// Refuses tells that it would refuse an object of the stack, Example.
	Refuses bool
	Example string
}

// findLeftovers: what is left of something that was here before.
func findLeftovers(f *Facts) (string, []report.Cause) {
	var causes []report.Cause
	for i := range f.Terminating {
		causes = append(causes, f.terminating(&f.Terminating[i]))
	}
	for _, r := range f.Leaving {
		age := f.Time.Sub(r.Since)
		c := report.Cause{
			Name: diagnose.StuckTerminating, Severity: report.Warning, Component: r.Component, Object: r.Ref,
			Summary:  fmt.Sprintf("%s is being deleted; install waits until it is deleted", r.Ref),
			Evidence: []string{fmt.Sprintf("deleted %s ago, finalizers: %s", duration.HumanDuration(age), strings.Join(r.Finalizers, ", "))},
			Remedy:   fmt.Sprintf("kubectl get %s -o yaml; start the owner of the finalizers again", kubectlName(r.Ref)),
		}
		if age > patience {
			c.Severity = report.Fatal
			c.Summary = fmt.Sprintf("%s is stuck in deletion", r.Ref)
		}
		causes = append(causes, c)
	}
	for _, w := range f.Webhooks {
		c := report.Cause{
			Name: diagnose.WebhookServiceMissing, Severity: report.Warning, Object: w.Configuration,
			Summary:  fmt.Sprintf("webhook %s calls Service %s, which does not exist", w.Name, w.Service),
			Evidence: []string{"failurePolicy Fail: what it selects is denied"},
			Remedy:   fmt.Sprintf("reinstall what it belongs to or, if that was removed for good: kubectl delete %s", kubectlName(w.Configuration)),
		}
		if w.Refuses {
			c.Severity = report.Fatal
			c.Evidence = append(c.Evidence, "it selects "+w.Example)
		}
		causes = append(causes, c)
	}
	causes = append(causes, f.strangeFilters()...)
	switch {
	case f.Earlier && f.Created > 0:
		causes = append(causes, report.Cause{
			Name: diagnose.EarlierInstallation, Severity: report.Info, Object: report.Ref{Kind: "ConfigMap", Namespace: "kube-system", Name: "kubectl-jupyter"},
			Summary:  fmt.Sprintf("an installation exists, but %d of its %d objects do not: they will be created", f.Created, f.Objects),
			Evidence: []string{fmt.Sprintf("release %s, profile %s", f.Release.Name, f.Profile)},
			Remedy:   "none: kubectl jupyter install completes it; to remove it: kubectl jupyter uninstall",
		})
	case !f.Earlier && f.Kept > 0:
		causes = append(causes, report.Cause{
			Name: diagnose.EarlierInstallation, Severity: report.Info,
			Summary:  fmt.Sprintf("%s of an earlier installation exist, as uninstall keeps them: they are reused", report.Count(f.Kept, "object")),
			Evidence: []string{"they have this plugin's label, and there is no inventory"},
			Remedy:   "none",
		})
	}
	var names []string
	for _, c := range causes {
		names = append(names, c.Summary)
	}
	if len(names) == 0 {
		return "nothing left over", nil
	}
	return some(names, 1), causes
}

// terminating: nothing can be created in a namespace that is being deleted.
func (f *Facts) terminating(ns *corev1.Namespace) report.Cause {
	age := f.Time.Sub(ns.DeletionTimestamp.Time)
	c := report.Cause{
		Name: diagnose.NamespaceTerminating, Severity: report.Warning, Object: report.Ref{Kind: "Namespace", Name: ns.Name},
		Summary:  fmt.Sprintf("namespace %s is being deleted; install waits until it is deleted", ns.Name),
		Evidence: []string{fmt.Sprintf("deleted %s ago", duration.HumanDuration(age))},
		Remedy:   fmt.Sprintf("wait: kubectl wait --for=delete namespace/%s --timeout=5m", ns.Name),
	}
	var held []string
	for _, cond := range ns.Status.Conditions {
		if cond.Status == corev1.ConditionTrue {
			held = append(held, fmt.Sprintf("%s: %s", cond.Type, cond.Message))
		}
	}
	c.Evidence = append(c.Evidence, held...)
	if age > patience {
		c.Severity = report.Fatal
		c.Summary = fmt.Sprintf("namespace %s is stuck in deletion", ns.Name)
		c.Remedy = "start the owner of the objects in the evidence again, so that it removes its finalizers; then " + c.Remedy
	}
	return c
}

func kubectlName(r report.Ref) string {
	kind := strings.ToLower(r.Kind)
	if r.Namespace == "" {
		return kind + " " + r.Name
	}
	return "-n " + r.Namespace + " " + kind + " " + r.Name
}

// hook is one entry of either kind of webhook configuration.
type hook struct {
	configuration report.Ref
	name          string
	service       *admissionv1.ServiceReference
	fails         bool
	rules         []admissionv1.RuleWithOperations
	namespaces    *metav1.LabelSelector
	objects       *metav1.LabelSelector
	// conditional: whether it is asked at all depends on an expression.
	conditional bool
}

func hooks(mutating []admissionv1.MutatingWebhookConfiguration, validating []admissionv1.ValidatingWebhookConfiguration) []hook {
	const group = "admissionregistration.k8s.io"
	fails := func(p *admissionv1.FailurePolicyType) bool { return p == nil || *p == admissionv1.Fail }
	var out []hook
	for _, c := range mutating {
		for _, w := range c.Webhooks {
			out = append(out, hook{
				report.Ref{Group: group, Kind: "MutatingWebhookConfiguration", Name: c.Name},
				w.Name, w.ClientConfig.Service,
				fails(w.FailurePolicy), w.Rules, w.NamespaceSelector, w.ObjectSelector, len(w.MatchConditions) > 0,
			})
		}
	}
	for _, c := range validating {
		for _, w := range c.Webhooks {
			out = append(out, hook{
				report.Ref{Group: group, Kind: "ValidatingWebhookConfiguration", Name: c.Name},
				w.Name, w.ClientConfig.Service,
				fails(w.FailurePolicy), w.Rules, w.NamespaceSelector, w.ObjectSelector, len(w.MatchConditions) > 0,
			})
		}
	}
	return out
}

// selects tells whether a webhook would be asked about the creation of an object.
// resource is the plural name; namespaces are the labels of those that the stack brings.
func (h *hook) selects(u *unstructured.Unstructured, resource string, namespaces map[string]map[string]string) bool {
	gvk := u.GroupVersionKind()
	has := func(list []string, s string) bool { return slices.Contains(list, "*") || slices.Contains(list, s) }
	if !slices.ContainsFunc(h.rules, func(r admissionv1.RuleWithOperations) bool {
		create := slices.Contains(r.Operations, admissionv1.OperationAll) || slices.Contains(r.Operations, admissionv1.Create)
		return create && has(r.APIGroups, gvk.Group) && (has(r.Resources, resource) || slices.Contains(r.Resources, "*/*"))
	}) {
		return false
	}
	matches := func(s *metav1.LabelSelector, l map[string]string) bool {
		if s == nil {
			return true
		}
		selector, err := metav1.LabelSelectorAsSelector(s)
		return err == nil && selector.Matches(labels.Set(l))
	}
	if !matches(h.objects, u.GetLabels()) {
		return false
	}
	switch ns := u.GetNamespace(); {
	case gvk.Kind == "Namespace":
		return matches(h.namespaces, withName(u.GetLabels(), u.GetName()))
	case ns != "":
		return matches(h.namespaces, withName(namespaces[ns], ns))
	}
	return true // a namespace selector says nothing about cluster-scoped objects
}

// withName adds the label that the server gives every namespace.
func withName(l map[string]string, name string) map[string]string {
	out := map[string]string{corev1.LabelMetadataName: name}
	for k, v := range l {
		out[k] = v
	}
	return out
}

// findStorage: without a default class every notebook waits for its volume.
func findStorage(f *Facts) (string, []report.Cause) {
	var names, defaults []string
	for i := range f.Classes {
		c := &f.Classes[i]
		names = append(names, c.Name)
		if diagnose.IsDefault(*c) {
			defaults = append(defaults, fmt.Sprintf("%s (%s)", c.Name, c.Provisioner))
		}
	}
	if len(f.Undriven) > 0 {
		return "the driver of the default StorageClass is not installed", []report.Cause{{
			Name: diagnose.StorageDriverMissing, Severity: report.Warning,
			Summary:  "the driver of the default StorageClass is not installed: notebooks will wait for their volumes",
			Evidence: []string{"default: " + strings.Join(defaults, ", "), "CSIDriver " + strings.Join(f.Undriven, ", ") + ": not found"},
			Remedy:   "install the driver, such as your platform's add-on, or make a class the default whose driver is installed: kubectl get csidrivers,storageclass",
		}}
	}
	if byHand := f.madeByHand(); len(byHand) > 0 {
		return "the default StorageClass creates no volumes", []report.Cause{{
			Name: diagnose.StorageDriverMissing, Severity: report.Warning,
			Summary:  "the default StorageClass creates no volumes: notebooks will wait until somebody makes them by hand",
			Evidence: []string{"default: " + strings.Join(byHand, ", ")},
			Remedy:   "make a class with a provisioner the default: kubectl get storageclass",
		}}
	}
	if len(defaults) > 0 {
		return "the default StorageClass is " + strings.Join(defaults, ", "), nil
	}
	const mark = "kubectl annotate storageclass NAME storageclass.kubernetes.io/is-default-class=true"
	c := report.Cause{
		Name: diagnose.NoDefaultStorageClass, Severity: report.Warning,
		Summary:  "the cluster has no default StorageClass: notebooks will wait for their volumes",
		Evidence: []string{"classes: " + strings.Join(names, ", ")},
		Remedy:   "kubectl get storageclass; then: " + mark,
	}
	if len(names) == 0 {
		c.Evidence = []string{"classes: none"}
		c.Remedy = "install a provisioner, such as your platform's or local-path-provisioner, and mark its StorageClass: " + mark
	}
	return "no StorageClass is the default", []report.Cause{c}
}

// madeByHand are default classes without a provisioner.
func (f *Facts) madeByHand() []string {
	var out []string
	for i := range f.Classes {
		if c := &f.Classes[i]; diagnose.IsDefault(*c) && c.Provisioner == diagnose.NoProvisioner {
			out = append(out, fmt.Sprintf("%s (%s)", c.Name, c.Provisioner))
		}
	}
	return out
}

// findAddress: without a controller of load balancers people come in another way.
func findAddress(f *Facts) (string, []report.Cause) {
	if len(f.Address.PortsTaken) > 0 {
		return f.Address.String() + " assigns addresses of nodes, whose ports another Service has", []report.Cause{{
			Name: diagnose.HostPortsTaken, Severity: report.Warning,
			Summary:  f.Address.Product + " serves the gateway only where its ports of the nodes are free, and another Service has them",
			Evidence: f.Address.PortsTaken,
			Remedy:   "start k3s with --disable traefik or with --disable servicelb before kubectl jupyter expose, or use --type NodePort",
		}}
	}
	if f.Address.Provider != "" && f.Address.Provider != "None" {
		return f.Address.String() + " assigns LoadBalancer addresses", nil
	}
	return "nothing assigns LoadBalancer addresses", []report.Cause{{
		Name: diagnose.NoLoadBalancerController, Severity: report.Info,
		Summary:  "nothing in the cluster assigns addresses to Services of type LoadBalancer",
		Evidence: f.Address.Evidence,
		Remedy:   "kubectl jupyter expose, once the stack is installed; kubectl jupyter port-forward needs no address",
	}}
}
