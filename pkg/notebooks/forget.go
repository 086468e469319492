package notebooks

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
)

// CheckedAnnotation is when the controller last looked whether a notebook is in use.
const CheckedAnnotation = "notebooks.kubeflow.org/last_activity_check_timestamp"

// recordFor is how long what the controller wrote of a notebook's use is taken for true: it
// looks every few minutes, as long as culling is on.
const recordFor = 15 * time.Minute

// Recorded is when a notebook was last used, as the controller wrote it down, and when it
// looked; false where it did not, or has stopped doing so. One before v1.7 does not say when
// it looked.
func Recorded(annotations map[string]string, now time.Time) (last, looked time.Time, ok bool) {
	last, err := time.Parse(time.RFC3339, annotations[ActivityAnnotation])
	if err != nil {
		return time.Time{}, time.Time{}, false
	}
	text, tells := annotations[CheckedAnnotation]
	if !tells {
		return last, time.Time{}, true
	}
	if looked, err = time.Parse(time.RFC3339, text); err != nil || now.Sub(looked) > recordFor {
		return time.Time{}, time.Time{}, false
	}
	return last, looked, true
}

// ForgetRecords removes what the controller once wrote of the use of notebooks and does not
// keep up to date, and returns of how many. One that is told to stop idle notebooks again
// would go by it: a notebook without a kernel, such as VS Code, would be stopped at once.
func ForgetRecords(ctx context.Context, c *cluster.Cluster, now time.Time) (int, error) {
	objects, err := objectsIn(ctx, c, "")
	if apierrors.IsNotFound(err) {
		return 0, nil // nothing serves Notebooks yet
	}
	if err != nil {
		return 0, err
	}
	forget := map[string]any{ActivityAnnotation: nil, CheckedAnnotation: nil}
	done := 0
	for i := range objects {
		u := &objects[i]
		_, recorded := u.GetAnnotations()[ActivityAnnotation]
		if _, looked, current := Recorded(u.GetAnnotations(), now); !recorded || current && !looked.IsZero() {
			continue
		}
		// The version: somebody who has just written one is not to lose it.
		patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"resourceVersion": u.GetResourceVersion(), "annotations": forget}})
		if err != nil {
			return done, err
		}
		_, err = c.Dynamic.Resource(Resource).Namespace(u.GetNamespace()).Patch(ctx, u.GetName(), types.MergePatchType, patch, metav1.PatchOptions{FieldManager: FieldManager})
		switch {
		case apierrors.IsNotFound(err), apierrors.IsConflict(err):
			continue
		case err != nil:
			return done, fmt.Errorf("%s: %w", RefOf(u.GetNamespace(), u.GetName()), err)
		}
		done++
	}
	return done, nil
}
