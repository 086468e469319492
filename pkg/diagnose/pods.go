package diagnose

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// container is a container of a pod with what the kubelet says about it.
type container struct {
	spec   corev1.Container
	status corev1.ContainerStatus
	init   bool
}

// containers of a pod in the order in which they start. One that the kubelet has not
// reported yet has an empty status.
func containers(p *corev1.Pod) []container {
	statuses := map[string]corev1.ContainerStatus{}
	for _, s := range p.Status.InitContainerStatuses {
		statuses["init "+s.Name] = s
	}
	for _, s := range p.Status.ContainerStatuses {
		statuses[s.Name] = s
	}
	var all []container
	for _, c := range p.Spec.InitContainers {
		all = append(all, container{c, statuses["init "+c.Name], true})
	}
	for _, c := range p.Spec.Containers {
		all = append(all, container{c, statuses[c.Name], false})
	}
	return all
}

// healthy pods run with all containers ready, or have done their work.
func healthy(p *corev1.Pod) bool {
	if p.DeletionTimestamp != nil {
		return false
	}
	switch p.Status.Phase {
	case corev1.PodSucceeded:
		return true
	case corev1.PodRunning:
		c := podCondition(p, corev1.PodReady)
		return c != nil && c.Status == corev1.ConditionTrue
	}
	return false
}

func podCondition(p *corev1.Pod, t corev1.PodConditionType) *corev1.PodCondition {
	for i := range p.Status.Conditions {
		if p.Status.Conditions[i].Type == t {
			return &p.Status.Conditions[i]
		}
	}
	return nil
}

// leaving pods are not told what ails them: they are about to go.
func leaving(p *corev1.Pod) bool { return p.DeletionTimestamp != nil }

func podRef(p *corev1.Pod) report.Ref {
	return report.Ref{Kind: "Pod", Namespace: p.Namespace, Name: p.Name}
}

// findContainerConfig: the kubelet cannot make the container.
func findContainerConfig(s *Snapshot, sub Subject, p *corev1.Pod) []report.Cause {
	var causes []report.Cause
	for _, ct := range containers(p) {
		w := ct.status.State.Waiting
		if w == nil || leaving(p) {
			continue
		}
		var name, summary string
		switch w.Reason {
		case "CreateContainerConfigError":
			name = CreateContainerConfigError
			summary = fmt.Sprintf("container %s of %s refers to something that does not exist or is not allowed", ct.spec.Name, s.owner(p))
		case "CreateContainerError", "RunContainerError", "PreCreateHookError", "PreStartHookError", "PostStartHookError":
			name = CreateContainerError
			summary = fmt.Sprintf("container %s of %s cannot be started", ct.spec.Name, s.owner(p))
		default:
			continue
		}
		c := s.podCause(sub, p, name, report.Error, summary)
		c.Evidence = []string{event(w.Reason, w.Message)}
		c.Remedy = describe(podRef(p))
		causes = append(causes, c)
	}
	return causes
}

// patience is how long an answer that says "not yet" is taken for one.
const patience = 2 * time.Minute

// findProbe: the container runs, and its probe says that it does not work.
func findProbe(s *Snapshot, sub Subject, p *corev1.Pod) []report.Cause {
	if healthy(p) || leaving(p) || p.Status.Phase != corev1.PodRunning {
		return nil
	}
	var causes []report.Cause
	for _, ct := range containers(p) {
		running := ct.status.State.Running
		if running == nil || ct.status.Ready || crashOf(ct.status) != nil {
			continue
		}
		for _, e := range s.events("Pod", p.Namespace, p.Name, "Unhealthy", "ProbeWarning") {
			field := e.InvolvedObject.FieldPath
			if field != "" && field != "spec.containers{"+ct.spec.Name+"}" && field != "spec.initContainers{"+ct.spec.Name+"}" {
				continue
			}
			if seen(e).Time.Before(running.StartedAt.Time) {
				break // of an earlier run of the container
			}
			up := s.Time.Sub(running.StartedAt.Time)
			severity := report.Delay
			if up > patience {
				severity = report.Error
			}
			c := s.podCause(sub, p, ProbeFailing, severity, fmt.Sprintf("container %s of %s runs, but its probe fails", ct.spec.Name, s.owner(p)))
			c.Evidence = []string{event(e.Reason, e.Message), fmt.Sprintf("pod %s: running for %s", p.Name, age(up))}
			if severity == report.Error {
				c.Evidence = append(c.Evidence, s.log(p, ct.spec.Name)...)
			}
			c.Remedy = fmt.Sprintf("kubectl -n %s logs %s -c %s", p.Namespace, p.Name, ct.spec.Name)
			causes = append(causes, c)
			break
		}
	}
	return causes
}

