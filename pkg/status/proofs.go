package status

import (
	"context"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// Proof is the answer to an object that was sent as a server-side dry run, to see
// whether a webhook does what it is there for. Nothing is stored by it.
type Proof struct {
	Component string
	// Object that was sent.
	Object report.Ref
	// RefusedBy is the webhook that had to deny an invalid object; empty for a valid one.
	RefusedBy string
	// Advisory: the stack works without this webhook, it only checks less.
	Advisory bool
	OK       bool
	// Why it is not proven, as the API server said it.
	Why string
	// Forbidden: the user may not send such an object. Impossible: its kind or namespace
	// is not there, which is told elsewhere.
	Forbidden, Impossible bool
	// Accepted: the API server took the object, so the webhook is what did not do its part.
	Accepted bool
}

// probeName is the name of every object that is sent as a proof.
const probeName = "kubectl-jupyter-probe"

type attempt struct {
	component string
	probe     components.Probe
	advisory  bool
}

// prove sends the probes of the catalogue, and two of its own.
func (k *collector) prove(ctx context.Context) {
	var all []attempt
	for i := range k.s.Release.Components {
		c := &k.s.Release.Components[i]
		for _, gate := range c.Gates {
			for _, p := range gate.Probes {
				all = append(all, attempt{component: c.Name, probe: p})
			}
		}
	}
	all = append(all, attempt{"istio", components.Probe{Object: invalidGateway(), RefusedBy: "rev.validation.istio.io"}, true})
	if pod := k.podOfProfile(all); pod != nil {
		all = append(all, attempt{component: "poddefaults", probe: components.Probe{Object: pod}})
	}
	k.s.Proofs = make([]Proof, len(all))
	var wg sync.WaitGroup
	for i, a := range all {
		wg.Go(func() { k.s.Proofs[i] = k.attempt(ctx, a) })
	}
	wg.Wait()
}

func (k *collector) attempt(ctx context.Context, a attempt) Proof {
	u := a.probe.Object
	p := Proof{Component: a.component, Object: cluster.RefOf(u), RefusedBy: a.probe.RefusedBy, Advisory: a.advisory}
	client, _, err := k.c.For(u)
	if meta.IsNoMatchError(err) {
		p.Impossible = true
		return p
	}
	var answer *unstructured.Unstructured
	if err == nil {
		answer, err = client.Create(ctx, u, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: rollout.FieldManager})
	}
	p.Accepted = err == nil
	p.OK, p.Why = rollout.Proven(&a.probe, answer, err)
	if err != nil {
		p.Why = err.Error()
	}
	denied := strings.Contains(p.Why, "denied the request")
	p.Forbidden = apierrors.IsForbidden(err) && !denied && strings.Contains(p.Why, "cannot create resource")
	p.Impossible = apierrors.IsNotFound(err)
	return p
}

// invalidGateway has no server, which Istio's validation refuses.
func invalidGateway() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "networking.istio.io/v1", "kind": "Gateway",
		"metadata": map[string]any{"name": probeName, "namespace": "istio-system", "labels": map[string]any{"istio.io/rev": "default"}},
		"spec":     map[string]any{"selector": map[string]any{"istio": "ingressgateway"}, "servers": []any{}},
	}}
}

// podOfProfile is a pod as a notebook's is, in the first user's namespace: whether the
// PodDefaults webhook answers shows only there. Nil where nobody knows of a user.
func (k *collector) podOfProfile(all []attempt) *unstructured.Unstructured {
	if k.s.Inventory == nil {
		return nil
	}
	for _, a := range all {
		if a.probe.Object.GetKind() == "Pod" {
			pod := a.probe.Object.DeepCopy()
			pod.SetNamespace(components.Options{UserEmail: k.s.Inventory.Settings.UserEmail}.ProfileName())
			return pod
		}
	}
	return nil
}
