package holders

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/activity"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
)

// figure is a device's utilization in one sample; below zero it is not known.
func sampled(uuid string, percent float64) usage.Device {
	d := usage.Device{Node: "n", UUID: uuid, Live: usage.LiveOf(nil, usage.Absence{Reason: "HTTP 500"})}
	if percent >= 0 {
		d.Live.Utilization = usage.Known(percent)
	}
	return d
}

// exporter says one thing after the other.
type exporter struct {
	said []usage.Device
	n    int
}

func (e *exporter) Devices(context.Context, []string) (usage.Devices, map[string]usage.Absence, []string) {
	d := e.said[e.n]
	e.n++
	return usage.Devices{"n": {d}}, nil, nil
}

func TestAGPUIsUnusedWhereItWasInEverySample(t *testing.T) {
	for name, tc := range map[string]struct {
		// samples are the first, those in between, and the last.
		samples []float64
		// before and after hold it.
		before, after string
		unused        bool
		peak          float64
		why           string
	}{
		"in no sample was anything done":               {samples: []float64{0, 4.9, 0, 0}, before: "a", after: "a", unused: true, peak: 4.9},
		"in one sample it was used":                    {samples: []float64{0, 0, 5, 0}, before: "a", after: "a", peak: 5},
		"it is used at the end":                        {samples: []float64{0, 0, 0, 80}, before: "a", after: "a", peak: 80},
		"another pod has it now":                       {samples: []float64{0, 0, 0, 0}, before: "a", after: "b", why: "got its holder while it was watched"},
		"somebody has it only now":                     {samples: []float64{0, 0, 0, 0}, before: "", after: "b", why: "got its holder while it was watched"},
		"nobody has it any more":                       {samples: []float64{0, 0, 0, 0}, before: "a", after: "", why: "nobody holds it"},
		"the exporter says nothing":                    {samples: []float64{-1, -1, -1, -1}, before: "a", after: "a", why: "HTTP 500"},
		"the exporter was silent for half of it":       {samples: []float64{0, -1, -1, 0}, before: "a", after: "a", why: "only 2 of 4 samples have a figure: HTTP 500"},
		"one sample in twelve is missing, and no more": {samples: []float64{0, 0, 0, -1, 0, 0, 0, 0, 0, 0, 0, 1}, before: "a", after: "a", unused: true, peak: 1},
	} {
		t.Run(name, func(t *testing.T) {
			last := len(tc.samples) - 1
			e := &exporter{}
			for _, p := range tc.samples[1:last] {
				e.said = append(e.said, sampled("u", p))
			}
			reads := 0
			read := func(context.Context) (*GPUs, error) {
				holder, percent := tc.before, tc.samples[0]
				if reads++; reads == 2 {
					holder, percent = tc.after, tc.samples[last]
				}
				d := sampled("u", percent)
				row := Row{Resource: "nvidia.com/gpu", Device: &d, State: Free}
				if holder != "" {
					row.State, row.Pod = Held, Pod{Namespace: "ns", Name: holder, Since: noon}
				}
				return &GPUs{Time: noon, Rows: []Row{row}}, nil
			}
			var told []string
			w, err := watch(t.Context(), Sampling{For: time.Duration(last) * time.Millisecond, Every: time.Millisecond, Taken: func(n, of int) { told = append(told, fmt.Sprint(n, "/", of)) }}, e, read)
			if err != nil {
				t.Fatal(err)
			}
			u := w.Uses[0]
			if u.Below(5) != tc.unused {
				t.Errorf("unused: %v, %+v", u.Below(5), u)
			}
			if peak, ok := u.Peak.Get(); ok != (tc.why == "") || peak != tc.peak || !strings.Contains(u.Peak.Why().Reason, tc.why) {
				t.Errorf("peak %v, %q; want %v, %q", peak, u.Peak.Why().Reason, tc.peak, tc.why)
			}
			if len(told) != len(tc.samples) || w.Samples != len(tc.samples) || reads != 2 {
				t.Errorf("told %v, %d samples, %d reads", told, w.Samples, reads)
			}
		})
	}
}

func TestWatchingEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	read := func(context.Context) (*GPUs, error) { cancel(); return &GPUs{}, nil }
	if _, err := watch(ctx, Sampling{For: time.Hour, Every: time.Minute}, nil, read); err == nil {
		t.Error("it goes on")
	}
}

func TestALookHasSeveralSamplesAndAsksNoExporterTooOften(t *testing.T) {
	for whole, every := range map[time.Duration]time.Duration{
		10 * time.Second: time.Second, time.Minute: 3 * time.Second, 10 * time.Minute: 15 * time.Second, time.Hour: 15 * time.Second,
	} {
		if got := EveryOf(whole); got != every {
			t.Errorf("in %s every %s, want %s", whole, got, every)
		}
	}
}

// rowsToGroup are two A100s of ada, of which one is busy, a slot of bob and one that is free.
func rowsToGroup() *GPUs {
	node := &usage.Node{Name: "n", Ready: true}
	row := func(product, uuid string, percent float64, replicas int64, pod Pod, owner string) Row {
		d := sampled(uuid, percent)
		r := Row{Node: node, Resource: "nvidia.com/gpu", Origin: usage.DevicePlugin, Product: product, Replicas: replicas, Device: &d, State: Free, Pod: pod, Owner: usage.Known(owner)}
		if pod.Name != "" {
			r.State = Held
		}
		return r
	}
	since := func(d time.Duration) time.Time { return noon.Add(-d) }
	return &GPUs{Time: noon, Rows: []Row{
		row("A100", "u1", 80, 1, Pod{Namespace: "kubeflow-ada", Name: "a-0", Notebook: "a", Since: since(2 * time.Hour)}, "ada@example.com"),
		row("A100", "u2", 0, 1, Pod{Namespace: "kubeflow-ada", Name: "b-0", Since: since(time.Hour)}, "ada@example.com"),
		row("T4", "u3", 10, 4, Pod{Namespace: "kubeflow-bob", Name: "c-0", Since: since(4 * time.Hour)}, "bob@example.com"),
		row("T4", "u3", 10, 4, Pod{}, ""),
	}}
}

