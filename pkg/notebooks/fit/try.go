package fit

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/form"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Verdict is whether a notebook would run.
type Verdict struct {
	// Causes are why it would not; none: nothing that is known speaks against it.
	Causes []report.Cause
	// Problems are what is not known, one sentence each.
	Problems []string
	// Nodes have room for it; none where that is not known.
	Nodes []string
}

// Try asks whether a notebook and its claims could be created, and whether the notebook
// would then run. Nothing is created. Its error is of a request that cannot be meant so,
// such as a name that is taken, or of one that the user may not make.
func (f *Facts) Try(ctx context.Context, o *form.Objects) (*Verdict, error) {
	v := &Verdict{Problems: append([]string{}, f.problems...)}
	ref := notebooks.RefOf(f.namespace, o.Notebook.GetName())
	err := f.dryRun(ctx, o.Notebook)
	switch {
	case apierrors.IsAlreadyExists(err):
		return nil, fmt.Errorf("%s already exists: choose another name (`kubectl jupyter notebook start %s -n %s` starts it if it is stopped)", ref, ref.Name, f.namespace)
	case err != nil:
		if err := v.refused(ref, err); err != nil {
			return nil, err
		}
	}
	if err := f.tryClaims(ctx, o, v); err != nil {
		return nil, err
	}
	pod, err := podOf(o.Notebook)
	if err != nil {
		return nil, err
	}
	return v, f.tryPod(ctx, v, ref, pod, f.room)
}

// TryPod asks whether a pod of something that is not there yet would be admitted, and
// whether it would then run. Nothing is created. Where the pod has to be because of its
// volumes, Tie says.
func (f *Facts) TryPod(ctx context.Context, ref report.Ref, pod *corev1.Pod) (*Verdict, error) {
	v := &Verdict{Problems: append([]string{}, f.problems...)}
	err := f.tryPod(ctx, v, ref, pod, f.room)
	v.Causes = slices.DeleteFunc(v.Causes, func(c report.Cause) bool { return c.Name == diagnose.VolumeInUse })
	return v, err
}

func (f *Facts) tryPod(ctx context.Context, v *Verdict, ref report.Ref, pod *corev1.Pod, room *diagnose.Snapshot) error {
	admitted, err := f.admit(ctx, pod)
	switch unknown := unknownError(""); {
	case errors.As(err, &unknown):
		v.Problems = append(v.Problems, string(unknown))
		admitted = pod
	case err != nil:
		if err := v.refused(ref, err); err != nil {
			return err
		}
		admitted = pod
	}
	sub := diagnose.Subject{Ref: ref}
	nodes, causes := diagnose.Place(room, sub, admitted)
	for i := range causes {
		causes[i].Object = ref
	}
	v.Nodes = nodes
	v.Causes = append(v.Causes, causes...)
	v.Causes = append(v.Causes, diagnose.Held(room, sub, admitted, nodes)...)
	v.Causes = diagnose.Documented(diagnose.Rank(v.Causes))
	return nil
}

// tryClaims asks whether the claims could be created, and whether those that are to be
// mounted are there.
func (f *Facts) tryClaims(ctx context.Context, o *form.Objects, v *Verdict) error {
	for _, u := range o.Claims {
		ref := cluster.RefOf(u)
		err := f.dryRun(ctx, u)
		switch {
		case apierrors.IsAlreadyExists(err):
			return fmt.Errorf("%s already exists, probably from an earlier notebook: use --volume %s to mount it, or choose another name", ref, ref.Name)
		case err != nil:
			if err := v.refused(ref, err); err != nil {
				return err
			}
			continue
		}
		var claim corev1.PersistentVolumeClaim
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &claim); err != nil {
			return fmt.Errorf("%s: %w", ref, err)
		}
		claim.Status.Phase, claim.CreationTimestamp = corev1.ClaimPending, f.room.Time
		with := *f.room
		with.Claims = append(with.Claims[:len(with.Claims):len(with.Claims)], claim)
		with.Unreadable = nil
		v.add(diagnose.Classify(&with, []diagnose.Subject{{Ref: ref}}))
	}
	for _, name := range o.Mounted {
		ref := report.Ref{Kind: "PersistentVolumeClaim", Namespace: f.namespace, Name: name}
		u, err := f.cluster.Dynamic.Resource(claims).Namespace(f.namespace).Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return fmt.Errorf("--volume: %s does not exist: `kubectl -n %s get pvc` lists the claims", ref, f.namespace)
		case err != nil:
			return fmt.Errorf("%s: %w", ref, err)
		case u.GetDeletionTimestamp() != nil:
			return fmt.Errorf("--volume: %s is being deleted", ref)
		}
	}
	return nil
}

