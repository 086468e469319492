package preflight

import (
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/version"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/exposure"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/users"
)

// Facts are what a look has read.
type Facts struct {
	Time    time.Time
	Target  report.Target
	Version *version.Version
	// Impersonated is the user that was named with --as.
	Impersonated string

	Release *components.Release
	Profile string
	// Planned components, and those that are used as somebody else installed them.
	Planned, UseExisting []string
	// CanSkip tells whether components can be left out.
	CanSkip func(names []string) bool
	// NotebookImages are those that the web app's form offers.
	NotebookImages []string

	// Pulled are the images and what their registry says of them, where it was asked.
	Pulled []Pulled

	// Directories of the nodes; nil where the plan puts nothing there.
	Directories *rollout.Directories

	// Network of the cluster; nil where the usual one is taken for granted.
	Network *rollout.Network

	// Missing are the rights that the access reviews deny.
	Missing []string
	// What the survey found. Tried counts the dry runs of objects that do not exist.
	Conflicts                    []rollout.Conflict
	Refusals                     []rollout.Refusal
	Objects, Created, Configured int
	Tried                        int
	// Earlier: there is an inventory. Kept counts objects with our label where there is none.
	Earlier bool
	Kept    int
	// Leaving are objects of the plan's names that are being deleted, Terminating namespaces.
	Leaving     []Leaving
	Terminating []corev1.Namespace

	// Open nodes take pods; Excluded says of the others why not.
	Open     []*corev1.Node
	Excluded map[string]string
	// Rooms of the nodes whose pods were added up, and the arithmetic on them.
	Rooms    []Room
	Capacity *Capacity
	// Autoscaler is what adds nodes here, empty where nothing is known to.
	Autoscaler string

	Classes []storagev1.StorageClass
	// Undriven are the CSI drivers of default classes that are not installed.
	Undriven []string
	Webhooks []Webhook
	Existing []Existing
	Address  exposure.Detection
	// Policies tells whether network policies are enforced, and Enforcer what tells it.
	Policies users.Enforcement
	Enforcer string

	// Layout of an Istio that is used as somebody else installed it; nil where none is.
	Layout *Layout
	// Admission is what the cluster admits of notebooks.
	Admission *Admission
	// Filters of the gateway's namespace, and Services that they ask and that do not exist.
	Filters []*unstructured.Unstructured
	Absent  []report.Ref

	// done and failed are reads, by name
	done   map[string]bool
	failed map[string]error
}

// Leaving is an object that is being deleted.
type Leaving struct {
	Component  string
	Ref        report.Ref
	Since      time.Time
	Finalizers []string
}

// errBlocked: a read that makes no sense since another one failed.
var errBlocked = errors.New("not checked, because permissions are missing")

// unread is why one of the reads failed; nil where all that were made succeeded.
func (f *Facts) unread(reads []string) error {
	for _, r := range reads {
		if err := f.failed[r]; err != nil {
			return err
		}
	}
	return nil
}

// asked tells whether any of the reads was made: what was left out on purpose is no row.
func (f *Facts) asked(reads []string) bool {
	for _, r := range reads {
		if f.done[r] {
			return true
		}
	}
	return len(reads) == 0
}
