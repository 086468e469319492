package rollout

import (
	"context"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Inventory is what the last run recorded of itself.
type Inventory struct {
	Settings Settings `json:"settings"`
	// Kinds that members have or had.
	Kinds []schema.GroupKind `json:"kinds,omitempty"`
	// Applied are the objects that were sent; generated Secrets are not among them.
	Applied []report.Ref `json:"applied,omitempty"`
	// Record is what Holds compares with.
	Record map[string]string `json:"record,omitempty"`
	// LastRun is nil where an older version of the plugin has written the inventory.
	LastRun *LastRun `json:"lastRun,omitempty"`
}

// ReadInventory returns what the last run recorded, nil where nothing is installed by
// this program.
func ReadInventory(ctx context.Context, c *cluster.Cluster) (*Inventory, error) {
	parent, err := readParent(ctx, c)
	if parent == nil || err != nil {
		return nil, err
	}
	settings, err := settingsOf(parent)
	if err != nil {
		return nil, err
	}
	inv := &Inventory{Settings: *settings, Kinds: groupKindsOf(parent), LastRun: readLastRun(parent)}
	inv.Record = readRecord(parent)
	for name := range inv.Record {
		if ref, ok := parseRecordName(name); ok {
			inv.Applied = append(inv.Applied, ref)
		}
	}
	return inv, nil
}

// parseRecordName reads what recordName writes: KIND.GROUP/NAMESPACE/NAME.
func parseRecordName(s string) (report.Ref, bool) {
	parts := strings.SplitN(s, "/", 3)
	if len(parts) != 3 {
		return report.Ref{}, false
	}
	kind, group, _ := strings.Cut(parts[0], ".")
	return report.Ref{Group: group, Kind: kind, Namespace: parts[1], Name: parts[2]}, true
}

// Holds tells that the fields which the last run owned of an object are its own still,
// as far as the object's managed fields say. Sent is the object as it is rendered: its
// annotation tells which fields others may take.
func (i *Inventory) Holds(ref report.Ref, sent *unstructured.Unstructured, live metav1.Object) bool {
	was, ok := i.Record[keyOfRef(ref).recordName()]
	// An entry is two hashes: of what was sent, and of what was owned.
	return ok && was[len(was)/2:] == ownedHash(sent, live)
}

// WithoutForeign is the object as it would be sent now: without the create-only fields
// that others have taken over.
func WithoutForeign(sent, live *unstructured.Unstructured) *unstructured.Unstructured {
	return withoutForeign(sent, live)
}
