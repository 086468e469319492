package rollout

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// A definition that Dex finds missing it makes itself. The run would then meet a
// definition of Dex's in the place of its own, and so would the run after a Ctrl-C.
func TestAWorkloadWaitsForWhatItWouldMakeItself(t *testing.T) {
	own := object(t, `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: authcodes.dex.coreos.com}, spec: {group: dex.coreos.com, names: {kind: AuthCode}}}`)
	other := object(t, `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: things.example.com}, spec: {group: example.com, names: {kind: Thing}}}`)
	account := object(t, `{apiVersion: v1, kind: ServiceAccount, metadata: {namespace: auth, name: dex}}`)
	dex := &components.Component{Name: "dex", Leaves: []components.Leftover{{Group: "apiextensions.k8s.io", Kind: crdKind, Name: "*.dex.coreos.com"}}}
	plan := &Plan{Rendered: []components.Rendered{{Component: dex, Objects: []*unstructured.Unstructured{own, other, account}}}}
	r := &run{Engine: &Engine{events: newEmitter(nil)}, plan: plan, graph: newGraph(plan, course{})}
	n := r.graph.nodes[0]
	r.accepted(n, account, report.Created)
	if n.foundations.holds() {
		t.Fatal("the Deployment may be sent before the definition that Dex would make itself")
	}
	r.accepted(n, own, report.Created)
	if !n.foundations.holds() {
		t.Error("the Deployment waits for a definition that does not concern it")
	}
}
