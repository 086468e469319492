package volumes

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) metav1.Time { return metav1.NewTime(noon.Add(-d)) }

const day = 24 * time.Hour

func claim(change ...func(*corev1.PersistentVolumeClaim)) corev1.PersistentVolumeClaim {
	c := corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ada", Name: "home", UID: "u", CreationTimestamp: ago(200 * day)},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, StorageClassName: ptr.To("standard"), VolumeName: "pv",
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{"storage": resource.MustParse("5Gi")}},
		},
		Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimBound, Capacity: corev1.ResourceList{"storage": resource.MustParse("10Gi")}},
	}
	for _, f := range change {
		f(&c)
	}
	return c
}

func mounting(name string) []corev1.Volume {
	return []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name}}}}
}

func pod(phase corev1.PodPhase, change ...func(*corev1.Pod)) corev1.Pod {
	p := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ada", Name: "p", CreationTimestamp: ago(30 * day)},
		Spec:       corev1.PodSpec{NodeName: "n1", Volumes: mounting("home")}, Status: corev1.PodStatus{Phase: phase},
	}
	for _, f := range change {
		f(&p)
	}
	return p
}

func endedAt(d time.Duration) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{FinishedAt: ago(d)}}}}
	}
}

func ofNotebook(p *corev1.Pod) { p.Name, p.Labels = "lab-0", map[string]string{"notebook-name": "lab"} }

func ofJob(p *corev1.Pod) {
	p.OwnerReferences = []metav1.OwnerReference{{Kind: "Job", Name: "train", Controller: ptr.To(true)}}
}

