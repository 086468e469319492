package diagnose

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

const (
	defaultClass = "storageclass.kubernetes.io/is-default-class"
	// What the controller manager and the scheduler write into a claim.
	selectedNode       = "volume.kubernetes.io/selected-node"
	storageProvisioner = "volume.kubernetes.io/storage-provisioner"
)

// findVolume explains a claim that is a subject itself.
func findVolume(s *Snapshot, sub Subject) []report.Cause {
	if sub.Ref.Kind != "PersistentVolumeClaim" {
		return nil
	}
	for i := range s.Claims {
		c := &s.Claims[i]
		if c.Namespace == sub.Ref.Namespace && c.Name == sub.Ref.Name {
			if cause, ok := s.claimCause(c); ok {
				cause.Component = sub.Component
				return []report.Cause{cause}
			}
		}
	}
	return nil
}

// unboundClaims: the pod waits for its volumes.
func (s *Snapshot) unboundClaims(sub Subject, p *corev1.Pod, message string) (report.Cause, bool) {
	for _, name := range ClaimsOf(p) {
		i := slices.IndexFunc(s.Claims, func(c corev1.PersistentVolumeClaim) bool {
			return c.Namespace == p.Namespace && c.Name == name
		})
		if i < 0 {
			if s.read("persistentvolumeclaims " + p.Namespace) {
				c := s.podCause(sub, p, VolumeMissing, report.Error, fmt.Sprintf("the pod's volume claim %s does not exist", name))
				c.Remedy = fmt.Sprintf("kubectl -n %s get pvc; create the claim, or delete what refers to it", p.Namespace)
				return c, true
			}
			continue
		}
		claim := &s.Claims[i]
		if claim.Status.Phase == corev1.ClaimBound {
			continue
		}
		if cause, ok := s.claimCause(claim); ok {
			owner := s.podCause(sub, p, "", 0, "")
			cause.Component, cause.Also = owner.Component, []report.Ref{owner.Object}
			return cause, true
		}
	}
	if strings.Contains(message, "unbound immediate PersistentVolumeClaims") || strings.Contains(message, "persistentvolumeclaim ") {
		c := s.podCause(sub, p, VolumePending, report.Error, "the pod waits for a volume")
		c.Remedy = fmt.Sprintf("kubectl -n %s describe pvc", p.Namespace)
		return c, true
	}
	return report.Cause{}, false
}

