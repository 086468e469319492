package diagnose

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// webhookCall is what the API server says when a webhook could not be asked.
type webhookCall struct {
	webhook, service, namespace string
	port                        int
	// why is the part behind the webhook's name.
	why string
}

var (
	failedCall = regexp.MustCompile(`failed calling webhook "([^"\n]+)": (.*)`)
	// noAnswer is the same in fewer words, as it is said while a call is tried again.
	noAnswer  = regexp.MustCompile(`webhook ([a-z0-9][a-z0-9.-]*) does not answer yet: (.*)`)
	calledURL = regexp.MustCompile(`https://([a-z0-9-]+)\.([a-z0-9-]+)\.svc(?:\.[a-z0-9.-]+)?(?::(\d+))?/`)
	// conversionCall: a CRD's conversion webhook has no name of its own.
	conversionCall = regexp.MustCompile(`conversion webhook for ([^ \n]+,? ?[^ \n]*) failed: (.*)`)
)

var quotedURL = regexp.MustCompile(`"https?://[^"\n]*"`)

func parseWebhookCall(message string) (webhookCall, bool) {
	message = strings.ReplaceAll(message, "\n", " ")
	m := failedCall.FindStringSubmatch(message)
	if m == nil {
		m = noAnswer.FindStringSubmatch(message)
	}
	if m == nil {
		m = conversionCall.FindStringSubmatch(message)
	}
	if m == nil {
		return webhookCall{}, false
	}
	call := webhookCall{webhook: m[1], why: m[2]}
	if u := calledURL.FindStringSubmatch(message); u != nil {
		call.service, call.namespace = u[1], u[2]
		call.port, _ = strconv.Atoi(u[3])
	}
	return call, true
}

// webhook is one entry of a webhook configuration.
type webhook struct {
	configuration report.Ref
	name          string
	service       *admissionv1.ServiceReference
	caBundle      []byte
}

// configuredWebhooks are the entries of one configuration, or of all when ref is empty.
func (s *Snapshot) configuredWebhooks(ref report.Ref) []webhook {
	var all []webhook
	add := func(kind, configuration, name string, client admissionv1.WebhookClientConfig) {
		r := report.Ref{Group: "admissionregistration.k8s.io", Kind: kind, Name: configuration}
		if ref == (report.Ref{}) || plain(ref) == plain(r) {
			all = append(all, webhook{r, name, client.Service, client.CABundle})
		}
	}
	for _, c := range s.Mutating {
		for _, w := range c.Webhooks {
			add("MutatingWebhookConfiguration", c.Name, w.Name, w.ClientConfig)
		}
	}
	for _, c := range s.Validating {
		for _, w := range c.Webhooks {
			add("ValidatingWebhookConfiguration", c.Name, w.Name, w.ClientConfig)
		}
	}
	return all
}

func (s *Snapshot) webhook(name string) *webhook {
	for _, w := range s.configuredWebhooks(report.Ref{}) {
		if w.name == name {
			return &w
		}
	}
	return nil
}

// findWebhookConfiguration: a configuration is a subject when its webhook does not
// answer as it should.
func findWebhookConfiguration(s *Snapshot, sub Subject) []report.Cause {
	if sub.Ref.Kind != "MutatingWebhookConfiguration" && sub.Ref.Kind != "ValidatingWebhookConfiguration" {
		return nil
	}
	// The entries of a configuration mostly share a service, and then what is wrong.
	type backend struct {
		namespace, name string
		ca              bool
	}
	var order []backend
	entries := map[backend][]webhook{}
	for _, w := range s.configuredWebhooks(sub.Ref) {
		if w.service == nil {
			continue
		}
		b := backend{w.service.Namespace, w.service.Name, len(w.caBundle) > 0}
		if entries[b] == nil {
			order = append(order, b)
		}
		entries[b] = append(entries[b], w)
	}
	var causes []report.Cause
	for _, b := range order {
		w := entries[b][0]
		if more := len(entries[b]) - 1; more > 0 {
			w.name = fmt.Sprintf("%s (and %d more in the configuration)", w.name, more)
		}
		causes = append(causes, s.webhookBackend(sub, w)...)
	}
	return causes
}