// findSandbox: the node cannot give the pod its network or its cgroups.
func findSandbox(s *Snapshot, sub Subject, p *corev1.Pod) []report.Cause {
	if p.Status.Phase != corev1.PodPending || leaving(p) || p.Status.PodIP != "" {
		return nil
	}
	events := s.events("Pod", p.Namespace, p.Name, "FailedCreatePodSandBox", "NetworkNotReady")
	if len(events) == 0 {
		return nil
	}
	e := events[0]
	c := s.podCause(sub, p, PodSandboxFailed, report.Error, "")
	c.Evidence = []string{event(e.Reason, e.Message)}
	switch {
	case noRuntimeHandler.MatchString(e.Message):
		c.Summary = fmt.Sprintf("node %s does not have the container runtime that the pod's RuntimeClass names", p.Spec.NodeName)
		c.Remedy = "configure it on the node, or remove runtimeClassName from the pod: kubectl get runtimeclasses; " + describe(podRef(p))
	case sandboxImage.MatchString(e.Message):
		c.Summary = fmt.Sprintf("node %s cannot get the image that every pod begins with", p.Spec.NodeName)
		c.Remedy = "make the image in the evidence available to the node; its container runtime's configuration names it (sandbox_image, pause_image)"
	case e.Reason == "NetworkNotReady" || networkPlugin.MatchString(e.Message):
		c.Summary = fmt.Sprintf("node %s cannot set up the pod's network", p.Spec.NodeName)
		c.Remedy = "check that the network plugin's pods run on that node: kubectl -n kube-system get pods -o wide --field-selector spec.nodeName=" + p.Spec.NodeName
	default:
		c.Summary = fmt.Sprintf("node %s cannot set up the pod", p.Spec.NodeName)
		c.Remedy = describe(podRef(p)) + "; kubectl describe node " + p.Spec.NodeName
	}
	return []report.Cause{c}
}

// What a container runtime says of a sandbox that it could not make.
var (
	noRuntimeHandler = regexp.MustCompile(`(?i)no runtime for "|runtime ?handler .*(not (supported|found)|no such)|unknown runtime`)
	sandboxImage     = regexp.MustCompile(`(?i)(failed to get|pull(ing)?) (the )?(sandbox|pause|infra) image|sandbox image .*pull`)
	networkPlugin    = regexp.MustCompile(`(?i)\bcni\b|network|plugin type=|failed \((add|delete)\)`)
)

// findTerminatingPod: a pod that should be gone by now.
func findTerminatingPod(s *Snapshot, sub Subject, p *corev1.Pod) []report.Cause {
	if !leaving(p) {
		return nil
	}
	late := s.Time.Sub(p.DeletionTimestamp.Time)
	if late < time.Minute {
		return nil
	}
	c := s.podCause(sub, p, StuckTerminating, report.Error, "a pod has not terminated")
	c.Evidence = []string{fmt.Sprintf("pod %s: should have terminated %s ago, finalizers %v, node %q", p.Name, age(late), p.Finalizers, p.Spec.NodeName)}
	c.Remedy = describe(podRef(p))
	if len(p.Finalizers) == 0 {
		c.Remedy = fmt.Sprintf("if node %s is permanently gone: kubectl -n %s delete pod %s --grace-period=0 --force", p.Spec.NodeName, p.Namespace, p.Name)
	}
	return []report.Cause{c}
}