func notebook(t *testing.T, stopped string) unstructured.Unstructured {
	t.Helper()
	text := `{apiVersion: kubeflow.org/v1, kind: Notebook, metadata: {name: lab, namespace: ada, annotations: {` + stopped + `}},
		spec: {template: {spec: {containers: [{name: lab, image: i}], volumes: [{name: v, persistentVolumeClaim: {claimName: home}}]}}}}`
	var u unstructured.Unstructured
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

func TestWhatUsesAVolumeAndSinceWhenNothingDoes(t *testing.T) {
	stopped := func(d time.Duration) string {
		return `kubeflow-resource-stopped: "` + ago(d).UTC().Format(time.RFC3339) + `"`
	}
	for _, c := range []struct {
		name  string
		found found
		users string
		// unused is how long, empty where it is not known, with the reason or the source.
		unused, why string
		// deletable is what the refusal says, empty where there is none.
		deletable string
	}{
		{
			"a notebook that runs uses it",
			found{pods: []corev1.Pod{pod(corev1.PodRunning, ofNotebook)}, notebooks: []unstructured.Unstructured{notebook(t, "")}},
			"notebook/lab", "", "it is in use", "is used by notebook/lab: stop that first",
		},
		{
			"a notebook that is to run uses it, though it has no pod",
			found{notebooks: []unstructured.Unstructured{notebook(t, "")}},
			"notebook/lab", "", "it is in use", "is used by notebook/lab",
		},
		{
			"a stopped notebook has not used it since it was stopped, and keeps it from being deleted",
			found{notebooks: []unstructured.Unstructured{notebook(t, stopped(91*day))}},
			"notebook/lab (stopped)", "2184h0m0s", "notebook", "belongs to notebook lab, which is stopped",
		},
		{
			"a notebook that is being stopped uses it as long as it has a pod",
			found{pods: []corev1.Pod{pod(corev1.PodRunning, ofNotebook)}, notebooks: []unstructured.Unstructured{notebook(t, stopped(time.Minute))}},
			"notebook/lab", "", "it is in use", "is used by notebook/lab",
		},
		{
			"a pod that waits for a node uses it",
			found{pods: []corev1.Pod{pod(corev1.PodPending, func(p *corev1.Pod) { p.Spec.NodeName = "" })}},
			"pod/p", "", "it is in use", "is used by pod/p",
		},
		{
			"a pod that has ended says until when",
			found{pods: []corev1.Pod{pod(corev1.PodSucceeded, endedAt(3*time.Hour))}},
			"pod/p (ended)", "3h0m0s", "pod", "",
		},
		{
			"of several signs the last counts",
			found{pods: []corev1.Pod{pod(corev1.PodFailed, endedAt(2*day), ofJob)}, notebooks: []unstructured.Unstructured{notebook(t, stopped(91*day))}},
			"job/train (ended),notebook/lab (stopped)", "48h0m0s", "pod", "belongs to notebook lab",
		},
		{
			"a Job that has not ended uses it, whether it has a pod or not",
			found{jobs: []batchv1.Job{{ObjectMeta: metav1.ObjectMeta{Namespace: "ada", Name: "train"}, Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Volumes: mounting("home")}}}}}},
			"job/train", "", "it is in use", "is used by job/train",
		},
		{
			"of a Job that has ended its end is known when its pod is gone",
			found{jobs: []batchv1.Job{{
				ObjectMeta: metav1.ObjectMeta{Namespace: "ada", Name: "train"}, Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Volumes: mounting("home")}}},
				Status: batchv1.JobStatus{Conditions: []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue, LastTransitionTime: ago(5 * time.Hour)}}},
			}}},
			"job/train (ended)", "5h0m0s", "pod", "",
		},
		{
			"nothing is known of one that is left alone",
			found{},
			"", "", "nothing mounts it, and nothing that did is left to say until when", "",
		},
		{
			"a cluster that writes it down is believed",
			found{claims: []corev1.PersistentVolumeClaim{claim(func(c *corev1.PersistentVolumeClaim) {
				c.Status.Conditions = []corev1.PersistentVolumeClaimCondition{{Type: corev1.PersistentVolumeClaimUnused, Status: corev1.ConditionTrue, LastTransitionTime: ago(10 * day)}}
			})}},
			"", "240h0m0s", "claim", "",
		},
		{
			"one that was never provisioned was never used",
			found{claims: []corev1.PersistentVolumeClaim{claim(func(c *corev1.PersistentVolumeClaim) {
				c.Status, c.Spec.VolumeName = corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimPending}, ""
			})}},
			"", "4800h0m0s", "creation", "",
		},
		{
			"where pods cannot be read, what is not seen is no proof",
			found{unread: []error{errors.New("pods cannot be listed")}},
			"", "", "pods cannot be listed", "what uses it is not known: pods cannot be listed",
		},
		{
			"one that is being deleted is not deleted again",
			found{claims: []corev1.PersistentVolumeClaim{claim(func(c *corev1.PersistentVolumeClaim) { c.DeletionTimestamp = ptr.To(ago(time.Hour)) })}},
			"", "", "nothing mounts it, and nothing that did is left to say until when", "is being deleted already",
		},
		{
			"the claim of an ephemeral volume has its pod's name",
			found{
				claims: []corev1.PersistentVolumeClaim{claim(func(c *corev1.PersistentVolumeClaim) { c.Name = "p-scratch" })},
				pods: []corev1.Pod{pod(corev1.PodRunning, func(p *corev1.Pod) {
					p.Spec.Volumes = []corev1.Volume{{Name: "scratch", VolumeSource: corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{}}}}
				})},
			},
			"pod/p", "", "it is in use", "is used by pod/p",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.found.now = noon
			if c.found.claims == nil {
				c.found.claims = []corev1.PersistentVolumeClaim{claim()}
			}
			l := c.found.list()
			if len(l.Volumes) != 1 {
				t.Fatalf("%d volumes, want 1", len(l.Volumes))
			}
			v := &l.Volumes[0]
			var users []string
			for _, u := range v.UsedBy {
				users = append(users, u.String())
			}
			if got := strings.Join(users, ","); got != c.users {
				t.Errorf("used by %q, want %q", got, c.users)
			}
			d, known := v.UnusedFor(noon).Get()
			if known != (c.unused != "") || known && (d.String() != c.unused || string(v.Source) != c.why) || !known && v.Unused.Why().Reason != c.why {
				t.Errorf("unused for %s (known %t) from %q, reason %q; want %q and %q", d, known, v.Source, v.Unused.Why().Reason, c.unused, c.why)
			}
			switch err := v.Deletable(); {
			case (err == nil) != (c.deletable == ""):
				t.Errorf("deletable: %v, want %q", err, c.deletable)
			case err != nil && !strings.Contains(err.Error(), "PersistentVolumeClaim ada/"+v.Name) || err != nil && !strings.Contains(err.Error(), c.deletable):
				t.Errorf("refused with %q, want it to say %q", err, c.deletable)
			}
		})
	}
}