// webhookFailed explains why the API server could not ask a webhook. victim is what
// could not be created without its answer.
func (s *Snapshot) webhookFailed(sub Subject, call webhookCall, victim report.Ref, said string) []report.Cause {
	w := webhook{name: call.webhook}
	if known := s.webhook(call.webhook); known != nil {
		w = *known
	}
	if w.service == nil && call.service != "" {
		w.service = &admissionv1.ServiceReference{Namespace: call.namespace, Name: call.service}
	}
	object := w.configuration
	if object == (report.Ref{}) {
		object = victim
	}
	component := s.component(object)
	if component == "" {
		component = sub.Component // the one that is held up
	}
	// The address that was asked says nothing: a Service may be named certificate or timeout.
	why := strings.ToLower(quotedURL.ReplaceAllString(call.why, ""))
	backend := s.webhookBackend(Subject{Component: component, Ref: object}, w)
	proven := false
	for i := range backend {
		if backend[i].Object == object {
			backend[i].Evidence = append([]string{said}, backend[i].Evidence...)
			backend[i].Also = append(backend[i].Also, victim)
			proven = true
		}
	}
	if proven {
		return backend
	}
	c := report.Cause{
		Severity: report.Error, Component: component, Object: object, Also: []report.Ref{victim},
		Evidence: []string{said},
	}
	service := "its service"
	pods := "its pods"
	if w.service != nil {
		service = "service " + w.service.Namespace + "/" + w.service.Name
		pods = fmt.Sprintf("kubectl -n %s get endpointslices,pods", w.service.Namespace)
	}
	ready := w.service != nil && s.readyEndpoints(w.service.Namespace, w.service.Name) > 0
	switch {
	case ready && (strings.Contains(why, "no endpoints available") || strings.Contains(why, "connection refused")):
		// Controllers come back to what was refused later and later, a quarter of an
		// hour in the end: the webhook may have been fine for long.
		c.Name, c.Severity = WebhookUnreachable, report.Delay
		c.Summary = fmt.Sprintf("webhook %s did not answer; it now has a ready pod, and the failed requests are retried", w.name)
		c.Remedy = "wait, or retry at once: " + retry(victim)
	case strings.Contains(why, "no endpoints available"):
		c.Name, c.Summary = WebhookWithoutEndpoints, fmt.Sprintf("webhook %s has no ready pod", w.name)
		c.Remedy = pods
	case strings.Contains(why, "service ") && strings.Contains(why, "not found"):
		c.Name, c.Summary = WebhookServiceMissing, fmt.Sprintf("%s of webhook %s does not exist", service, w.name)
		c.Remedy = removeWebhook(w)
	case strings.Contains(why, "x509") || strings.Contains(why, "certificate"):
		c.Name, c.Summary = WebhookCertificateRejected, fmt.Sprintf("the API server does not trust the certificate of webhook %s", w.name)
		c.Remedy = fmt.Sprintf("the caBundle is missing or outdated; restart what writes it (cert-manager's cainjector, istiod or MetalLB's controller): %s", restartInjector(w))
		if strings.Contains(why, "expired") {
			c.Summary = fmt.Sprintf("the certificate of webhook %s has expired", w.name)
		}
	case strings.Contains(why, "deadline exceeded") || strings.Contains(why, "i/o timeout") || strings.Contains(why, "timeout awaiting"):
		c.Name, c.Summary = WebhookTimeout, fmt.Sprintf("webhook %s does not answer the API server in time", w.name)
		c.Remedy = "on a private cluster, allow the control plane to reach the nodes on tcp 15017 (Istio), 10250 (cert-manager, MetalLB) and 4443 (PodDefaults); otherwise check for a NetworkPolicy or a proxy"
	case strings.Contains(why, "address is not allowed"):
		c.Name, c.Summary = WebhookUnreachable, fmt.Sprintf("the control plane is not part of the pods' network, and cannot reach webhook %s", w.name)
		c.Remedy = fmt.Sprintf("run what is behind %s in the nodes' network (hostNetwork: true, with a port that is free there), or use a network whose pods the control plane reaches, as the VPC CNI on EKS", service)
	case ready:
		c.Name, c.Summary = WebhookUnreachable, fmt.Sprintf("the API server cannot reach webhook %s, although it has a ready pod", w.name)
		c.Remedy = "the way from the control plane to the pods is what fails: a firewall, a tunnel (konnectivity) or a network that it is not part of; the evidence has its words"
	default:
		c.Name, c.Summary = WebhookUnreachable, fmt.Sprintf("the API server cannot reach webhook %s", w.name)
		c.Remedy = pods
		// Connections are refused for some seconds after a pod has become ready, and
		// after it has gone, until every node knows.
		if strings.Contains(why, "connection refused") {
			c.Severity = report.Delay
		}
	}
	return append(backend, c)
}

