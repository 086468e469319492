package rollout

import (
	"fmt"
	"runtime"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

func TestAComponentNeverSeemsToGoBackwards(t *testing.T) {
	const objects = 100
	for range 20 {
		var all []*unstructured.Unstructured
		for i := range objects {
			all = append(all, object(t, fmt.Sprintf("{apiVersion: v1, kind: ConfigMap, metadata: {namespace: auth, name: c%d}}", i)))
		}
		plan := &Plan{Rendered: []components.Rendered{{Component: &components.Component{Name: "dex"}, Objects: all}}}
		last, backwards := 0, 0
		var state report.State
		events := newEmitter(func(e report.Event) {
			if e.Kind != report.EventComponent {
				return
			}
			if e.Done < last {
				backwards++
			}
			last, state = e.Done, e.State
			runtime.Gosched() // as a view that prints lets others run
		})
		r := &run{Engine: &Engine{events: events}, plan: plan, graph: newGraph(plan, course{}), readyFacts: map[key]*fact{}}
		n := r.graph.nodes[0]
		for _, u := range all {
			r.accepted(n, u, report.Created)
		}
		last = 0 // from here on what is ready is counted
		var work sync.WaitGroup
		together := make(chan struct{})
		for _, u := range all {
			work.Go(func() {
				<-together
				r.ready(n, keyOf(u))
			})
		}
		close(together)
		work.Wait()
		if backwards > 0 || last != objects || state != report.Ready {
			t.Fatalf("the last event says %s with %d of %d ready, and %d events went backwards", state, last, objects, backwards)
		}
	}
}
