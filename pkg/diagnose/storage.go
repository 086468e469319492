package diagnose

import (
	"slices"

	storagev1 "k8s.io/api/storage/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// DefaultClass finds that none of a cluster's classes is the default: every notebook
// will wait for its volume.
func DefaultClass(classes []storagev1.StorageClass) []report.Cause {
	if slices.ContainsFunc(classes, IsDefault) {
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