// retry makes a controller try at once what it would try again later.
func retry(victim report.Ref) string {
	switch victim.Kind {
	case "Deployment", "StatefulSet", "DaemonSet":
		return kubectl("rollout restart", victim)
	}
	return "kubectl jupyter install"
}

// webhookBackend follows a webhook to its service, endpoints and pods. What it finds
// about the webhook has sub as its object, what it finds behind it has its own.
func (s *Snapshot) webhookBackend(sub Subject, w webhook) []report.Cause {
	if w.service == nil {
		return nil
	}
	ns, name := w.service.Namespace, w.service.Name
	c := report.Cause{Severity: report.Error, Component: sub.Component, Object: sub.Ref}
	service := report.Ref{Kind: "Service", Namespace: ns, Name: name}
	if s.missing(service) || s.missing(report.Ref{Kind: "Namespace", Name: ns}) {
		c.Name = WebhookServiceMissing
		c.Summary = fmt.Sprintf("service %s/%s of webhook %s does not exist", ns, name, w.name)
		c.Evidence = []string{fmt.Sprintf("service %s/%s: not found", ns, name)}
		c.Remedy = removeWebhook(w)
		return []report.Cause{c}
	}
	if s.read("endpointslices "+ns+" kubernetes.io/service-name="+name) && s.readyEndpoints(ns, name) == 0 {
		pods := s.pods(service)
		c.Name = WebhookWithoutEndpoints
		c.Summary = fmt.Sprintf("webhook %s has no ready pod", w.name)
		c.Evidence = []string{fmt.Sprintf("service %s/%s: pods: %d, ready endpoints: 0", ns, name, len(pods))}
		c.Remedy = fmt.Sprintf("kubectl -n %s get endpointslices,pods", ns)
		behind := s.behind(service)
		if len(pods) == 0 {
			behind = s.scaledToZero(sub, service)
		}
		for _, b := range behind {
			if b.Severity < report.Error {
				c.Severity = report.Delay
			}
		}
		for _, b := range behind {
			if b.Severity >= report.Error {
				c.Severity = report.Error
			}
		}
		return append(behind, c)
	}
	if len(w.caBundle) == 0 && w.configuration.Name != "" {
		c.Name = WebhookCABundleMissing
		c.Summary = fmt.Sprintf("webhook %s has no caBundle, so the API server cannot verify it", w.name)
		c.Evidence = []string{fmt.Sprintf("%s: clientConfig.caBundle is empty: webhook %s", w.configuration, w.name)}
		// It is written some seconds after the pod behind it is ready.
		if since, ok := s.readySince(service); !ok || s.Time.Sub(since) < patience {
			c.Severity = report.Delay
		}
		c.Remedy = "what writes it (cert-manager's cainjector, istiod or MetalLB's controller) is not ready or has not processed it; restart it: " + restartInjector(w)
		return []report.Cause{c}
	}
	return nil
}

