package runs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// Follower shows what a run says until it has ended.
type Follower struct {
	Cluster *cluster.Cluster
	// Out takes what the program says.
	Out io.Writer
	// Progress takes one line about what is waited for.
	Progress func(string)
	// Causes takes why a run does not start, when that is known or changes.
	Causes func([]report.Cause)
	// Patience bounds how long a run may take to start; 0 does not.
	Patience time.Duration
	// Once shows what there is, and waits for nothing.
	Once bool

	said string
}

// End is how a run has.
type End struct {
	// Code is the program's.
	Code int
	// Reason is why, where it is not the program's doing, such as OOMKilled.
	Reason string
	// Notebook is the executed one; nil for other programs.
	Notebook []byte
	// Lost is why there is no executed notebook, though there should be.
	Lost error
}

// Follow waits until the run's program starts, shows what it says, and returns how it has
// ended. When ctx ends, the run goes on. There is no end where only what there is was asked for.
func (f *Follower) Follow(ctx context.Context, job *batchv1.Job) (*End, error) {
	record, err := recordOf(job)
	if err != nil {
		return nil, err
	}
	ref := RefOf(job.Namespace, job.Name)
	u := &unpicker{out: f.Out, mark: record.Mark}
	if f.Once {
		pod, err := PodOf(ctx, f.Cluster, job)
		if err == nil {
			err = f.once(ctx, pod, u)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", ref, err)
		}
		return nil, nil
	}
	starting, cancel := rollout.Bounded(ctx, f.Patience)
	defer cancel()
	pod, err := f.start(starting, job)
	if err != nil {
		if ctx.Err() == nil && starting.Err() != nil {
			return nil, f.late(ctx, ref)
		}
		return nil, fmt.Errorf("%s: %w", ref, err)
	}
	state, err := f.stream(ctx, pod, u)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ref, err)
	}
	end := &End{Code: int(state.ExitCode), Reason: state.Reason}
	if record.Kind == Notebook {
		end.Notebook, end.Lost = u.notebook()
		if end.Notebook == nil && end.Lost == nil {
			end.Lost = errors.New("the program ended before it had one")
		}
	}
	return end, nil
}

// late says why a run has not started in time.
func (f *Follower) late(ctx context.Context, ref report.Ref) error {
	return &rollout.Failure{
		Err:    fmt.Errorf("%s has not started within %s, and goes on waiting: see the causes, set a longer --timeout, or delete it", ref, f.Patience),
		Causes: diagnose.Explain(ctx, f.Cluster, []diagnose.Subject{{Ref: ref}}),
	}
}

// start waits until the program of a run runs, or has run.
func (f *Follower) start(ctx context.Context, job *batchv1.Job) (*corev1.Pod, error) {
	jobs := f.Cluster.Dynamic.Resource(jobsResource).Namespace(job.Namespace)
	err := rollout.Until(ctx, jobs, job.Name, func(u *unstructured.Unstructured) (bool, error) {
		if u == nil {
			return false, errors.New("it was deleted")
		}
		now := &batchv1.Job{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, now); err != nil {
			return false, err
		}
		if now.Status.Active+now.Status.Succeeded+now.Status.Failed > 0 {
			return true, nil
		}
		if now.Spec.Suspend != nil && *now.Spec.Suspend {
			f.say("waiting: the Job is suspended, by a queue or by somebody")
			return false, nil
		}
		f.say("waiting for its pod")
		return false, nil
	})
	if err != nil {
		return nil, err
	}
	pod, err := PodOf(ctx, f.Cluster, job)
	if err != nil {
		return nil, err
	}
	var last string
	pods := f.Cluster.Dynamic.Resource(podsResource).Namespace(pod.Namespace)
	err = rollout.Until(ctx, pods, pod.Name, func(u *unstructured.Unstructured) (bool, error) {
		if u == nil {
			return false, fmt.Errorf("its pod %s was deleted before the program started", pod.Name)
		}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, pod); err != nil {
			return false, err
		}
		doing, stuck := stage(pod)
		if doing == "" {
			return true, nil
		}
		f.say(doing)
		if stuck && doing != last && f.Causes != nil {
			last = doing
			f.Causes(diagnose.Explain(ctx, f.Cluster, []diagnose.Subject{{Ref: RefOf(job.Namespace, job.Name)}}))
		}
		return false, nil
	})
	return pod, err
}

func (f *Follower) say(line string) {
	if line != f.said && f.Progress != nil {
		f.Progress(line)
	}
	f.said = line
}