func TestTheSizeIsThatOfTheVolumeWhereThereIsOne(t *testing.T) {
	bound := claim()
	if v := volumeOf(&bound); v.Size.String() != "10Gi" || v.Class != "standard" || v.ModesText() != "RWO" {
		t.Errorf("%s of %s, %s: want 10Gi of standard, RWO", v.Size.String(), v.Class, v.ModesText())
	}
	waiting := claim(func(c *corev1.PersistentVolumeClaim) {
		c.Status.Capacity = nil
		c.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany, "Other"}
	})
	if v := volumeOf(&waiting); v.Size.String() != "5Gi" || v.ModesText() != "RWX,Other" {
		t.Errorf("%s, %s: want 5Gi as requested, RWX,Other", v.Size.String(), v.ModesText())
	}
}

func TestHowFullAVolumeIsComesFromItsNodeOrNotAtAll(t *testing.T) {
	var said summary
	if err := json.Unmarshal([]byte(`{"node": {}, "pods": [{"volume": [
		{"name": "tmp", "usedBytes": 1, "capacityBytes": 2},
		{"name": "v", "usedBytes": 3000, "capacityBytes": 4000, "pvcRef": {"namespace": "ada", "name": "home"}},
		{"name": "w", "pvcRef": {"namespace": "ada", "name": "silent"}}]}]}`), &said); err != nil {
		t.Fatal(err)
	}
	s := stats{asked: true, claims: map[string]fullness{}, failed: map[string]usage.Absence{}}
	s.take(said)
	used, capacity := s.of("ada", "home", true)
	v := Volume{Used: used, Capacity: capacity}
	if p, ok := v.Percent().Get(); !ok || p != 75 {
		t.Errorf("3000 of 4000 bytes are %v%% (known %t), want 75", p, ok)
	}
	for _, c := range []struct {
		name             string
		s                stats
		claim            string
		mounted          bool
		forbidden        bool
		reason, problems string
	}{
		{"that of the node is missing", s, "silent", true, false, "the node has no figures of it", ""},
		{"nothing mounts it", s, "other", false, false, "nothing mounts it, and only mounted volumes are measured", ""},
		{"it was not asked for", stats{}, "home", true, false, "it was not asked for", ""},
		{
			"the right is missing",
			stats{asked: true, failed: map[string]usage.Absence{"n1": {Forbidden: true, Reason: "Node n1: forbidden"}}},
			"home", true, true,
			"Node n1: forbidden", "how full volumes are is not known: the user is not allowed to get nodes/proxy",
		},
		{
			"the node does not answer",
			stats{asked: true, failed: map[string]usage.Absence{"n1": {Reason: "Node n1: timeout"}}},
			"home", true, false,
			"Node n1: timeout", "how full volumes are is not known of 1 node: Node n1: timeout",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			used, _ := c.s.of("ada", c.claim, c.mounted)
			if why := used.Why(); why.Reason != c.reason || why.Forbidden != c.forbidden {
				t.Errorf("absent because %+v, want %q, forbidden %t", why, c.reason, c.forbidden)
			}
			if got := strings.Join(c.s.problems(), "\n"); got != c.problems {
				t.Errorf("problems %q, want %q", got, c.problems)
			}
		})
	}
}