// add keeps the causes that waiting does not cure: that a claim has no volume before there
// is a pod, for one, is as it should be.
func (v *Verdict) add(causes []report.Cause) {
	for _, c := range causes {
		if c.Severity >= report.Error && c.Name != diagnose.NotReady {
			v.Causes = append(v.Causes, c)
		}
	}
}

// refused makes a cause of what the API server answered; what it has no word for, and a
// right that is missing, stay errors.
func (v *Verdict) refused(ref report.Ref, err error) error {
	causes := diagnose.Classify(&diagnose.Snapshot{Time: metav1.Now()}, []diagnose.Subject{{Ref: ref, Message: err.Error()}})
	for _, c := range causes {
		switch c.Name {
		case diagnose.NotReady:
			return fmt.Errorf("%s cannot be created: %w", ref, err)
		case diagnose.Forbidden:
			return fmt.Errorf("%s: you are not allowed to create it; docs/rbac/notebook-user.yaml has the permissions for notebooks: %w", ref, err)
		}
	}
	v.Causes = append(v.Causes, causes...)
	return nil
}

// unknownError is why the API server could not be asked.
type unknownError string

func (e unknownError) Error() string { return string(e) }

// admit is the pod as the API server would store it: with its sidecar, and what PodDefaults
// and LimitRanges add.
func (f *Facts) admit(ctx context.Context, p *corev1.Pod) (*corev1.Pod, error) {
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(p)
	if err != nil {
		return nil, err
	}
	answer, err := f.cluster.Dynamic.Resource(pods).Namespace(f.namespace).Create(ctx, &unstructured.Unstructured{Object: object}, dry())
	switch {
	case err == nil:
	case lacksRight(err):
		return nil, unknownError("whether quotas, LimitRanges and webhooks admit the pod is not known: you are not allowed to create pods")
	case apierrors.IsBadRequest(err):
		return nil, unknownError("whether quotas, LimitRanges and webhooks admit the pod is not known: " + err.Error())
	case apierrors.IsAlreadyExists(err):
		return nil, unknownError(fmt.Sprintf("whether quotas, LimitRanges and webhooks admit the pod is not known: there is a Pod %s/%s already", p.Namespace, p.Name))
	default:
		return nil, err
	}
	out := &corev1.Pod{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(answer.Object, out); err != nil {
		return nil, fmt.Errorf("Pod %s/%s: %w", p.Namespace, p.Name, err)
	}
	return out, nil
}

// lacksRight tells a missing right from a refusal by admission, which the API server
// answers with the same code.
func lacksRight(err error) bool {
	if !apierrors.IsForbidden(err) {
		return false
	}
	for _, c := range diagnose.Classify(&diagnose.Snapshot{}, []diagnose.Subject{{Ref: report.Ref{Kind: "Pod"}, Message: err.Error()}}) {
		if c.Name == diagnose.Forbidden {
			return true
		}
	}
	return false
}

func (f *Facts) dryRun(ctx context.Context, u *unstructured.Unstructured) error {
	_, err := f.cluster.Dynamic.Resource(notebooks.ResourceOf(u)).Namespace(f.namespace).Create(ctx, u, dry())
	return err
}

func dry() metav1.CreateOptions {
	return metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: notebooks.FieldManager}
}