// readySince is when the first pod behind a service became ready.
func (s *Snapshot) readySince(service report.Ref) (time.Time, bool) {
	var first time.Time
	for _, p := range s.pods(service) {
		c := podCondition(p, corev1.PodReady)
		if healthy(p) && c != nil && (first.IsZero() || c.LastTransitionTime.Time.Before(first)) {
			first = c.LastTransitionTime.Time
		}
	}
	return first, !first.IsZero()
}

// scaledToZero: somebody has switched off what is behind a service.
func (s *Snapshot) scaledToZero(sub Subject, service report.Ref) []report.Cause {
	svc := s.service(service.Namespace, service.Name)
	if svc == nil || len(svc.Spec.Selector) == 0 {
		return nil
	}
	selector := labels.SelectorFromSet(svc.Spec.Selector)
	wanted := map[report.Ref]int32{}
	for i := range s.ReplicaSets {
		r := &s.ReplicaSets[i]
		owner := metav1.GetControllerOf(r)
		if r.Namespace != service.Namespace || owner == nil || !selector.Matches(labels.Set(r.Spec.Template.Labels)) {
			continue
		}
		replicas := int32(1)
		if r.Spec.Replicas != nil {
			replicas = *r.Spec.Replicas
		}
		wanted[refOf(owner, r.Namespace)] += replicas
	}
	var causes []report.Cause
	for object, n := range wanted {
		if n > 0 {
			continue
		}
		component := s.component(object)
		if component == "" {
			component = sub.Component
		}
		causes = append(causes, report.Cause{
			Name: ScaledToZero, Severity: report.Error, Component: component, Object: object,
			Summary:  fmt.Sprintf("%s is scaled to zero", object),
			Evidence: []string{"replicas: 0"},
			Remedy:   fmt.Sprintf("kubectl -n %s scale %s %s --replicas=1", object.Namespace, strings.ToLower(object.Kind), object.Name),
		})
	}
	slices.SortFunc(causes, func(a, b report.Cause) int { return strings.Compare(a.Object.Name, b.Object.Name) })
	return causes
}

// behind explains the pods of a service.
func (s *Snapshot) behind(service report.Ref) []report.Cause {
	sub := Subject{Ref: service}
	var causes []report.Cause
	for _, find := range []func(*Snapshot, Subject) []report.Cause{
		eachPod(findUnschedulable), eachPod(findNode), eachPod(findImage), eachPod(findCrash), eachPod(findContainerConfig),
		eachPod(findMount), eachPod(findSandbox), eachPod(findProbe),
	} {
		causes = append(causes, find(s, sub)...)
	}
	if len(causes) == 0 {
		return eachPod(findStarting)(s, sub)
	}
	return causes
}

// removeWebhook: the configuration of a webhook whose service is gone blocks whatever
// it selects, and is of use to nobody.
func removeWebhook(w webhook) string {
	if w.configuration.Name == "" {
		return "kubectl get mutatingwebhookconfigurations,validatingwebhookconfigurations"
	}
	return fmt.Sprintf("reinstall what the webhook belongs to or, if that was removed for good, delete the configuration: kubectl delete %s %s",
		strings.ToLower(w.configuration.Kind), w.configuration.Name)
}

// restartInjector restarts who writes the caBundle: istiod and MetalLB write their own.
func restartInjector(w webhook) string {
	switch {
	case w.service == nil:
	case strings.HasPrefix(w.service.Name, "istiod"):
		return fmt.Sprintf("kubectl -n %s rollout restart deployment %s", w.service.Namespace, w.service.Name)
	case strings.HasPrefix(w.service.Name, "metallb-"):
		return fmt.Sprintf("kubectl -n %s rollout restart deployment controller", w.service.Namespace)
	}
	return "kubectl -n cert-manager rollout restart deployment cert-manager-cainjector"
}
