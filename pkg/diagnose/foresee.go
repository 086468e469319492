package diagnose

import (
	"context"
	"slices"
	"time"

	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// foreseeBudget bounds a look ahead that nothing depends on.
const foreseeBudget = 3 * time.Second

// Foresee finds what will fail later although everything becomes ready now: without a
// default StorageClass every notebook waits for its volume. What cannot be read, for
// want of rights or of time (three seconds), is not foreseen.
func Foresee(ctx context.Context, c *cluster.Cluster) []report.Cause {
	r, err := newReader(c)
	if err != nil {
		return nil
	}
	return foresee(ctx, r)
}

func foresee(ctx context.Context, r reader) []report.Cause {
	ctx, cancel := context.WithTimeout(ctx, foreseeBudget)
	defer cancel()
	c := &collector{reader: r, s: &Snapshot{Time: metav1.Now()}, asked: sets.New[string]()}
	list(c, classesGVR, "", metav1.ListOptions{}, sliceOfClasses)
	c.run(ctx)
	if !c.s.read("storageclasses") {
		return nil
	}
	return DefaultClass(c.s.Classes)
}

// DefaultClass finds that none of a cluster's classes is the default.
func DefaultClass(classes []storagev1.StorageClass) []report.Cause {
	if slices.ContainsFunc(classes, isDefault) {
		return nil
	}
	return []report.Cause{{
		Name:     NoDefaultStorageClass,
		Severity: report.Warning,
		Summary:  "the cluster has no default StorageClass: notebooks will wait for their volumes",
		Evidence: []string{"classes: " + classNames(classes)},
		Remedy:   defaultClassRemedy(classes),
	}}
}
