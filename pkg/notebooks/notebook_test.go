package notebooks

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
)

const lab = `
apiVersion: kubeflow.org/v1
kind: Notebook
metadata:
  name: lab
  namespace: ada
  uid: u
  annotations: {notebooks.kubeflow.org/server-type: group-one, notebooks.kubeflow.org/creator: ada@example.com}
spec:
  template:
    spec:
      containers:
      - name: helper
        image: helper:1
      - name: lab
        image: code:1
        resources: {requests: {cpu: "1"}, limits: {nvidia.com/gpu: "2", memory: 1Gi}}
        volumeMounts: []
      volumes:
      - {name: home, persistentVolumeClaim: {claimName: lab-workspace}}
      - {name: dshm, emptyDir: {}}
`

func notebook(t *testing.T, change ...func(*unstructured.Unstructured)) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(lab), &u.Object); err != nil {
		t.Fatal(err)
	}
	for _, c := range change {
		c(u)
	}
	return u
}

func stopped(at string) func(*unstructured.Unstructured) {
	return func(u *unstructured.Unstructured) {
		a := u.GetAnnotations()
		a[StoppedAnnotation] = at
		u.SetAnnotations(a)
	}
}

func labPod(change ...func(*corev1.Pod)) corev1.Pod {
	p := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "lab-0", Namespace: "ada", Labels: map[string]string{Label: "lab"}, CreationTimestamp: metav1.Now()},
		Spec:       corev1.PodSpec{NodeName: "gpu-0", Containers: []corev1.Container{{Name: "lab", Image: "code:1"}}},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
			ContainerStatuses: []corev1.ContainerStatus{{Name: "lab", Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Unix(1000, 0)}}}},
		},
	}
	for _, c := range change {
		c(&p)
	}
	return p
}

func waiting(reason, message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Phase, p.Status.Conditions = corev1.PodPending, nil
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "lab", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}}}
	}
}

func TestWhatANotebookIs(t *testing.T) {
	n, err := read(notebook(t))
	if err != nil {
		t.Fatal(err)
	}
	if n.Type != Code || n.Image != "code:1" || n.Creator != "ada@example.com" || n.GPUText() != "nvidia.com/gpu:2" ||
		strings.Join(n.Claims(), " ") != "lab-workspace" || n.Port() != Port {
		t.Errorf("%+v", n)
	}
	if _, err := read(notebook(t, func(u *unstructured.Unstructured) { u.Object["spec"] = "none" })); err == nil {
		t.Error("a Notebook without a pod is taken")
	}
}

func TestTheStateOfANotebookIsOneWordWithItsCause(t *testing.T) {
	going := func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: time.Now()} }
	unschedulable := func(p *corev1.Pod) {
		p.Spec.NodeName, p.Status = "", corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
		}}}
	}
	refused := corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ada"}, InvolvedObject: corev1.ObjectReference{Kind: "StatefulSet", Namespace: "ada", Name: "lab"},
		Type: "Warning", Reason: "FailedCreate", LastTimestamp: metav1.Now(),
		Message: `create Pod lab-0 in StatefulSet lab failed error: pods "lab-0" is forbidden: exceeded quota: kf-resource-quota, requested: cpu=2, used: cpu=3, limited: cpu=4`,
	}
	for name, tc := range map[string]struct {
		object *unstructured.Unstructured
		pods   []corev1.Pod
		events []corev1.Event
		unread bool
		state  State
		cause  string
	}{
		"ready":                              {object: notebook(t), pods: []corev1.Pod{labPod()}, state: Running},
		"without a pod yet":                  {object: notebook(t), state: Starting, cause: diagnose.NotReady},
		"the image is not there yet":         {object: notebook(t), pods: []corev1.Pod{labPod(waiting("ContainerCreating", ""))}, state: Starting, cause: diagnose.ContainerStarting},
		"the image cannot be had":            {object: notebook(t), pods: []corev1.Pod{labPod(waiting("ImagePullBackOff", "manifest unknown"))}, state: Failed, cause: diagnose.ImagePullBackOff},
		"no node has a GPU left":             {object: notebook(t), pods: []corev1.Pod{labPod(unschedulable)}, state: Failed, cause: diagnose.InsufficientResource},
		"the quota does not allow the pod":   {object: notebook(t), events: []corev1.Event{refused}, state: Failed, cause: diagnose.QuotaExceeded},
		"stopped":                            {object: notebook(t, stopped("2026-11-27T12:00:00Z")), state: Stopped},
		"stopped at a time that is none":     {object: notebook(t, stopped("yes")), state: Stopped},
		"the pod is still there":             {object: notebook(t, stopped("2026-11-27T12:00:00Z")), pods: []corev1.Pod{labPod(going)}, state: Stopping},
		"the old pod goes, a new one starts": {object: notebook(t), pods: []corev1.Pod{labPod(going), labPod(func(p *corev1.Pod) { p.Name = "lab-1" })}, state: Running},
		"deleted": {object: notebook(t, func(u *unstructured.Unstructured) {
			u.SetDeletionTimestamp(&metav1.Time{Time: time.Now()})
		}), pods: []corev1.Pod{labPod(going)}, state: Deleting},
		"nobody may see its pods": {object: notebook(t), unread: true, state: Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			tc.object.SetCreationTimestamp(metav1.Now())
			n, err := read(tc.object)
			if err != nil {
				t.Fatal(err)
			}
			n.pods = tc.pods
			n.settle(&diagnose.Snapshot{Time: metav1.Now(), Pods: tc.pods, Events: tc.events}, !tc.unread)
			cause := ""
			if n.Cause != nil {
				cause = n.Cause.Name
			}
			if n.State != tc.state || cause != tc.cause {
				t.Errorf("%s because of %q, want %s because of %q", n.State, cause, tc.state, tc.cause)
			}
		})
	}
}

func TestNamesOfWhichNoPodWouldComeAreRefused(t *testing.T) {
	for name, says := range map[string]string{
		"lab": "", "a": "", strings.Repeat("a", 52): "", strings.Repeat("a", 53): "53 characters", "1st": "start with a letter", "Lab": "lower-case", "": "lower-case", "lab-": "do not end with a dash",
	} {
		err := CheckName(name)
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", name, err, says)
		}
	}
}

func TestTypesAreThoseOfTheWebApp(t *testing.T) {
	for _, k := range Types() {
		if got := TypeOf(k.Group()); got != k {
			t.Errorf("%s is read as %s", k, got)
		}
		if err := CheckType(k); err != nil {
			t.Error(err)
		}
	}
	if TypeOf("") != Jupyter || TypeOf("group-nine") != "group-nine" || CheckType("group-one") == nil {
		t.Error("an unknown type")
	}
	if Prefix(Jupyter, "ns", "n") != "/notebook/ns/n/" || Prefix(RStudio, "ns", "n") != "/" {
		t.Error("prefixes")
	}
}
