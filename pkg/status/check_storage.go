package status

import (
	storagev1 "k8s.io/api/storage/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// checkStorage: without a default StorageClass every notebook waits for its volume.
func checkStorage(s *Snapshot) []report.Cause {
	// An object of no name is absent as soon as the list was read.
	if ref := (report.Ref{Group: "storage.k8s.io", Kind: "StorageClass"}); s.Presence(ref) != Absent {
		return nil
	}
	var classes []storagev1.StorageClass
	for _, u := range s.All("storage.k8s.io", "StorageClass") {
		var class storagev1.StorageClass
		if into(u, &class) {
			classes = append(classes, class)
		}
	}
	return diagnose.DefaultClass(classes)
}
