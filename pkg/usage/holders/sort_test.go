package holders

import (
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/activity"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
)

func TestGPUsAreSortedStablyWithTheUnknownLast(t *testing.T) {
	row := func(name, node string, state State, namespace string, percent float64) Row {
		r := Row{Resource: name, Node: &usage.Node{Name: node}, State: state, Pod: Pod{Namespace: namespace}}
		if percent >= 0 {
			r.Device = &usage.Device{Live: usage.Live{Utilization: usage.Known(percent), MemoryUsed: usage.Known(int64(100 - percent))}}
		}
		return r
	}
	for key, want := range map[string]string{
		"node": "a b c d e", "gpu-util": "e b a d c", "vram": "a d b e c", "state": "c a b e d", "namespace": "b a e c d",
	} {
		g := &GPUs{Rows: []Row{
			row("d", "n2", Unusable, "", 5), row("a", "n1", Held, "cyd", 5), row("b", "n1", Held, "ada", 50), row("e", "n3", Held, "zoe", 90), row("c", "n1", Free, "", -1),
		}}
		// b and c are on n1 after a, as they were read.
		g.Sort(key)
		var got []string
		for _, r := range g.Rows {
			got = append(got, r.Resource)
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("--sort-by=%s: %s, want %s", key, s, want)
		}
	}
}

func TestNotebooksAreSortedStablyWithTheUnknownLast(t *testing.T) {
	cpu := func(s string) usage.Maybe[resource.Quantity] { return usage.Known(resource.MustParse(s)) }
	idle := func(d time.Duration) activity.Use { return activity.Use{Last: usage.Known(noon.Add(-d))} }
	all := []Notebook{
		{Namespace: "bob", Name: "c", Owner: usage.Known("z"), Nodes: []string{"n1"}, CPU: cpu("2"), Memory: cpu("1Gi"), GPUs: map[string]int64{"x": 1, "y": 1}, Created: noon.Add(-time.Hour), Use: idle(time.Minute)},
		{Namespace: "ada", Name: "b", CPU: cpu("100m"), Memory: cpu("3Gi"), GPUs: map[string]int64{"x": 4}, Created: noon.Add(-time.Minute)},
		{Namespace: "ada", Name: "a", Owner: usage.Known("y"), Nodes: []string{"n2"}, Created: noon.Add(-3 * time.Hour), Use: idle(time.Hour)},
	}
	for key, want := range map[string]string{
		"namespace": "a b c", "name": "a b c", "owner": "a c b", "node": "c a b", "cpu": "c b a", "memory": "b c a", "gpu": "b c a", "age": "a c b", "idle": "a c b", "gpu-util": "a b c",
	} {
		if !slices.Contains(NotebookSortKeys(), key) {
			t.Errorf("%s is not offered", key)
		}
		n := &Notebooks{Time: noon, Notebooks: slices.Clone(all)}
		n.Sort(key)
		var got []string
		for _, b := range n.Notebooks {
			got = append(got, b.Name)
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("--sort-by=%s: %s, want %s", key, s, want)
		}
	}
}

func TestWhetherAFreeGPUCanBeHad(t *testing.T) {
	for _, tt := range []struct {
		node        *usage.Node
		state       State
		text        string
		schedulable bool
	}{
		{&usage.Node{Ready: true}, Free, "free", true},
		{&usage.Node{Ready: true, Cordoned: true}, Free, "free,cordoned", false},
		{&usage.Node{}, Free, "free,NotReady", false},
		{nil, Free, "free", true},
		{&usage.Node{Cordoned: true}, Held, "held", false},
	} {
		r := Row{Node: tt.node, State: tt.state}
		if r.StateText() != tt.text || r.Schedulable() != tt.schedulable {
			t.Errorf("%+v: %s, %v; want %s, %v", tt.node, r.StateText(), r.Schedulable(), tt.text, tt.schedulable)
		}
	}
}
