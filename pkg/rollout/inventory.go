package rollout

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// The inventory is an ApplySet (KEP-3659), so that kubectl's own tools can read it.
// Its parent is a ConfigMap in kube-system: the one namespace that every cluster has
// and that this program never deletes.
const (
	InventoryNamespace = "kube-system"
	InventoryName      = "kubectl-jupyter"

	applySetIDLabel         = "applyset.kubernetes.io/id"
	applySetPartOfLabel     = "applyset.kubernetes.io/part-of"
	applySetTooling         = "applyset.kubernetes.io/tooling"
	applySetGroupKinds      = "applyset.kubernetes.io/contains-group-kinds"
	applySetMoreNamespaces  = "applyset.kubernetes.io/additional-namespaces"
	settingsKey             = "settings.json"
	manualRemovalAnnotation = "kubectl-jupyter/about"
)

const daemonSetKind = "DaemonSet.apps"

var configMaps = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}

// setID is the label value that members carry, computed as the KEP says.
var setID = func() string {
	sum := sha256.Sum256([]byte(InventoryName + "." + InventoryNamespace + ".ConfigMap."))
	return "applyset-" + base64.RawURLEncoding.EncodeToString(sum[:]) + "-v1"
}()

// MemberSelector selects every object of the installation.
func MemberSelector() string { return applySetPartOfLabel + "=" + setID }

// IsMember tells whether an object carries the label of the installation's members.
func IsMember(u *unstructured.Unstructured) bool { return u.GetLabels()[applySetPartOfLabel] == setID }

// MemberLabels are the labels of an object that goes with the installation and is in no plan:
// uninstall deletes it, and so does the next run where the component is none of the release's.
// Without a component only uninstall does.
func MemberLabels(component string) map[string]string {
	out := map[string]string{applySetPartOfLabel: setID}
	if component != "" {
		out[components.ComponentLabel] = component
	}
	return out
}

// Owner is the inventory as the owner of an object in its namespace, which the cluster deletes
// with it; nil where nothing is installed.
func Owner(ctx context.Context, c *cluster.Cluster) (*metav1.OwnerReference, error) {
	parent, err := readParent(ctx, c)
	if parent == nil || err != nil {
		return nil, err
	}
	return &metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: InventoryName, UID: parent.GetUID()}, nil
}

// ReadSettings returns what the last run recorded, nil where nothing is installed.
func ReadSettings(ctx context.Context, c *cluster.Cluster) (*Settings, error) {
	parent, err := readParent(ctx, c)
	if parent == nil || err != nil {
		return nil, err
	}
	return settingsOf(parent)
}

func readParent(ctx context.Context, c *cluster.Cluster) (*unstructured.Unstructured, error) {
	parent, err := c.Dynamic.Resource(configMaps).Namespace(InventoryNamespace).Get(ctx, InventoryName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("inventory ConfigMap %s/%s: %w", InventoryNamespace, InventoryName, err)
	}
	if parent.GetLabels()[applySetIDLabel] != setID {
		return nil, fmt.Errorf("ConfigMap %s/%s exists and is not the inventory of kubectl jupyter (label %s is missing): rename or delete it",
			InventoryNamespace, InventoryName, applySetIDLabel)
	}
	return parent, nil
}

func settingsOf(parent *unstructured.Unstructured) (*Settings, error) {
	text, _, _ := unstructured.NestedString(parent.Object, "data", settingsKey)
	s := &Settings{}
	if err := json.Unmarshal([]byte(text), s); err != nil {
		return nil, fmt.Errorf("inventory ConfigMap %s/%s: %s: %w", InventoryNamespace, InventoryName, settingsKey, err)
	}
	s.readCopies(parent)
	return s, nil
}