// findEvicted: the node has thrown the pod out.
func findEvicted(s *Snapshot, sub Subject, p *corev1.Pod) []report.Cause {
	// Evicted pods stay until somebody deletes them: they tell something only while
	// their successor does not run.
	if p.Status.Phase != corev1.PodFailed || p.Status.Reason == "" || s.replaced(p) {
		return nil
	}
	c := s.podCause(sub, p, Evicted, report.Error, "")
	c.Evidence = []string{event(p.Status.Reason, p.Status.Message)}
	resource, admission := strings.CutPrefix(p.Status.Reason, "OutOf")
	switch {
	case admission:
		c.Summary = fmt.Sprintf("the node did not admit the pod: it has no %s left", resource)
		c.Remedy = "a device of it may have failed, or a pod that the scheduler did not count holds it: kubectl describe node " + p.Spec.NodeName
	case p.Status.Reason == "Evicted" && strings.Contains(p.Status.Message, "exceeds the"):
		c.Summary = "a node evicted the pod, which used more disk space than its limit"
		c.Remedy = "raise the limit that the evidence names, or keep the files on a volume"
	case p.Status.Reason == "Evicted":
		c.Summary = "a node evicted the pod to reclaim resources"
		c.Remedy = "see what the node is short of: kubectl describe node " + p.Spec.NodeName
	default:
		c.Summary = fmt.Sprintf("a node ended the pod (%s)", p.Status.Reason)
		c.Remedy = "kubectl describe node " + p.Spec.NodeName
	}
	return []report.Cause{c}
}

// replaced tells that what made the pod has another one that works.
func (s *Snapshot) replaced(p *corev1.Pod) bool {
	owner := s.owner(p)
	if owner.Kind == "Pod" {
		return false
	}
	for _, other := range s.pods(owner) {
		if healthy(other) {
			return true
		}
	}
	return false
}

// findStarting: nothing is wrong with the pod so far, it takes its time.
func findStarting(s *Snapshot, sub Subject, p *corev1.Pod) []report.Cause {
	if healthy(p) || leaving(p) || p.Status.Phase == corev1.PodFailed {
		return nil
	}
	since := s.Time.Sub(p.CreationTimestamp.Time)
	if p.Spec.NodeName == "" {
		c := s.podCause(sub, p, NotScheduledYet, report.Delay, "the scheduler has not processed the pod yet")
		if since > patience {
			// While it waits for a volume, the scheduler writes no condition.
			if c, ok := s.unboundClaims(sub, p, ""); ok && c.Severity >= report.Error {
				return []report.Cause{c}
			}
			c.Severity = report.Error
			c.Summary = "the scheduler does not process the pod: it may not be running"
			c.Remedy = "kubectl -n kube-system get pods -l component=kube-scheduler; on a managed cluster, ask who runs it"
			if own := p.Spec.SchedulerName; own != "" && own != corev1.DefaultSchedulerName {
				c.Summary = fmt.Sprintf("the pod is for scheduler %s, which does not process it", own)
				c.Remedy = "check that this scheduler runs: kubectl get pods -A | grep " + own
			}
		}
		c.Evidence = []string{fmt.Sprintf("pod %s: created %s ago, no node", p.Name, age(since))}
		return []report.Cause{c}
	}
	c := s.podCause(sub, p, ContainerStarting, report.Delay, "a pod is still starting")
	for _, ct := range containers(p) {
		switch {
		case ct.status.State.Waiting != nil:
			w := ct.status.State.Waiting
			c.Evidence = append(c.Evidence, event("container "+ct.spec.Name, event(w.Reason, w.Message)))
		case ct.status.State.Running != nil && !ct.status.Ready:
			c.Evidence = append(c.Evidence, fmt.Sprintf("container %s: running for %s, not ready", ct.spec.Name, age(s.Time.Sub(ct.status.State.Running.StartedAt.Time))))
		}
	}
	if len(c.Evidence) == 0 {
		c.Evidence = []string{fmt.Sprintf("pod %s: on node %s for %s", p.Name, p.Spec.NodeName, age(since))}
	}
	c.Remedy = describe(podRef(p))
	return []report.Cause{c}
}
