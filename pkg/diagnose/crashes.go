package diagnose

import (
	"fmt"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// crashOf is how a container ended that should not have, or nil: it is waiting to be
// started again, has just ended, or runs again without being ready.
func crashOf(status corev1.ContainerStatus) *corev1.ContainerStateTerminated {
	last := status.LastTerminationState.Terminated
	switch {
	case status.State.Terminated != nil:
		if status.State.Terminated.ExitCode != 0 {
			return status.State.Terminated
		}
	case status.State.Waiting != nil && status.State.Waiting.Reason == "CrashLoopBackOff":
		if last == nil {
			return &corev1.ContainerStateTerminated{Message: status.State.Waiting.Message}
		}
		return last
	case status.State.Running != nil && status.RestartCount > 0 && !status.Ready && last != nil && (last.ExitCode != 0 || last.Reason == "OOMKilled"):
		return last
	}
	return nil
}

// findCrash: a container ends again and again. Its log often tells a better name for
// it than the crash.
func findCrash(s *Snapshot, sub Subject, p *corev1.Pod) []report.Cause {
	if healthy(p) || leaving(p) || p.Status.Phase == corev1.PodFailed && s.replaced(p) {
		return nil
	}
	var causes []report.Cause
	for _, ct := range containers(p) {
		end := crashOf(ct.status)
		if end == nil {
			continue
		}
		log := s.log(p, ct.spec.Name)
		if len(log) == 0 && end.Message != "" {
			log = telling(strings.Split(end.Message, "\n"))
		}
		c := s.crash(sub, p, ct, end, log)
		// It runs again: this time it may work.
		if ct.status.State.Running != nil {
			c.Severity = report.Delay
		}
		state := fmt.Sprintf("container %s of pod %s: exit code %d", ct.spec.Name, p.Name, end.ExitCode)
		if end.Reason != "" {
			state += " (" + end.Reason + ")"
		}
		c.Evidence = append([]string{fmt.Sprintf("%s, restarts: %d", state, ct.status.RestartCount)}, log...)
		causes = append(causes, c)
	}
	return causes
}

// What istio-init says when the node's kernel, or the pod's rights, do not let it
// redirect traffic.
//
// Its log repeats every rule that it sets, so that the names of the programs alone say nothing.
var (
	iptablesFailed  = regexp.MustCompile(`(?i)(ip6?tables|nf_tables|xtables).*(error|fail|problem|can't|cannot|couldn't|could not|unable|no such|does not exist|incompatible|unknown|not supported)|(error|fail|unable|cannot|can't).*(ip6?tables|nf_tables|xtables)|modprobe:|could not load module`)
	iptablesRefused = regexp.MustCompile(`(?i)operation not permitted|permission denied|you must be root`)
)

// What programs say when a limit of the node's kernel is reached. inotify reports its
// limits as "too many open files" (instances) and "no space left on device" (watches). Who
// accepts connections or opens files meets the limit of its own process by the same words.
var (
	inotifyLimit = regexp.MustCompile(`(?i)too many open files|inotify.*(limit|no space left on device)|fsnotify.*no space left on device`)
	ownLimit     = regexp.MustCompile(`(?i)(accept4?|open|socket|pipe2?|dial \w+ [^:\n]*|fork/exec) ?\S*: (.*: )?too many open files`)
	watching     = regexp.MustCompile(`(?i)inotify|watch`)
)

func (s *Snapshot) crash(sub Subject, p *corev1.Pod, ct container, end *corev1.ContainerStateTerminated, log []string) report.Cause {
	text := strings.Join(log, "\n") + "\n" + end.Message
	name := ct.spec.Name
	switch {
	case end.Reason == "OOMKilled":
		limit := "no limit: the node itself ran out of memory"
		if q, ok := ct.spec.Resources.Limits[corev1.ResourceMemory]; ok {
			limit = "limit " + q.String()
		}
		c := s.podCause(sub, p, OOMKilled, report.Error, fmt.Sprintf("container %s of %s exceeded its memory limit (%s)", name, s.owner(p), limit))
		c.Remedy = fmt.Sprintf("raise the memory limit of container %s with your own kustomization (-k DIR); if nodes report more memory than they have, as with minikube's docker driver, start the cluster with more", name)
		return c
	case ownLimit.MatchString(text) && !watching.MatchString(text):
		c := s.podCause(sub, p, TooManyOpenFiles, report.Error, fmt.Sprintf("container %s of %s opens more files and connections than its process may", name, s.owner(p)))
		c.Remedy = "find what it leaves open, or raise the limit of open files (nofile) of the container runtime on node " + p.Spec.NodeName
		return c
	case inotifyLimit.MatchString(text):
		c := s.podCause(sub, p, TooManyOpenFiles, report.Error, fmt.Sprintf("node %s has run out of inotify instances or watches", p.Spec.NodeName))
		c.Remedy = "on the node: sudo sysctl -w fs.inotify.max_user_instances=1280 fs.inotify.max_user_watches=655360 (and add it to /etc/sysctl.d to keep it)"
		return c
	case (name == "istio-init" || name == "istio-validation") && iptablesRefused.MatchString(text):
		c := s.podCause(sub, p, IstioInitCrash, report.Error, fmt.Sprintf("%s is not allowed to redirect the pod's traffic on node %s", name, p.Spec.NodeName))
		c.Remedy = "allow the capabilities NET_ADMIN and NET_RAW to the pods of namespace " + p.Namespace + ", or use Istio's CNI plugin, which release 26.03 does"
		return c
	case (name == "istio-init" || name == "istio-validation") && iptablesFailed.MatchString(text):
		c := s.podCause(sub, p, IstioInitCrash, report.Error, fmt.Sprintf("%s cannot redirect the pod's traffic on node %s", name, p.Spec.NodeName))
		c.Remedy = "on the node: sudo modprobe -a br_netfilter iptable_nat iptable_mangle ip_tables xt_REDIRECT xt_owner (and add them to /etc/modules-load.d to keep them); if the platform does not allow NET_ADMIN, use Istio's CNI plugin"
		return c
	case strings.Contains(text, "exec format error"):
		c := s.podCause(sub, p, WrongArchitecture, report.Error, fmt.Sprintf("image %s is not built for the architecture of node %s", ct.spec.Image, p.Spec.NodeName))
		c.Remedy = "kubectl get nodes -L kubernetes.io/arch; run the pods on amd64 nodes, or use an image for this architecture: kubectl jupyter install --image NAME=REF"
		return c
	}
	// The program never ran: there is no log, the runtime says why.
	if end.Reason == "StartError" || end.Reason == "ContainerCannotRun" {
		c := s.podCause(sub, p, CreateContainerError, report.Error, fmt.Sprintf("container %s of %s cannot be started", name, s.owner(p)))
		c.Remedy = describe(podRef(p))
		return c
	}
	c := s.podCause(sub, p, CrashLoopBackOff, report.Error, fmt.Sprintf("container %s of %s crashes", name, s.owner(p)))
	previous := ""
	if ct.status.State.Terminated == nil {
		previous = " --previous"
	}
	c.Remedy = fmt.Sprintf("kubectl -n %s logs %s -c %s%s", p.Namespace, p.Name, name, previous)
	return c
}