// stage is what a pod does before its program starts, and whether it is worth asking why;
// empty once it has started.
func stage(p *corev1.Pod) (doing string, stuck bool) {
	if p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
		return "", false
	}
	for _, s := range p.Status.ContainerStatuses {
		if s.Name != container {
			continue
		}
		switch w := s.State.Waiting; {
		case s.State.Running != nil || s.State.Terminated != nil:
			return "", false
		case w != nil && w.Reason != "" && w.Reason != "ContainerCreating" && w.Reason != "PodInitializing":
			return fmt.Sprintf("pod %s on node %s: %s", p.Name, p.Spec.NodeName, w.Reason), true
		}
	}
	if p.Spec.NodeName != "" {
		return fmt.Sprintf("pod %s is starting on node %s: its volumes and its image are made ready", p.Name, p.Spec.NodeName), false
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return fmt.Sprintf("pod %s waits for a node: %s", p.Name, c.Message), true
		}
	}
	return fmt.Sprintf("pod %s waits for a node", p.Name), false
}

// PodOf is the pod of a run, the last one where there were several.
func PodOf(ctx context.Context, c *cluster.Cluster, job *batchv1.Job) (*corev1.Pod, error) {
	list, err := c.Dynamic.Resource(podsResource).Namespace(job.Namespace).List(ctx, metav1.ListOptions{LabelSelector: batchv1.JobNameLabel + "=" + job.Name})
	if err != nil {
		return nil, fmt.Errorf("its pods: %w", err)
	}
	var found *corev1.Pod
	for i := range list.Items {
		p := &corev1.Pod{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(list.Items[i].Object, p); err != nil {
			return nil, fmt.Errorf("its pods: %w", err)
		}
		if found == nil || found.CreationTimestamp.Before(&p.CreationTimestamp) {
			found = p
		}
	}
	if found == nil {
		return nil, errors.New("its pod is gone, and with it what it said")
	}
	return found, nil
}

// settles is how long after the end of its log a container's end may take to be told.
const settles = 10 * time.Second

// stream shows the log until the program has ended. A log that breaks off is opened again
// where it did.
func (f *Follower) stream(ctx context.Context, pod *corev1.Pod, u *unpicker) (*corev1.ContainerStateTerminated, error) {
	pods := f.Cluster.Dynamic.Resource(podsResource).Namespace(pod.Namespace)
	for {
		broke := f.once(ctx, pod, u)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var end *corev1.ContainerStateTerminated
		waiting, cancel := context.WithTimeout(ctx, settles)
		err := rollout.Until(waiting, pods, pod.Name, func(o *unstructured.Unstructured) (bool, error) {
			if o == nil {
				return false, fmt.Errorf("its pod %s was deleted while it ran", pod.Name)
			}
			now := &corev1.Pod{}
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, now); err != nil {
				return false, err
			}
			var err error
			end, err = ended(now)
			return end != nil, err
		})
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, context.DeadlineExceeded):
			continue // it runs on: only the connection has ended
		case err != nil:
			return nil, err
		}
		if broke != nil { // what was said between the break and the end
			if broke = f.once(ctx, pod, u); broke != nil {
				return nil, fmt.Errorf("log of pod %s: %w", pod.Name, broke)
			}
		}
		return end, nil
	}
}

// once opens the log where it was left, and reads it to its end.
func (f *Follower) once(ctx context.Context, pod *corev1.Pod, u *unpicker) error {
	u.broken()
	o := &corev1.PodLogOptions{Container: container, Follow: !f.Once, Timestamps: true}
	if !u.last.IsZero() {
		since := metav1.NewTime(u.last)
		o.SinceTime = &since
	}
	log, err := f.Cluster.Log(ctx, pod.Namespace, pod.Name, o)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	_, err = io.Copy(u, log)
	return err
}

// ended is how the program of a pod has; nil while it runs.
func ended(p *corev1.Pod) (*corev1.ContainerStateTerminated, error) {
	for _, s := range p.Status.ContainerStatuses {
		if s.Name == container && s.State.Terminated != nil {
			return s.State.Terminated, nil
		}
	}
	if p.Status.Phase == corev1.PodFailed {
		why := p.Status.Reason
		if p.Status.Message != "" {
			why += ": " + p.Status.Message
		}
		return nil, fmt.Errorf("its pod %s has failed: %s", p.Name, why)
	}
	return nil, nil
}
