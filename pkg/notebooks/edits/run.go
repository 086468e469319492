package edits

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/util/retry"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// certain is how long a cause has to last before an edit is given up for it: what was
// said of the pod before may still be read for some seconds.
const certain = 15 * time.Second

// Editor makes edits.
type Editor struct {
	// Timeout bounds how long a notebook may take to stop, and to start; 0 does not.
	Timeout time.Duration
	// Say takes one line about what is done.
	Say func(string)

	client dynamic.ResourceInterface
	follow func(ctx context.Context, name string, see func(*notebooks.Notebook) (bool, error)) error
	now    func() time.Time
}

// NewEditor makes edits in a namespace.
func NewEditor(c *cluster.Cluster, namespace string) *Editor {
	return &Editor{
		Say: func(string) {}, now: time.Now, client: c.Dynamic.Resource(notebooks.Resource).Namespace(namespace),
		follow: func(ctx context.Context, name string, see func(*notebooks.Notebook) (bool, error)) error {
			return notebooks.Follow(ctx, c, namespace, name, see)
		},
	}
}

// Restored is the error of an edit whose notebook did not start, and runs again with its
// old values.
type Restored struct {
	// Why it did not start.
	Why error
}

// Error says both.
func (r *Restored) Error() string {
	return fmt.Sprintf("%v; the old values are back, and the notebook runs again", r.Why)
}

// Unwrap is why it did not start.
func (r *Restored) Unwrap() error { return r.Why }

// Apply makes an edit, or finishes an interrupted one. A notebook that runs is stopped,
// changed and started again, and when it does not get ready it gets its old values back. A
// stopped one is changed, and stays stopped. Where ctx is cancelled on the way, the
// notebook keeps the record of the edit.
func (x *Editor) Apply(ctx context.Context, e *Edit) error {
	if !e.record.Runs {
		return x.mutate(ctx, e, func(u *unstructured.Unstructured) error { return e.record.After.write(u, e.record.Container) })
	}
	err := x.restart(ctx, e, e.record.After)
	switch {
	case err == nil:
		return x.mutate(ctx, e, forget)
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("%s: the edit was interrupted: run `kubectl jupyter notebook edit %s -n %s` with --continue or --undo: %w",
			e.Notebook.Ref(), e.Notebook.Name, e.Notebook.Namespace, ctx.Err())
	}
	x.Say("it did not start: putting the old values back")
	// What the edit has used up of its time is no reason to leave a notebook broken.
	out := &rollout.Failure{Err: &Restored{Why: err}}
	if failed := x.Undo(context.WithoutCancel(ctx), e); failed != nil {
		out.Err = fmt.Errorf("%w; and the old values could not be put back (run `kubectl jupyter notebook edit %s -n %s --undo`): %w", err, e.Notebook.Name, e.Notebook.Namespace, failed)
	}
	// What is to be shown as causes are those of the new values.
	if why := (*rollout.Failure)(nil); errors.As(err, &why) {
		out.Causes = why.Causes
	}
	return out
}

// Undo puts the old values back, and starts the notebook again if it ran before.
func (x *Editor) Undo(ctx context.Context, e *Edit) error {
	if err := x.restart(ctx, e, e.record.Before); err != nil {
		return err
	}
	return x.mutate(ctx, e, forget)
}