// claimCause says why a claim has no volume.
func (s *Snapshot) claimCause(claim *corev1.PersistentVolumeClaim) (report.Cause, bool) {
	ref := report.Ref{Kind: "PersistentVolumeClaim", Namespace: claim.Namespace, Name: claim.Name}
	c := report.Cause{Object: ref, Severity: report.Error, Remedy: describe(ref)}
	switch claim.Status.Phase {
	case corev1.ClaimBound:
		return c, false
	case corev1.ClaimLost:
		c.Name, c.Summary = VolumeMissing, "the volume of a claim is lost"
		c.Evidence = []string{"phase Lost, volume " + claim.Spec.VolumeName}
		return c, true
	}
	events := s.events(ref.Kind, ref.Namespace, ref.Name)
	said := func(reasons ...string) []string {
		for _, e := range events {
			if slices.Contains(reasons, e.Reason) {
				return []string{event(e.Reason, e.Message)}
			}
		}
		return nil
	}
	class := claim.Spec.StorageClassName
	if class == nil || *class == "" && claim.Spec.VolumeName == "" {
		if class == nil && s.read("storageclasses") && !slices.ContainsFunc(s.Classes, IsDefault) {
			c.Name = NoDefaultStorageClass
			c.Summary = "the cluster has no default StorageClass, and the claim names none"
			c.Evidence = said("FailedBinding")
			c.Remedy = defaultClassRemedy(s.Classes)
			c.Evidence = append(c.Evidence, fmt.Sprintf("claim %s/%s: storageClassName is not set; classes: %s", claim.Namespace, claim.Name, classNames(s.Classes)))
			return c, true
		}
	} else if i := slices.IndexFunc(s.Classes, func(k storagev1.StorageClass) bool { return k.Name == *class }); i < 0 && *class != "" && s.read("storageclasses") {
		c.Name = StorageClassMissing
		c.Summary = fmt.Sprintf("StorageClass %s does not exist", *class)
		c.Evidence = append(said("ProvisioningFailed", "FailedBinding"), "classes: "+classNames(s.Classes))
		c.Remedy = fmt.Sprintf("create StorageClass %s, or choose one that exists: kubectl get storageclass", *class)
		return c, true
	} else if i >= 0 && s.Classes[i].VolumeBindingMode != nil && *s.Classes[i].VolumeBindingMode == storagev1.VolumeBindingWaitForFirstConsumer {
		if s.Classes[i].Provisioner == NoProvisioner && s.Time.Sub(claim.CreationTimestamp.Time) > patience {
			return s.madeByHand(c, claim, said("WaitForFirstConsumer", "WaitForPodScheduled")), true
		}
		// Once the scheduler has chosen a node, it is the provisioner's turn.
		if failed := said("ProvisioningFailed"); failed == nil && claim.Annotations[selectedNode] == "" {
			c.Name, c.Severity = VolumePending, report.Delay
			c.Summary = "the volume is created when a pod that uses it is scheduled"
			c.Evidence = said("WaitForFirstConsumer", "WaitForPodScheduled")
			return c, true
		}
	}
	if class != nil && slices.ContainsFunc(s.Classes, func(k storagev1.StorageClass) bool { return k.Name == *class && k.Provisioner == NoProvisioner }) {
		return s.madeByHand(c, claim, said("FailedBinding", "ProvisioningFailed")), true
	}
	if failed := said("ProvisioningFailed", "VolumeMismatch", "FailedBinding"); failed != nil {
		c.Name, c.Summary, c.Evidence = ProvisioningFailed, fmt.Sprintf("the volume of claim %s/%s cannot be created", claim.Namespace, claim.Name), failed
		return c, true
	}
	c.Name, c.Severity, c.Summary = VolumePending, report.Delay, "the volume does not exist yet"
	c.Evidence = said("ExternalProvisioning", "Provisioning")
	// A claim that is only about to be created has not waited at all.
	if waited := s.Time.Sub(claim.CreationTimestamp.Time); waited > patience && !claim.CreationTimestamp.IsZero() {
		c.Severity = report.Error
		c.Summary = "nothing creates the volume: the provisioner may not be running"
		c.Evidence = append(c.Evidence, fmt.Sprintf("claim %s/%s: pending for %s", claim.Namespace, claim.Name, age(waited)))
		if by := claim.Annotations[storageProvisioner]; by != "" {
			c.Summary = fmt.Sprintf("nothing creates the volume: provisioner %s may not be installed or not be running", CSIDriver(by))
		}
	}
	return c, true
}

// madeByHand: the class of a claim has no provisioner, and no volume that is there fits.
func (s *Snapshot) madeByHand(c report.Cause, claim *corev1.PersistentVolumeClaim, said []string) report.Cause {
	c.Name, c.Summary = VolumePending, fmt.Sprintf("StorageClass %s creates no volumes, and no PersistentVolume that exists fits the claim", *claim.Spec.StorageClassName)
	c.Evidence = append(said, fmt.Sprintf("StorageClass %s: provisioner %s", *claim.Spec.StorageClassName, NoProvisioner))
	c.Remedy = "create a PersistentVolume of this class, or use a class with a provisioner: kubectl get storageclass,pv"
	return c
}

// IsDefault tells whether a class is the default one, in the annotation's present or older name.
func IsDefault(c storagev1.StorageClass) bool {
	return c.Annotations[defaultClass] == "true" || c.Annotations["storageclass.beta.kubernetes.io/is-default-class"] == "true"
}

// defaultClassRemedy is what to do where no class is the default.
func defaultClassRemedy(classes []storagev1.StorageClass) string {
	const mark = "kubectl annotate storageclass NAME " + defaultClass + "=true"
	if len(classes) == 0 {
		return "install a provisioner, such as your platform's or local-path-provisioner, and mark its StorageClass: " + mark
	}
	return "kubectl get storageclass; then: " + mark
}

