package fit

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Hold is a claim that only one node, or only one pod, can have at a time, and who has it.
type Hold struct {
	Claim string
	Mode  corev1.PersistentVolumeAccessMode
	// By is as in notebook lab.
	By   string
	Node string
}

// Tie is where a pod has to be because of the volumes that it mounts.
type Tie struct {
	Node  string
	Holds []Hold
}

// String says it before anything is made.
func (t *Tie) String() string {
	h := t.Holds[0]
	return fmt.Sprintf("volume %s can be mounted by one node at a time and is mounted on %s by %s: the run is placed on that node", h.Claim, h.Node, h.By)
}

// Tie looks at the claims that a pod mounts, and at who mounts them now. It is nil where
// the pod may be anywhere, and an error where a claim is missing, or where no node can have
// all of them.
func (f *Facts) Tie(pod *corev1.Pod) (*Tie, error) {
	var claims []corev1.PersistentVolumeClaim
	for _, name := range diagnose.ClaimsOf(pod) {
		i := slices.IndexFunc(f.room.Claims, func(c corev1.PersistentVolumeClaim) bool { return c.Namespace == pod.Namespace && c.Name == name })
		switch ref := (report.Ref{Kind: "PersistentVolumeClaim", Namespace: pod.Namespace, Name: name}); {
		case i >= 0:
			claims = append(claims, f.room.Claims[i])
		case slices.Contains(f.room.Read, "persistentvolumeclaims "+pod.Namespace):
			return nil, fmt.Errorf("%s does not exist, and the notebook mounts it: create it, or use --no-volumes", ref)
		}
	}
	return tie(claims, f.room.Pods)
}

// tie says which node has what can be had by one alone.
func tie(claims []corev1.PersistentVolumeClaim, pods []corev1.Pod) (*Tie, error) {
	var out *Tie
	for i := range claims {
		h := hold(&claims[i], pods)
		switch {
		case h == nil:
		case h.Mode == corev1.ReadWriteOncePod:
			return nil, fmt.Errorf("volume %s can be mounted by one pod at a time, and %s has it: stop that first, or use --no-volumes", h.Claim, h.By)
		case out == nil:
			out = &Tie{Node: h.Node, Holds: []Hold{*h}}
		case out.Node != h.Node:
			first := out.Holds[0]
			return nil, fmt.Errorf("no node can mount all volumes: %s is mounted on %s by %s, and %s on %s by %s; stop one of them, or use --no-volumes",
				first.Claim, first.Node, first.By, h.Claim, h.Node, h.By)
		default:
			out.Holds = append(out.Holds, *h)
		}
	}
	return out, nil
}

// hold is who has a claim that cannot be mounted on several nodes; nil where nobody has, or
// where it does not matter.
func hold(claim *corev1.PersistentVolumeClaim, pods []corev1.Pod) *Hold {
	modes := claim.Spec.AccessModes
	if slices.Contains(modes, corev1.ReadWriteMany) || len(modes) == 0 {
		return nil
	}
	mode := corev1.ReadWriteOnce
	switch {
	case slices.Contains(modes, corev1.ReadWriteOncePod):
		mode = corev1.ReadWriteOncePod
	case !slices.Contains(modes, corev1.ReadWriteOnce):
		return nil // read-only, on any node
	}
	for i := range pods {
		p := &pods[i]
		if p.Spec.NodeName == "" || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
			continue
		}
		if p.Namespace == claim.Namespace && slices.Contains(diagnose.ClaimsOf(p), claim.Name) {
			by := "pod " + p.Name
			if n := p.Labels[notebooks.Label]; n != "" {
				by = "notebook " + n
			} else if owner := metav1.GetControllerOf(p); owner != nil && owner.Kind == "Job" {
				by = "job " + owner.Name
			}
			return &Hold{claim.Name, mode, by, p.Spec.NodeName}
		}
	}
	return nil
}

// Bind keeps a pod to the node, beside what its own affinity asks for.
func (t *Tie) Bind(spec *corev1.PodSpec) {
	here := corev1.NodeSelectorRequirement{Key: metav1.ObjectNameField, Operator: corev1.NodeSelectorOpIn, Values: []string{t.Node}}
	if spec.Affinity == nil {
		spec.Affinity = &corev1.Affinity{}
	}
	if spec.Affinity.NodeAffinity == nil {
		spec.Affinity.NodeAffinity = &corev1.NodeAffinity{}
	}
	n := spec.Affinity.NodeAffinity
	if n.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		n.RequiredDuringSchedulingIgnoredDuringExecution = &corev1.NodeSelector{}
	}
	terms := &n.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	if len(*terms) == 0 {
		*terms = []corev1.NodeSelectorTerm{{}}
	}
	for i := range *terms { // one of them has to be met, and each of them here
		(*terms)[i].MatchFields = append((*terms)[i].MatchFields, here)
	}
}

// Refuse says that the node which has the volumes cannot take the run, for a reason.
func (t *Tie) Refuse(why string) error {
	var claims []string
	for _, h := range t.Holds {
		claims = append(claims, h.Claim)
	}
	h := t.Holds[0]
	return fmt.Errorf("the run has to be on node %s, where %s has volume %s, and that node cannot take it: %s; stop %s, ask for less, or use --no-volumes",
		t.Node, h.By, strings.Join(claims, ", "), why, h.By)
}