// restart stops a notebook, gives it values, starts it, and waits until it is ready. The
// record is written with the first change and stays until the caller takes it away.
func (x *Editor) restart(ctx context.Context, e *Edit, v values) error {
	text, err := json.Marshal(e.record)
	if err != nil {
		return err
	}
	x.Say("stopping it")
	err = x.mutate(ctx, e, func(u *unstructured.Unstructured) error {
		annotate(u, recordAnnotation, string(text))
		if u.GetAnnotations()[notebooks.StoppedAnnotation] == "" {
			annotate(u, notebooks.StoppedAnnotation, x.now().UTC().Format(time.RFC3339))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := x.await(ctx, e, "stop", func(n *notebooks.Notebook) (bool, error) { return n.Pod == "", nil }); err != nil {
		return err
	}
	x.Say("starting it")
	err = x.mutate(ctx, e, func(u *unstructured.Unstructured) error {
		annotate(u, notebooks.StoppedAnnotation, "")
		return v.write(u, e.record.Container)
	})
	if err != nil {
		return err
	}
	return x.await(ctx, e, "start", x.ready())
}

// ready sees whether a notebook runs, and gives up when a cause has lasted that waiting
// does not cure.
func (x *Editor) ready() func(*notebooks.Notebook) (bool, error) {
	var since time.Time
	var name, said string
	return func(n *notebooks.Notebook) (bool, error) {
		if n.Cause != nil && n.Cause.Summary != said {
			said = n.Cause.Summary
			x.Say(said)
		}
		if n.State != notebooks.Failed || n.Cause == nil {
			name = ""
			return n.State == notebooks.Running, nil
		}
		if diagnose.Hopeless(*n.Cause) {
			return false, given(n)
		}
		if n.Cause.Name != name {
			name, since = n.Cause.Name, x.now()
		}
		if x.now().Sub(since) < certain {
			return false, nil
		}
		return false, given(n)
	}
}

// given up, for the cause that a notebook has.
func given(n *notebooks.Notebook) error {
	return &rollout.Failure{Err: fmt.Errorf("%s does not start: %s", n.Ref(), n.Cause.Summary), Causes: []report.Cause{*n.Cause}}
}

// await follows a notebook for as long as one step may take.
func (x *Editor) await(ctx context.Context, e *Edit, what string, done func(*notebooks.Notebook) (bool, error)) error {
	within, cancel := rollout.Bounded(ctx, x.Timeout)
	defer cancel()
	var last *notebooks.Notebook
	err := x.follow(within, e.Notebook.Name, func(n *notebooks.Notebook) (bool, error) {
		if n == nil || n.UID != e.Notebook.UID {
			return false, fmt.Errorf("%s was deleted meanwhile", e.Notebook.Ref())
		}
		last = n
		return done(n)
	})
	if err == nil || ctx.Err() != nil || within.Err() == nil {
		return err
	}
	failure := &rollout.Failure{Err: fmt.Errorf("%s did not %s within %s", e.Notebook.Ref(), what, x.Timeout)}
	if last != nil && last.Cause != nil {
		failure.Causes = []report.Cause{*last.Cause}
	}
	return failure
}

// mutate changes the notebook that the edit is of, and no other of its name; what others
// write meanwhile stays.
func (x *Editor) mutate(ctx context.Context, e *Edit, change func(*unstructured.Unstructured) error) error {
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		u, err := x.client.Get(ctx, e.Notebook.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if string(u.GetUID()) != e.Notebook.UID {
			return errors.New("another notebook has taken its name meanwhile")
		}
		changed := u.DeepCopy()
		if err := change(changed); err != nil {
			return err
		}
		return x.patch(ctx, u, changed)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", e.Notebook.Ref(), err)
	}
	return nil
}

// patch sends what differs, for the version of the notebook that was read.
func (x *Editor) patch(ctx context.Context, was, is *unstructured.Unstructured, dryRun ...string) error {
	before, err := was.MarshalJSON()
	if err != nil {
		return err
	}
	after, err := is.MarshalJSON()
	if err != nil {
		return err
	}
	patch, err := jsonpatch.CreateMergePatch(before, after)
	if err != nil {
		return err
	}
	if patch, err = jsonpatch.MergeMergePatches(patch, fmt.Appendf(nil, `{"metadata":{"resourceVersion":%q}}`, was.GetResourceVersion())); err != nil {
		return err
	}
	_, err = x.client.Patch(ctx, is.GetName(), types.MergePatchType, patch, metav1.PatchOptions{FieldManager: notebooks.FieldManager, DryRun: dryRun})
	return err
}

// annotate sets an annotation; an empty value removes it.
func annotate(u *unstructured.Unstructured, name, value string) {
	all := u.GetAnnotations()
	if all == nil {
		all = map[string]string{}
	}
	if value == "" {
		delete(all, name)
	} else {
		all[name] = value
	}
	u.SetAnnotations(all)
}

// forget takes the record of an edit away.
func forget(u *unstructured.Unstructured) error {
	annotate(u, recordAnnotation, "")
	return nil
}

// Check has the server say whether it would take the new values; nothing is written.
func (x *Editor) Check(ctx context.Context, e *Edit) error {
	u, err := x.client.Get(ctx, e.Notebook.Name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("%s: %w", e.Notebook.Ref(), err)
	}
	changed, err := e.Changed(u)
	if err != nil {
		return err
	}
	if err := x.patch(ctx, u, changed, metav1.DryRunAll); err != nil {
		return fmt.Errorf("%s: %w", e.Notebook.Ref(), err)
	}
	return nil
}
