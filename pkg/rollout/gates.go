package rollout

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// pass proves a gate: its workload is ready, its webhooks have a CA, and its probes
// are answered as a working webhook answers them. A ready pod alone proves nothing:
// between it and the first answer lie a certificate, a caBundle and a network.
func (r *run) pass(ctx context.Context, n *node, gate *components.Gate) error {
	for _, need := range gate.Needs {
		if f := r.graph.fact(need.Component, need.Condition); f != nil {
			if err := f.wait(ctx); err != nil {
				return err
			}
		}
	}
	// Somebody else's installation may name its workloads and configurations as it
	// likes; what it answers is proof enough.
	if !n.existing {
		for kind, name := range map[string]string{"Deployment": gate.Workload, "DaemonSet": gate.Agent} {
			if name == "" {
				continue
			}
			if err := r.workloadReady(ctx, n, kind, name); err != nil {
				return err
			}
		}
		for _, w := range gate.Webhooks {
			if err := r.hasCA(ctx, n, w); err != nil {
				return err
			}
		}
	}
	for i := range gate.Probes {
		if err := r.probe(ctx, n, &gate.Probes[i]); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) workloadReady(ctx context.Context, n *node, kind, name string) error {
	namespace, name, _ := strings.Cut(name, "/")
	k := key{"apps", kind, namespace, name}
	if f := r.readyFacts[k]; f != nil {
		return f.wait(ctx)
	}
	return fmt.Errorf("component %s: its gate names %s, which is not one of its objects", n.Component.Name, k.ref())
}

// hasCA waits until every webhook of a configuration has a caBundle.
func (r *run) hasCA(ctx context.Context, n *node, w components.WebhookRef) error {
	resource, err := r.cluster.Mapper.Preferred(schema.GroupKind{Group: "admissionregistration.k8s.io", Kind: w.Kind})
	if err != nil {
		return err
	}
	k := key{resource.Group, w.Kind, "", w.Name}
	err = until(ctx, r.cluster.Dynamic.Resource(resource.GroupVersionResource), w.Name, "", func(u *unstructured.Unstructured) (bool, error) {
		missing := WithoutCA(u)
		if missing != "" {
			message := "waiting for the caBundle of " + missing
			r.note(n, k, message)
			r.events.wait(n.Component.Name, k.ref(), message)
		}
		return missing == "", nil
	})
	if err == nil {
		r.forget(n, k)
	}
	return err
}

// WithoutCA names the first webhook of a configuration that has no caBundle, empty
// where all have one.
func WithoutCA(u *unstructured.Unstructured) string {
	if u == nil {
		return "a configuration that does not exist"
	}
	webhooks, _, _ := unstructured.NestedSlice(u.Object, "webhooks")
	for _, w := range webhooks {
		w, _ := w.(map[string]any)
		if bundle, _, _ := unstructured.NestedString(w, "clientConfig", "caBundle"); bundle == "" {
			name, _ := w["name"].(string)
			return "webhook " + name
		}
	}
	return ""
}

// probe sends a server-side dry run until the answer is the one of a working webhook.
func (r *run) probe(ctx context.Context, n *node, p *components.Probe) error {
	ref := cluster.RefOf(p.Object)
	pause := retryPause()
	for {
		client, err := r.clientFor(p.Object)
		if err == nil {
			var answer *unstructured.Unstructured
			answer, err = client.Create(ctx, p.Object, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: FieldManager})
			if ok, why := Proven(p, answer, err); ok {
				r.forget(n, keyOf(p.Object))
				return nil
			} else if ctx.Err() == nil {
				if apierrors.IsForbidden(err) && !deniedByWebhook(err) {
					if _, later := retryable(err); !later {
						return refusal(ref, err)
					}
				}
				r.note(n, keyOf(p.Object), "check that admission works ("+ref.String()+", dry run): "+why)
				r.events.wait(n.Component.Name, ref, why)
			}
		}
		if err := pauseFor(ctx, pause.Step()); err != nil {
			return err
		}
	}
}

func (r *run) clientFor(u *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	client, _, err := r.cluster.For(u)
	return client, err
}

// Proven judges the answer to a probe: accepted and changed where it had to be, refused by the
// webhook (and by nobody else) where it had to be.
func Proven(p *components.Probe, answer *unstructured.Unstructured, err error) (bool, string) {
	if p.RefusedBy != "" {
		switch {
		case err == nil:
			return false, "webhook " + p.RefusedBy + " admits an invalid object"
		case deniedByWebhook(err) && strings.Contains(err.Error(), `"`+p.RefusedBy+`"`):
			return true, ""
		}
		return false, waitingFor(err)
	}
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return false, waitingFor(err)
	}
	if len(p.Adds) == 0 || err != nil {
		return true, ""
	}
	for _, path := range p.Adds {
		if hasPath(answer.Object, strings.Split(path, ".")) {
			return true, ""
		}
	}
	return false, "the response lacks " + strings.Join(p.Adds, " and ") + ": the webhook has not changed the object"
}

func waitingFor(err error) string {
	if what, ok := retryable(err); ok {
		return what
	}
	return err.Error()
}

func deniedByWebhook(err error) bool {
	return err != nil && strings.Contains(err.Error(), "denied the request")
}

// hasPath follows a path such as spec.containers[name=istio-proxy].
func hasPath(v any, path []string) bool {
	if len(path) == 0 {
		return v != nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		return false
	}
	field, selector, isList := strings.Cut(path[0], "[")
	if !isList {
		next, has := m[field]
		return has && hasPath(next, path[1:])
	}
	k, want, _ := strings.Cut(strings.TrimSuffix(selector, "]"), "=")
	items, _ := m[field].([]any)
	for _, item := range items {
		if c, ok := item.(map[string]any); ok && c[k] == want {
			return hasPath(item, path[1:])
		}
	}
	return false
}