func classNames(classes []storagev1.StorageClass) string {
	var names []string
	for _, c := range classes {
		names = append(names, c.Name)
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

var (
	secretNotFound    = regexp.MustCompile(`secret "([^"\n]+)" not found|references non-existent secret key`)
	configMapNotFound = regexp.MustCompile(`configmap "([^"\n]+)" not found`)
)

// missingSecret is the Secret that a mount waits for, or "".
func missingSecret(message string) string {
	if m := secretNotFound.FindStringSubmatch(message); m != nil {
		return m[1]
	}
	return ""
}

// findMount: the pod has a node, but not what it mounts.
func findMount(s *Snapshot, sub Subject, p *corev1.Pod) []report.Cause {
	if p.Status.Phase != corev1.PodPending || p.Spec.NodeName == "" || leaving(p) || started(p) {
		return nil
	}
	events := s.events("Pod", p.Namespace, p.Name, "FailedMount", "FailedAttachVolume", "FailedMapVolume")
	if len(events) == 0 {
		return nil
	}
	e := events[0]
	c := s.podCause(sub, p, MountFailed, report.Error, fmt.Sprintf("a volume of %s cannot be mounted", s.owner(p)))
	c.Evidence = []string{event(e.Reason, e.Message)}
	c.Remedy = describe(podRef(p))
	if m := attachedElsewhere.FindStringSubmatch(e.Message); m != nil {
		return []report.Cause{s.attached(c, p, m[1], m[2])}
	}
	secret := missingSecret(e.Message)
	switch m := configMapNotFound.FindStringSubmatch(e.Message); {
	case secret != "":
		c.Summary = fmt.Sprintf("the pod waits for Secret %s, which does not exist", secret)
		c.Remedy = fmt.Sprintf("kubectl -n %s get certificates,secrets", p.Namespace)
		for _, u := range s.Objects {
			if u.GetKind() == "Certificate" && u.GetNamespace() == p.Namespace && certificateSecret(u) == secret {
				c.Severity = report.Delay
				c.Summary = fmt.Sprintf("the pod waits for Secret %s, which Certificate %s has not created yet", secret, u.GetName())
				return append(s.certificate(Subject{Component: sub.Component, Ref: cluster.RefOf(u)}, u), c)
			}
		}
	case m != nil:
		c.Summary = fmt.Sprintf("the pod waits for ConfigMap %s, which does not exist", m[1])
		c.Remedy = fmt.Sprintf("kubectl -n %s get configmaps", p.Namespace)
	}
	return []report.Cause{c}
}

// attachedElsewhere is what the controller says of a volume that is attached to another node:
// of which pods it is, or that it does not know.
var attachedElsewhere = regexp.MustCompile(`Multi-Attach error for volume "([^"\n]+)" Volume is already (?:used by pod\(s\) (.+)|exclusively attached)`)

// attached: the volume is for one node at a time, and another one has it.
func (s *Snapshot) attached(c report.Cause, p *corev1.Pod, volume, pods string) report.Cause {
	c.Name = VolumeInUse
	if pods != "" {
		c.Summary = fmt.Sprintf("the volume of %s is in use on another node, by %s", s.owner(p), pods)
		c.Remedy = fmt.Sprintf("end what uses it, or run both on one node: kubectl -n %s get pods -o wide", p.Namespace)
		return c
	}
	c.Summary = fmt.Sprintf("the volume of %s is attached to another node", s.owner(p))
	c.Remedy = fmt.Sprintf("kubectl get volumeattachments | grep %s; if its node is gone for good, delete the node: the volume is then detached after six minutes", volume)
	for i := range s.Nodes {
		n := &s.Nodes[i]
		ready := slices.ContainsFunc(n.Status.Conditions, func(cond corev1.NodeCondition) bool {
			return cond.Type == corev1.NodeReady && cond.Status == corev1.ConditionTrue
		})
		if !ready && n.Name != p.Spec.NodeName && len(c.Evidence) < maxNodeLines {
			c.Evidence = append(c.Evidence, fmt.Sprintf("node %s is not ready", n.Name))
		}
	}
	return c
}

// started tells that the kubelet got past mounting.
func started(p *corev1.Pod) bool {
	for _, ct := range containers(p) {
		if st := ct.status.State; st.Running != nil || st.Terminated != nil {
			return true
		}
	}
	return false
}