func TestGPUsAreAddedUpByWhatTheyBelongTo(t *testing.T) {
	rates := Rates{"a100": 2.5, "t4": 1}
	for by, want := range map[By][]string{
		ByOwner:     {"bob@example.com: 1 of 1, 0 free, 10%, 4h, 1", "ada@example.com: 2 of 2, 0 free, 40%, 3h, 7.5", ": 0 of 1, 1 free, 10%, 0h, 0"},
		ByNamespace: {"kubeflow-bob: 1 of 1, 0 free, 10%, 4h, 1", "kubeflow-ada: 2 of 2, 0 free, 40%, 3h, 7.5", ": 0 of 1, 1 free, 10%, 0h, 0"},
		// Of the T4 a quarter is held: four hours cost what one costs.
		ByProduct: {"T4: 1 of 2, 1 free, 10%, 4h, 1", "A100: 2 of 2, 0 free, 40%, 3h, 7.5"},
	} {
		var got []string
		for _, g := range rowsToGroup().Groups(by, rates) {
			name, _ := g.Name.Get()
			percent, _ := g.Live.Utilization.Get()
			hours, _ := g.HeldHours.Get()
			cost, _ := g.Cost.Get()
			got = append(got, fmt.Sprintf("%s: %d of %d, %d free, %v%%, %vh, %v", name, g.Held, g.Count, g.Schedulable, percent, hours, cost))
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("by %s: got\n%s\nwant\n%s", by, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func TestACostIsKnownWhereAllOfItIs(t *testing.T) {
	g := rowsToGroup()
	groups := g.Groups(ByOwner, Rates{"t4": 1, "h100": 4})
	if _, known := groups[1].Cost.Get(); known || !strings.Contains(groups[1].Cost.Why().Reason, "no --hourly-rate of A100") {
		t.Errorf("ada's A100s have a cost without a price: %+v", groups[1])
	}
	if cost, known := groups[0].Cost.Get(); !known || cost != 1 {
		t.Errorf("bob's slot costs %v, want 1", cost)
	}
	problems := strings.Join(g.Unpriced(Rates{"t4": 1, "h100": 4}), "\n")
	for _, want := range []string{"--hourly-rate does not name their product: A100", `no GPU has the product "h100"`} {
		if !strings.Contains(problems, want) {
			t.Errorf("got %q, want %q", problems, want)
		}
	}
	if len(g.Unpriced(nil)) != 0 {
		t.Error("who gives no price is told of products")
	}
	unknown := g.Rows[0]
	unknown.Pod.Since = time.Time{}
	if _, known := g.Cost(unknown, Rates{"a100": 1}).Get(); known {
		t.Error("a pod of unknown age has a cost")
	}
}

func TestPricesAndPercentagesAreHeldToTheirForm(t *testing.T) {
	for text, ok := range map[string]bool{"A100=2.50": true, "A100=0": true, "A100": false, "=1": false, "A100=x": false, "A100=-1": false, "A100=Inf": false, "A100=NaN": false} {
		if _, err := ParseRates([]string{text}); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := ParseRates([]string{"A100=1", "a100=2"}); err == nil {
		t.Error("two prices of one product")
	}
	for text, want := range map[string]float64{"5%": 5, "5": 5, "0.5%": 0.5, "100": 100, "0": 0, "101": 0, "-1": 0, "five": 0, "": 0, "NaN": 0} {
		if got, err := ParsePercent(text); got != want || (err == nil) != (want != 0) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestNotebooksAreAddedUpByWhatTheyBelongTo(t *testing.T) {
	none := usage.Missing[resource.Quantity](usage.Absence{Reason: "not measured"})
	one := usage.Known(resource.MustParse("1"))
	busy := &activity.Reading{At: noon, Kernels: []activity.Kernel{{State: "busy"}}}
	gpu := map[string]int64{"nvidia.com/gpu": 1}
	lit := func(percent float64) usage.Live {
		return usage.LiveOf([]usage.Device{sampled("u", percent)}, usage.Absence{})
	}
	n := &Notebooks{Time: noon, Notebooks: []Notebook{
		{Name: "a", Owner: usage.Known("ada"), Nodes: []string{"n"}, CPU: one, Memory: one, GPUs: gpu, Products: []string{"A100"}, Live: lit(100), Created: noon.Add(-4 * time.Hour), Use: activity.Use{Last: usage.Known(noon), Reading: busy}},
		{Name: "b", Owner: usage.Known("ada"), Nodes: []string{"n"}, CPU: one, Memory: one, GPUs: gpu, Products: []string{"A100"}, Live: lit(0), Created: noon.Add(-2 * time.Hour), Use: activity.Use{Last: usage.Known(noon.Add(-time.Hour))}},
		{Name: "c", Owner: usage.Known("bob"), CPU: none, Memory: none, Created: noon, Use: activity.Use{Last: usage.Known(noon.Add(-time.Hour))}},
		{Name: "d", Owner: usage.Known("bob"), CPU: one, Memory: one, Created: noon, Use: activity.Use{Last: usage.Missing[time.Time](usage.Absence{Reason: "it did not answer"})}},
	}}
	var got []string
	for _, g := range n.Groups(ByOwner) {
		name, _ := g.Name.Get()
		idle, known := g.Idle.Get()
		percent, _ := g.Utilization.Get()
		got = append(got, fmt.Sprintf("%s: %d, %d busy, %v hours, %v%%, idle %s (%v), %d unmeasured", name, g.Count, g.Busy, g.GPUHours["nvidia.com/gpu"], percent, idle, known, g.Unknown))
	}
	want := []string{
		"ada: 2, 1 busy, 6 hours, 50%, idle 0s (true), 0 unmeasured",
		"bob: 2, 0 busy, 0 hours, 0%, idle 0s (false), 1 unmeasured",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if products := n.Groups(ByProduct); len(products) != 2 {
		t.Errorf("%d products, want A100 and none", len(products))
	}
}
