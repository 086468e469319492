package fit

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
)

func claimOf(name string, modes ...corev1.PersistentVolumeAccessMode) corev1.PersistentVolumeClaim {
	return corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "ada", Name: name}, Spec: corev1.PersistentVolumeClaimSpec{AccessModes: modes}}
}

func podWith(name, node string, claims ...string) corev1.Pod {
	p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ada", Name: name}, Spec: corev1.PodSpec{NodeName: node}}
	for _, c := range claims {
		p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: c, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: c},
		}})
	}
	return p
}

func ofNotebook(p corev1.Pod, name string) corev1.Pod {
	p.Labels = map[string]string{"notebook-name": name}
	return p
}

func TestAPodIsTiedToTheNodeThatHasItsVolumes(t *testing.T) {
	const once, many, readOnly, oncePod = corev1.ReadWriteOnce, corev1.ReadWriteMany, corev1.ReadOnlyMany, corev1.ReadWriteOncePod
	ofJob := podWith("train-x", "n2", "data")
	ofJob.OwnerReferences = []metav1.OwnerReference{{Kind: "Job", Name: "train", Controller: ptr.To(true)}}
	gone := podWith("old", "n3", "home")
	gone.Status.Phase = corev1.PodSucceeded
	elsewhere := podWith("lab-0", "n9", "home")
	elsewhere.Namespace = "bob"
	for _, c := range []struct {
		name   string
		claims []corev1.PersistentVolumeClaim
		pods   []corev1.Pod
		// want is what the tie says; empty: there is none. refused is the error.
		want, refused string
	}{
		{"nobody has it", []corev1.PersistentVolumeClaim{claimOf("home", once)}, []corev1.Pod{gone, elsewhere, podWith("waits", "", "home")}, "", ""},
		{
			"a notebook has it",
			[]corev1.PersistentVolumeClaim{claimOf("home", once)},
			[]corev1.Pod{ofNotebook(podWith("lab-0", "n1", "home"), "lab")},
			"volume home can be mounted by one node at a time and is mounted on n1 by notebook lab: the run is placed on that node", "",
		},
		{"many nodes can have it", []corev1.PersistentVolumeClaim{claimOf("home", once, many)}, []corev1.Pod{podWith("p", "n1", "home")}, "", ""},
		{"many nodes can read it", []corev1.PersistentVolumeClaim{claimOf("home", readOnly)}, []corev1.Pod{podWith("p", "n1", "home")}, "", ""},
		{
			"one pod alone can have it",
			[]corev1.PersistentVolumeClaim{claimOf("home", oncePod)},
			[]corev1.Pod{podWith("p", "n1", "home")},
			"", "volume home can be mounted by one pod at a time, and pod p has it: stop that first, or use --no-volumes",
		},
		{
			"two of them are on one node",
			[]corev1.PersistentVolumeClaim{claimOf("home", once), claimOf("data", once)},
			[]corev1.Pod{podWith("p", "n2", "home"), ofJob},
			"volume home can be mounted by one node at a time and is mounted on n2 by pod p", "",
		},
		{
			"two of them are on two nodes",
			[]corev1.PersistentVolumeClaim{claimOf("home", once), claimOf("data", once)},
			[]corev1.Pod{podWith("p", "n1", "home"), ofJob},
			"", "no node can mount all volumes: home is mounted on n1 by pod p, and data on n2 by job train; stop one of them, or use --no-volumes",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			room := &diagnose.Snapshot{Claims: c.claims, Pods: c.pods, Read: []string{"persistentvolumeclaims ada"}}
			pod := podWith("run", "", "home")
			if len(c.claims) > 1 {
				pod = podWith("run", "", "home", "data")
			}
			tie, err := (&Facts{room: room}).Tie(&pod)
			switch {
			case (err == nil) != (c.refused == "") || err != nil && err.Error() != c.refused:
				t.Errorf("error %v, want %q", err, c.refused)
			case (tie == nil) != (c.want == "") || tie != nil && !strings.HasPrefix(tie.String(), c.want):
				t.Errorf("%v, want %q", tie, c.want)
			}
		})
	}
}

func TestAClaimThatIsNotThereIsSaid(t *testing.T) {
	pod := podWith("run", "", "home")
	_, err := (&Facts{room: &diagnose.Snapshot{Read: []string{"persistentvolumeclaims ada"}}}).Tie(&pod)
	if err == nil || err.Error() != "PersistentVolumeClaim ada/home does not exist, and the notebook mounts it: create it, or use --no-volumes" {
		t.Errorf("%v: want it to say that the claim does not exist", err)
	}
	// What could not be read is no proof.
	if tie, err := (&Facts{room: &diagnose.Snapshot{}}).Tie(&pod); tie != nil || err != nil {
		t.Errorf("%v, error %v: want nothing of claims that could not be read", tie, err)
	}
}

func TestATieIsBesideWhatThePodAsksForItself(t *testing.T) {
	spec := &corev1.PodSpec{Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
		NodeSelectorTerms: []corev1.NodeSelectorTerm{
			{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "gpu", Operator: corev1.NodeSelectorOpExists}}},
			{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "fast", Operator: corev1.NodeSelectorOpExists}}},
		},
	}}}}
	bare := &corev1.PodSpec{}
	tie := &Tie{Node: "n1"}
	for _, s := range []*corev1.PodSpec{spec, bare} {
		tie.Bind(s)
	}
	node := func(name string, labels map[string]string) corev1.Node {
		n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
		n.Status.Allocatable = corev1.ResourceList{"pods": *quantityOf("10")}
		return n
	}
	nodes := []corev1.Node{node("n1", map[string]string{"fast": ""}), node("n2", map[string]string{"gpu": "", "fast": ""}), node("n3", nil)}
	for name, s := range map[string]*corev1.PodSpec{"with an affinity of its own": spec, "without": bare} {
		got, _ := diagnose.Place(&diagnose.Snapshot{Nodes: nodes, Read: []string{"nodes"}}, diagnose.Subject{}, &corev1.Pod{Spec: *s})
		if strings.Join(got, " ") != "n1" {
			t.Errorf("%s it may be on %v, want n1", name, got)
		}
	}
	nodes[0].Labels = nil
	if got, causes := diagnose.Place(&diagnose.Snapshot{Nodes: nodes, Read: []string{"nodes"}}, diagnose.Subject{}, &corev1.Pod{Spec: *spec}); len(got) != 0 || len(causes) == 0 {
		t.Errorf("it may be on %v: want nowhere, for n1 is neither fast nor has GPUs", got)
	}
}
