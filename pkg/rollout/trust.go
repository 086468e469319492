package rollout

import (
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

var podsResource = schema.GroupVersionResource{Version: "v1", Resource: "pods"}

// keepTrusted keeps what pods that stay rely on while they run, and the namespaces that it
// is in: notebooks go on running without the stack, and the next installation has to accept
// the certificates that their sidecars have.
func (e *Engine) keepTrusted(ctx context.Context, release *components.Release, r *Removal, ours map[key]bool) error {
	for _, c := range release.Components {
		if c.Trust == nil || r.others[c.Name] {
			continue
		}
		pods, err := e.staying(ctx, c.Trust.Pods, ours)
		if err != nil {
			return err
		}
		if len(pods) == 0 {
			continue
		}
		in := map[string]bool{}
		for _, p := range pods {
			in[p.Namespace] = true
		}
		why := fmt.Sprintf("needed by %s of others; deleted only with --delete-data", report.Count(len(pods), "running pod"))
		for _, o := range c.Trust.Objects {
			all, err := e.every(ctx, schema.GroupKind{Group: o.Group, Kind: o.Kind})
			if err != nil {
				return err
			}
			for _, m := range all {
				if !o.Matches(m.key.kind, m.key.namespace, m.key.name) || o.Namespace == "*" && !in[m.key.namespace] {
					continue
				}
				r.trusted[m.key] = true
				m.component = c.Name
				r.keep(m, why)
				r.keepNamespace(m.key)
			}
		}
	}
	return nil
}

// keepNamespace keeps the namespace of an object that is kept.
func (r *Removal) keepNamespace(k key) {
	step := r.steps[stepNamespaces]
	i := slices.IndexFunc(step, func(m member) bool { return m.key.name == k.namespace })
	if i < 0 {
		return
	}
	r.keep(step[i], "it contains "+k.ref().String()+", which is kept")
	r.steps[stepNamespaces] = slices.Delete(step, i, i+1)
}

// staying are the pods of a selector that do not belong to a workload which goes.
func (e *Engine) staying(ctx context.Context, selector string, ours map[key]bool) ([]metav1.PartialObjectMetadata, error) {
	list, err := e.cluster.Metadata.Resource(podsResource).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, fmt.Errorf("pods with %s: %w", selector, err)
	}
	return slices.DeleteFunc(list.Items, func(p metav1.PartialObjectMetadata) bool {
		w := cluster.WorkloadOf(&p)
		return p.DeletionTimestamp != nil || ours[key{w.Group, w.Kind, w.Namespace, w.Name}]
	}), nil
}