// parentFor is the inventory's parent as it must stand before the first object is sent:
// it names every kind and namespace that members have or had.
func parentFor(plan *Plan, live *unstructured.Unstructured, tooling string) (*unstructured.Unstructured, error) {
	kinds, namespaces := map[string]bool{}, map[string]bool{}
	if live != nil {
		for _, k := range groupKindsOf(live) {
			kinds[k.String()] = true
		}
		for _, n := range strings.Split(live.GetAnnotations()[applySetMoreNamespaces], ",") {
			if n != "" {
				namespaces[n] = true
			}
		}
		// The tool's version alone is no reason to write.
		if old := live.GetAnnotations()[applySetTooling]; strings.HasPrefix(old, "kubectl-jupyter/") && sameSettings(plan, live) {
			tooling = old
		}
	}
	// The pods that pull images are in DaemonSets, whether the release has some or not.
	kinds[daemonSetKind] = true
	// Those of replaced Deployments are members until the upgrade is complete.
	if delete(kinds, replicaSetKind); plan.Settings.From != "" {
		kinds[replicaSetKind] = true
	}
	for _, r := range plan.Rendered {
		for _, u := range r.Objects {
			kinds[u.GroupVersionKind().GroupKind().String()] = true
			if ns := u.GetNamespace(); ns != "" && ns != InventoryNamespace {
				namespaces[ns] = true
			}
		}
	}
	settings, err := json.Marshal(plan.Settings)
	if err != nil {
		return nil, fmt.Errorf("inventory: %w", err)
	}
	parent := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{
			"name": InventoryName, "namespace": InventoryNamespace,
			"labels": map[string]any{applySetIDLabel: setID},
			"annotations": map[string]any{
				applySetTooling:         tooling,
				applySetGroupKinds:      strings.Join(slices.Sorted(maps.Keys(kinds)), ","),
				applySetMoreNamespaces:  strings.Join(slices.Sorted(maps.Keys(namespaces)), ","),
				manualRemovalAnnotation: "the inventory of kubectl jupyter: uninstall reads it; do not delete it by hand",
			},
		},
		"data": map[string]any{settingsKey: string(settings)},
	}}
	plan.Settings.writeCopies(parent)
	return parent, nil
}

func sameSettings(plan *Plan, live *unstructured.Unstructured) bool {
	recorded, err := settingsOf(live)
	return err == nil && equal(*recorded, plan.Settings)
}

func groupKindsOf(parent *unstructured.Unstructured) []schema.GroupKind {
	var out []schema.GroupKind
	for _, s := range strings.Split(parent.GetAnnotations()[applySetGroupKinds], ",") {
		if s != "" {
			out = append(out, schema.ParseGroupKind(s))
		}
	}
	return out
}

// member is an object of the inventory, as its metadata shows it.
type member struct {
	key       key
	component string
	version   schema.GroupVersionResource
	meta      *metav1.PartialObjectMetadata
}

// members lists the objects that carry the inventory's label: one request for each
// kind, metadata only.
func (e *Engine) members(ctx context.Context, kinds []schema.GroupKind) ([]member, error) {
	lists := make([][]member, len(kinds))
	err := e.parallel(ctx, len(kinds), func(ctx context.Context, i int) error {
		r, err := e.cluster.Mapper.Preferred(kinds[i])
		if err != nil {
			return nil // its definition is gone, and with it every object
		}
		list, err := e.cluster.Metadata.Resource(r.GroupVersionResource).List(ctx, metav1.ListOptions{LabelSelector: MemberSelector()})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("inventory: %s: %w", kinds[i], err)
		}
		for j := range list.Items {
			m := &list.Items[j]
			lists[i] = append(lists[i], member{
				key:       key{kinds[i].Group, kinds[i].Kind, m.Namespace, m.Name},
				component: m.Labels[components.ComponentLabel], version: r.GroupVersionResource, meta: m,
			})
		}
		return nil
	})
	return slices.Concat(lists...), err
}

func (e *Engine) resource(m member) dynamic.ResourceInterface {
	if m.key.namespace == "" {
		return e.cluster.Dynamic.Resource(m.version)
	}
	return e.cluster.Dynamic.Resource(m.version).Namespace(m.key.namespace)
}