func TestOnlyWhatIsKnownToBeUnusedForSoLongIsLeft(t *testing.T) {
	l := &List{Time: noon, Volumes: []Volume{
		{Name: "old", Unused: usage.Known(noon.Add(-91 * day))},
		{Name: "young", Unused: usage.Known(noon.Add(-89 * day))},
		{Name: "orphan", Unused: usage.Missing[time.Time](usage.Absence{Reason: "nobody knows"})},
		{Name: "used", UsedBy: []User{{"Pod", "p", true}}},
		{Name: "dark", Doubt: "pods cannot be listed"},
	}}
	if unknown := l.UnusedFor(90 * day); unknown != 1 || len(l.Volumes) != 1 || l.Volumes[0].Name != "old" {
		t.Errorf("left %v, %d unknown: want old, and orphan as the one that is unknown", l.Volumes, unknown)
	}
}

func TestVolumesAreSorted(t *testing.T) {
	size := resource.MustParse
	l := &List{Time: noon, Volumes: []Volume{
		{Namespace: "b", Name: "x", Size: size("1Gi"), Created: noon.Add(-2 * day), Used: usage.Known(int64(9)), Capacity: usage.Known(int64(10))},
		{Namespace: "a", Name: "z", Size: size("3Gi"), Created: noon.Add(-3 * day), Unused: usage.Known(noon.Add(-time.Hour))},
		{Namespace: "a", Name: "y", Size: size("2Gi"), Created: noon.Add(-1 * day), Unused: usage.Known(noon.Add(-2 * time.Hour)), Used: usage.Known(int64(1)), Capacity: usage.Known(int64(10))},
	}}
	want := map[string]string{"namespace": "yzx", "name": "xyz", "size": "zyx", "used": "xyz", "unused": "yzx", "age": "zxy"}
	for _, key := range SortKeys() {
		l.Sort(key)
		got := ""
		for _, v := range l.Volumes {
			got += v.Name
		}
		if got != want[key] {
			t.Errorf("by %s: %s, want %s", key, got, want[key])
		}
	}
}

func TestADocumentSaysWhyAValueIsNull(t *testing.T) {
	f := found{now: noon, claims: []corev1.PersistentVolumeClaim{claim()}}
	l := f.list()
	l.Problems = nil
	text, err := json.Marshal(l.Document("v"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"kind":"VolumeList"`, `"unusedSince":null`, `"usedBytes":null`, `"usedBy":[]`, `"problems":[]`, `"sizeBytes":10737418240`,
		`"unusedSince":{"forbidden":false,"reason":"nothing mounts it, and nothing that did is left to say until when"}`,
		`"usedBytes":{"forbidden":false,"reason":"it was not asked for"}`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the document does not have %s:\n%s", want, text)
		}
	}
}

func TestNamesThatAreNotThereAreSaid(t *testing.T) {
	l := &List{Volumes: []Volume{{Namespace: "ada", Name: "home"}, {Namespace: "bob", Name: "data"}}}
	if got, err := l.Find("ada", []string{"home"}); err != nil || len(got) != 1 || got[0].Name != "home" {
		t.Errorf("found %v, error %v: want home", got, err)
	}
	_, err := l.Find("ada", []string{"home", "data"})
	if err == nil || !strings.Contains(err.Error(), "PersistentVolumeClaim ada/data does not exist: `kubectl jupyter notebook volume list -n ada`") {
		t.Errorf("%v: want it to say that ada/data does not exist", err)
	}
}

func TestOnlyNodesWithMountedClaimsAreAsked(t *testing.T) {
	on := func(node string) func(*corev1.Pod) { return func(p *corev1.Pod) { p.Spec.NodeName = node } }
	got := nodesOf([]corev1.Pod{
		pod(corev1.PodRunning, on("n2")), pod(corev1.PodRunning, on("n1")), pod(corev1.PodRunning, on("n2")), pod(corev1.PodSucceeded, on("n3")),
		pod(corev1.PodRunning, on("n4"), func(p *corev1.Pod) { p.Spec.Volumes = nil }),
	})
	if !slices.Equal(got, []string{"n1", "n2"}) {
		t.Errorf("asked %v, want n1 and n2", got)
	}
}
