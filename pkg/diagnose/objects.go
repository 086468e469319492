package diagnose

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// findMissing: the subject, its kind or its namespace is not there.
func findMissing(s *Snapshot, sub Subject) []report.Cause {
	if len(findInMessage(s, sub)) > 0 {
		return nil // it is not there because it was refused
	}
	c := report.Cause{Severity: report.Error, Component: sub.Component, Object: sub.Ref}
	namespace := report.Ref{Kind: "Namespace", Name: sub.Ref.Namespace}
	group := sub.Ref.Group
	if group == "" {
		group = groups[sub.Ref.Kind]
	}
	switch {
	case sub.Ref.Namespace != "" && s.missing(namespace):
		if !sub.absent() {
			c.Severity = report.Delay // it may yet be made, as a Profile's is
		}
		c.Name, c.Summary = NamespaceMissing, fmt.Sprintf("namespace %s does not exist", sub.Ref.Namespace)
		c.Object, c.Also = namespace, []report.Ref{sub.Ref}
		c.Evidence = []string{"the API server has no such namespace"}
		c.Remedy = namespaceRemedy
	case s.missing(kindRef(group, sub.Ref.Kind)):
		c.Name, c.Summary = KindMissing, fmt.Sprintf("the server does not know kind %s of group %s", sub.Ref.Kind, group)
		c.Evidence = []string{fmt.Sprintf("discovery: no %s in %s", sub.Ref.Kind, group)}
		c.Remedy = fmt.Sprintf("kubectl get crds | grep %s; run kubectl jupyter install again: it installs its CRDs", group)
	case s.missing(sub.Ref) && sub.absent():
		c.Name, c.Summary = ObjectMissing, fmt.Sprintf("a required %s does not exist", sub.Ref.Kind)
		c.Evidence = []string{fmt.Sprintf("%s: not found", sub.Ref)}
		c.Remedy = "it was deleted or has not been sent: run kubectl jupyter install again"
	default:
		return nil
	}
	return []report.Cause{c}
}

// findNamespace: the namespace is going away, and what holds it up.
func findNamespace(s *Snapshot, sub Subject) []report.Cause {
	name := sub.Ref.Namespace
	if sub.Ref.Kind == "Namespace" {
		name = sub.Ref.Name
	}
	ns := s.namespace(name)
	if ns == nil || ns.Status.Phase != corev1.NamespaceTerminating {
		return nil
	}
	c := report.Cause{
		Name: NamespaceTerminating, Severity: report.Delay, Component: sub.Component,
		Object: report.Ref{Kind: "Namespace", Name: name}, Also: []report.Ref{sub.Ref},
		Summary: fmt.Sprintf("namespace %s is being deleted", name),
		Remedy:  fmt.Sprintf("wait until it is gone, then install again: kubectl wait --for=delete namespace/%s --timeout=5m", name),
	}
	for _, cond := range ns.Status.Conditions {
		if cond.Status != corev1.ConditionTrue {
			continue
		}
		c.Evidence = append(c.Evidence, event(string(cond.Type), cond.Message))
		switch cond.Type {
		case corev1.NamespaceFinalizersRemaining, corev1.NamespaceContentRemaining:
			c.Remedy = fmt.Sprintf("see what is left, and start the controllers that own the finalizers again: kubectl api-resources --verbs=list --namespaced -o name | xargs -n1 kubectl -n %s get --ignore-not-found --show-kind", name)
		case corev1.NamespaceDeletionDiscoveryFailure:
			c.Remedy = "an aggregated API does not answer; repair or delete it: kubectl get apiservices | grep False"
		}
	}
	if ns.DeletionTimestamp != nil {
		since := s.Time.Sub(ns.DeletionTimestamp.Time)
		c.Evidence = append(c.Evidence, fmt.Sprintf("deleted %s ago", age(since)))
		if since > patience {
			c.Severity = report.Error
		}
	}
	return []report.Cause{c}
}

// findCRD: a definition that the API server does not serve.
func findCRD(s *Snapshot, sub Subject) []report.Cause {
	u := s.object(sub.Ref)
	if sub.Ref.Kind != "CustomResourceDefinition" || u == nil {
		return nil
	}
	c := report.Cause{Severity: report.Error, Component: sub.Component, Object: sub.Ref, Remedy: describe(sub.Ref)}
	if names := condition(u, "NamesAccepted"); names != nil && names.status == "False" {
		c.Name, c.Summary = CRDNamesConflict, "another CRD has the same names"
		c.Evidence = []string{event(names.reason, names.message)}
		c.Remedy = "find the other one, and delete it if it is not needed: kubectl get crds"
		return []report.Cause{c}
	}
	if bad := condition(u, "NonStructuralSchema"); bad != nil && bad.status == "True" {
		c.Name, c.Summary = CRDNonStructural, "the CRD's schema is not structural"
		c.Evidence = []string{event(bad.reason, bad.message)}
		return []report.Cause{c}
	}
	if up := condition(u, "Established"); up == nil || up.status != "True" {
		c.Name, c.Summary, c.Severity = CRDNotEstablished, "the API server does not serve the CRD yet", report.Delay
		if up != nil {
			c.Evidence = []string{event(up.reason, up.message)}
		}
		return []report.Cause{c}
	}
	return nil
}

