package runs

import (
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

var noon = metav1.NewTime(time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC))

func podWith(change func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: corev1.PodSpec{NodeName: "gpu-0"}, Status: corev1.PodStatus{Phase: corev1.PodRunning}}
	change(p)
	return p
}

func state(s corev1.ContainerState) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: container, State: s}}
	}
}

func terminated(code int32, reason string) func(*corev1.Pod) {
	return state(corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: code, Reason: reason, StartedAt: metav1.NewTime(noon.Add(-time.Hour)), FinishedAt: noon,
	}})
}

func TestTheStateOfARunIsThatOfItsProgram(t *testing.T) {
	condition := func(typ batchv1.JobConditionType, reason string) []batchv1.JobCondition {
		return []batchv1.JobCondition{{Type: typ, Status: corev1.ConditionTrue, Reason: reason, LastTransitionTime: noon}}
	}
	for _, c := range []struct {
		name   string
		job    func(*batchv1.Job)
		pod    *corev1.Pod
		state  State
		reason string
		code   int // -1: not known
		took   time.Duration
	}{
		{"without a pod it waits", nil, nil, Waiting, "", -1, 0},
		{"a queue holds it", func(j *batchv1.Job) { j.Spec.Suspend = ptr.To(true) }, nil, Suspended, "", -1, 0},
		{
			"no node takes it", nil, podWith(func(p *corev1.Pod) {
				p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable"}}
			}), Waiting, "Unschedulable", -1, 0,
		},
		{"its image does not come", nil, podWith(state(corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff"}})), Waiting, "ImagePullBackOff", -1, 0},
		{"it runs", nil, podWith(state(corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(noon.Add(-time.Minute))}})), Running, "", -1, time.Minute},
		{"it has ended well", func(j *batchv1.Job) { j.Status.Conditions = condition(batchv1.JobComplete, "") }, podWith(terminated(0, "Completed")), Succeeded, "", 0, time.Hour},
		{"its program has failed", func(j *batchv1.Job) { j.Status.Conditions = condition(batchv1.JobFailed, "BackoffLimitExceeded") }, podWith(terminated(3, "Error")), Failed, "Error", 3, time.Hour},
		{"it needed too much memory", nil, podWith(terminated(137, "OOMKilled")), Failed, "OOMKilled", 137, time.Hour},
		{"its node threw it out", nil, podWith(func(p *corev1.Pod) { p.Status.Phase, p.Status.Reason = corev1.PodFailed, "Evicted" }), Failed, "Evicted", -1, 0},
		{"it was too long, and its pod is gone", func(j *batchv1.Job) { j.Status.Conditions = condition(batchv1.JobFailed, "DeadlineExceeded") }, nil, Failed, "DeadlineExceeded", -1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			job := build(t).Job
			if c.job != nil {
				c.job(job)
			}
			r, err := runOf(job, c.pod)
			if err != nil {
				t.Fatal(err)
			}
			code := -1
			if r.Code != nil {
				code = *r.Code
			}
			took, _ := r.Took(noon.Time)
			if r.State != c.state || r.Reason != c.reason || code != c.code || took != c.took {
				t.Errorf("%s %q, code %d, after %s: want %s %q, code %d, after %s", r.State, r.Reason, code, took, c.state, c.reason, c.code, c.took)
			}
			if r.Like != "lab" || r.Program != "train.ipynb" || r.Kind != Notebook || r.GPUs["nvidia.com/gpu"] != 1 {
				t.Errorf("%+v: want train.ipynb like lab, with one GPU", r)
			}
		})
	}
}

func TestTheEndOfAPodIsThatOfItsProgram(t *testing.T) {
	if end, err := ended(podWith(terminated(3, "Error"))); err != nil || end == nil || end.ExitCode != 3 {
		t.Errorf("%v, error %v: want exit code 3", end, err)
	}
	if end, err := ended(podWith(func(*corev1.Pod) {})); end != nil || err != nil {
		t.Errorf("%v, error %v: want no end while it runs", end, err)
	}
	_, err := ended(podWith(func(p *corev1.Pod) {
		p.Status = corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted", Message: "The node was low on memory."}
	}))
	if err == nil || err.Error() != "its pod p has failed: Evicted: The node was low on memory." {
		t.Errorf("%v: want the node's words", err)
	}
}

func TestWhatAPodWaitsForIsSaidInOneLine(t *testing.T) {
	for want, p := range map[string]*corev1.Pod{
		"": podWith(state(corev1.ContainerState{Running: &corev1.ContainerStateRunning{}})),
		"pod p waits for a node: 0/3 nodes are available": podWith(func(p *corev1.Pod) {
			p.Spec.NodeName = ""
			p.Status = corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/3 nodes are available"}}}
		}),
		"pod p on node gpu-0: ErrImagePull":                                         podWith(state(corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImagePull"}})),
		"pod p is starting on node gpu-0: its volumes and its image are made ready": podWith(state(corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}})),
	} {
		if got, _ := stage(p); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestARunThatIsNotThereIsSaid(t *testing.T) {
	l := &List{Runs: []Run{{Namespace: "ada", Name: "lab-run-1", State: Running}, {Namespace: "bob", Name: "lab-run-2", State: Failed}}}
	if r, err := l.Find("ada", "lab-run-1"); err != nil || r.Name != "lab-run-1" || r.Over() {
		t.Errorf("%+v, error %v: want lab-run-1, which has not ended", r, err)
	}
	_, err := l.Find("ada", "lab-run-2")
	if err == nil || !strings.HasPrefix(err.Error(), "Job ada/lab-run-2 does not exist: `kubectl jupyter notebook run list -n ada` lists the runs") {
		t.Errorf("%v: want it to say that there is no such run in ada", err)
	}
	if !l.Runs[1].Over() {
		t.Error("a run that has failed passes for one that runs")
	}
}
