package runs

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
)

// State of a run, in one word.
type State string

// The states.
const (
	// Suspended: a queue, or somebody, holds it back.
	Suspended State = "Suspended"
	// Waiting: its program has not started yet.
	Waiting   State = "Waiting"
	Running   State = "Running"
	Succeeded State = "Succeeded"
	Failed    State = "Failed"
)

// Run is one run.
type Run struct {
	Namespace string      `json:"namespace"`
	Name      string      `json:"name"`
	Like      string      `json:"like"`
	Kind      ProgramKind `json:"programKind"`
	Program   string      `json:"program"`
	State     State       `json:"state"`
	// Reason is why it waits or has failed, in the cluster's word.
	Reason string `json:"reason,omitempty"`
	// Code is the program's; null where it has not ended, or its pod is gone.
	Code    *int             `json:"exitCode"`
	Node    string           `json:"node,omitempty"`
	GPUs    map[string]int64 `json:"gpus"`
	Created time.Time        `json:"created"`
	Started *time.Time       `json:"started"`
	Ended   *time.Time       `json:"ended"`
}

// Took is how long the program has run, until now where it still does.
func (r Run) Took(now time.Time) (time.Duration, bool) {
	if r.Started == nil {
		return 0, false
	}
	if r.Ended != nil {
		now = *r.Ended
	}
	return max(0, now.Sub(*r.Started)), true
}

// Over tells whether the program has ended. A Job takes a moment longer.
func (r Run) Over() bool { return r.State == Succeeded || r.State == Failed }

// Find returns the run with a name. One that is not there is an error that says which are.
func (l *List) Find(namespace, name string) (*Run, error) {
	i := slices.IndexFunc(l.Runs, func(r Run) bool { return r.Namespace == namespace && r.Name == name })
	if i < 0 {
		return nil, missing(namespace, name)
	}
	return &l.Runs[i], nil
}

// List is what one look at runs has found, the newest first.
type List struct {
	Time     time.Time
	Runs     []Run
	Problems []string
}

// Read looks at the runs of a namespace, or of all when it is empty: two requests.
func Read(ctx context.Context, c *cluster.Cluster, namespace string) (*List, error) {
	ours := url.Values{"labelSelector": {LikeLabel}}
	out := &List{}
	var jobs []batchv1.Job
	err := usage.List(ctx, c.REST(), "/apis/batch/v1"+usage.Below(namespace)+"/jobs", ours, []string{
		"metadata", "spec.suspend", "spec.template.spec.containers", "status",
	}, func(j *batchv1.Job) { jobs = append(jobs, *j) })
	if err != nil {
		where := "in all namespaces"
		if namespace != "" {
			where = "in namespace " + namespace
		}
		return nil, fmt.Errorf("runs cannot be listed %s: %w", where, err)
	}
	pods := map[string]*corev1.Pod{}
	err = usage.List(ctx, c.REST(), "/api/v1"+usage.Below(namespace)+"/pods", ours, []string{"metadata", "spec.nodeName", "status"}, func(p *corev1.Pod) {
		if owner := metav1.GetControllerOf(p); owner != nil {
			pods[p.Namespace+"/"+owner.Name] = p
		}
	})
	if err != nil {
		out.Problems = append(out.Problems, "exit codes and nodes are unknown: "+usage.AbsenceOf("pods", err).Reason)
	}
	out.Time = time.Now()
	for i := range jobs {
		r, err := runOf(&jobs[i], pods[jobs[i].Namespace+"/"+jobs[i].Name])
		if err != nil {
			out.Problems = append(out.Problems, err.Error())
			continue
		}
		out.Runs = append(out.Runs, r)
	}
	slices.SortFunc(out.Runs, func(a, b Run) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return out, nil
}

func runOf(j *batchv1.Job, p *corev1.Pod) (Run, error) {
	record, err := recordOf(j)
	if err != nil {
		return Run{}, err
	}
	r := Run{
		Namespace: j.Namespace, Name: j.Name, Like: j.Labels[LikeLabel], Kind: record.Kind, Program: record.Program,
		State: Waiting, GPUs: map[string]int64{}, Created: j.CreationTimestamp.Time,
	}
	for _, c := range j.Spec.Template.Spec.Containers {
		for name, q := range c.Resources.Limits {
			if usage.IsGPU(string(name), nil) {
				r.GPUs[string(name)] += q.Value()
			}
		}
	}
	if j.Spec.Suspend != nil && *j.Spec.Suspend {
		r.State = Suspended
	}
	if p != nil {
		r.ofPod(p)
	}
	for _, c := range j.Status.Conditions {
		if c.Status != corev1.ConditionTrue {
			continue
		}
		switch c.Type {
		case batchv1.JobComplete:
			r.State, r.Reason = Succeeded, ""
		case batchv1.JobFailed:
			r.State, r.Reason = Failed, cmp.Or(r.Reason, c.Reason)
		default:
			continue
		}
		if r.Ended == nil && !c.LastTransitionTime.IsZero() {
			r.Ended = &c.LastTransitionTime.Time
		}
	}
	return r, nil
}

// ofPod is what the pod knows of its run.
func (r *Run) ofPod(p *corev1.Pod) {
	r.Node = p.Spec.NodeName
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			r.Reason = c.Reason
		}
	}
	for _, s := range p.Status.ContainerStatuses {
		switch {
		case s.Name != container:
		case s.State.Running != nil:
			r.State, r.Started = Running, &s.State.Running.StartedAt.Time
		case s.State.Terminated != nil:
			t := s.State.Terminated
			code := int(t.ExitCode)
			r.Code, r.Started, r.Ended = &code, &t.StartedAt.Time, &t.FinishedAt.Time
			r.State, r.Reason = Succeeded, ""
			if code != 0 {
				r.State, r.Reason = Failed, t.Reason
			}
		case s.State.Waiting != nil && s.State.Waiting.Reason != "ContainerCreating":
			r.Reason = s.State.Waiting.Reason
		}
	}
	if p.Status.Phase == corev1.PodFailed && p.Status.Reason != "" {
		r.State, r.Reason = Failed, p.Status.Reason
	}
}