// findService: no address from outside, or nobody behind it.
func findService(s *Snapshot, sub Subject) []report.Cause {
	if sub.Ref.Kind != "Service" {
		return nil
	}
	svc := s.service(sub.Ref.Namespace, sub.Ref.Name)
	if svc == nil || svc.Spec.Type != corev1.ServiceTypeLoadBalancer || len(svc.Status.LoadBalancer.Ingress) > 0 {
		return nil
	}
	c := report.Cause{
		Name: LoadBalancerPending, Severity: report.Delay, Component: sub.Component, Object: sub.Ref,
		Summary: "nothing has assigned an external address to the Service",
		Remedy:  "on your own cluster: kubectl jupyter expose; for access without an address: kubectl -n " + svc.Namespace + " port-forward service/" + svc.Name + " 8080:80",
	}
	events := s.events("Service", svc.Namespace, svc.Name)
	for _, e := range events {
		if e.Type == corev1.EventTypeWarning {
			c.Severity = report.Error
			c.Evidence = []string{event(e.Reason, e.Message)}
			break
		}
	}
	waited := s.Time.Sub(svc.CreationTimestamp.Time)
	if waited > patience {
		c.Severity = report.Error
	}
	if len(c.Evidence) == 0 {
		c.Evidence = []string{fmt.Sprintf("type LoadBalancer for %s, status.loadBalancer is empty, events: %d", age(waited), len(events))}
	}
	return []report.Cause{c}
}

// findDeletion: somebody has deleted the subject, and a finalizer keeps it.
func findDeletion(s *Snapshot, sub Subject) []report.Cause {
	u := s.object(sub.Ref)
	if u == nil || u.GetDeletionTimestamp() == nil || sub.Ref.Kind == "Namespace" {
		return nil
	}
	since := s.Time.Sub(u.GetDeletionTimestamp().Time)
	c := report.Cause{
		Name: StuckTerminating, Severity: report.Delay, Component: sub.Component, Object: sub.Ref,
		Summary:  "it was deleted, but finalizers block it",
		Evidence: []string{fmt.Sprintf("deleted %s ago, finalizers: %s", age(since), strings.Join(u.GetFinalizers(), ", "))},
		Remedy:   "start the controller that owns the finalizer again: " + describe(sub.Ref),
	}
	if since > time.Minute {
		c.Severity = report.Error
	}
	return []report.Cause{c}
}

// findCondition: the object itself says what it lacks.
func findCondition(s *Snapshot, sub Subject) []report.Cause {
	u := s.object(sub.Ref)
	if u == nil {
		return nil
	}
	c := report.Cause{Name: NotReady, Severity: report.Delay, Component: sub.Component, Object: sub.Ref, Remedy: describe(sub.Ref)}
	for _, cond := range conditions(u) {
		bad := cond.status == "False" && (cond.typ == "Ready" || cond.typ == "Available" || cond.typ == "Established" || cond.typ == "ScalingActive") ||
			cond.status == "True" && (cond.typ == "Failed" || cond.typ == "ReplicaFailure" || cond.typ == "Stalled" || cond.typ == "Degraded")
		if bad {
			c.Evidence = append(c.Evidence, event(cond.typ+"="+cond.status+" "+cond.reason, cond.message))
		}
	}
	if len(c.Evidence) == 0 {
		return nil
	}
	c.Summary = fmt.Sprintf("%s reports that it is not ready", sub.Ref)
	c.Evidence = append(c.Evidence, s.warnings(sub.Ref)...)
	return []report.Cause{c}
}

// waits is a subject that has not been sent because others have to come first.
func waits(sub Subject) report.Cause {
	return report.Cause{
		Name: NotReady, Severity: report.Delay, Component: sub.Component, Object: sub.Ref,
		Summary: "it has not been sent yet: it " + cut(sub.Message, maxLogLine), Remedy: "kubectl jupyter status",
	}
}

// findNotReady is the last word: no subject is passed over in silence.
func findNotReady(s *Snapshot, sub Subject) []report.Cause {
	c := report.Cause{
		Name: NotReady, Severity: report.Delay, Component: sub.Component, Object: sub.Ref,
		Summary: "it is not ready yet, for an unknown reason", Remedy: describe(sub.Ref),
	}
	if said := event("", sub.Message); said != "" {
		c.Evidence = []string{said}
		c.Summary = "it is not ready yet: " + cut(said, maxLogLine)
	}
	c.Evidence = append(c.Evidence, s.warnings(sub.Ref)...)
	return []report.Cause{c}
}

// warnings are the newest warnings about an object, two at most.
func (s *Snapshot) warnings(r report.Ref) []string {
	var lines []string
	for _, e := range s.events(r.Kind, r.Namespace, r.Name) {
		if e.Type == corev1.EventTypeWarning && len(lines) < 2 {
			lines = append(lines, event(e.Reason, e.Message))
		}
	}
	return lines
}

// findUnreadable says what could not be looked at: without it, silence would read as
// "nothing found".
func findUnreadable(s *Snapshot) []report.Cause {
	var causes []report.Cause
	for _, e := range s.Unreadable {
		c := report.Cause{
			Name: Unreadable, Severity: report.Warning,
			Summary:  "the cluster did not answer every request, so there may be more causes",
			Evidence: []string{cut(e.What+": "+e.Message, maxMessage)},
			Remedy:   "try again: kubectl jupyter status",
		}
		if e.Forbidden {
			c.Name = Forbidden
			c.Summary = "not everything can be read, so there may be more causes"
			c.Remedy = "request permission to get and list these resources: kubectl auth can-i --list"
		}
		causes = append(causes, c)
	}
	return causes
}
