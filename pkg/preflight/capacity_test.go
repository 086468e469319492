package preflight

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// size is CPU in thousandths and memory in MiB, as the tables write them.
func size(cpu, memory int64) Size { return Size{cpu, memory << 20} }

func pod(name string, cpu, memory int64) Pod {
	return Pod{Size: size(cpu, memory), Of: name, Spec: &corev1.PodSpec{}}
}

func node(name string, change ...func(*corev1.Node)) *corev1.Node {
	n := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}},
		Status: corev1.NodeStatus{
			Allocatable: corev1.ResourceList{"cpu": resource.MustParse("4"), "memory": resource.MustParse("8Gi"), "pods": resource.MustParse("110")},
			Conditions:  []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
		},
	}
	for _, f := range change {
		f(n)
	}
	return n
}

// room is a node with so much left, and places for 110 pods.
func room(name string, cpu, memory int64, change ...func(*corev1.Node)) Room {
	return Room{Node: node(name, change...), Left: size(cpu, memory), Pods: 110}
}

func taint(key string) func(*corev1.Node) {
	return func(n *corev1.Node) {
		n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: key, Effect: corev1.TaintEffectNoSchedule})
	}
}

func TestPodsFindTheirPlaces(t *testing.T) {
	tolerant := pod("tolerant", 100, 100)
	tolerant.Spec = &corev1.PodSpec{Tolerations: []corev1.Toleration{{Key: "dedicated", Operator: corev1.TolerationOpExists}}}
	fast := pod("fast", 100, 100)
	fast.Spec = &corev1.PodSpec{NodeSelector: map[string]string{"disk": "fast"}}
	everywhere := pod("agent", 100, 100)
	everywhere.PerNode = true
	notebook := pod("the default notebook", 600, 1152)

	for _, tc := range []struct {
		name     string
		pods     []Pod
		notebook *Pod
		rooms    []Room
		// wanted
		fits, beside, proven bool
		why                  string
	}{
		{"everything fits on one node", []Pod{pod("a", 500, 2048), pod("b", 100, 128)}, nil, []Room{room("n1", 600, 2176)}, true, true, false, ""},
		{
			"a thousandth of a core too little is too little",
			[]Pod{pod("a", 500, 2048), pod("b", 100, 128)},
			nil,
			[]Room{room("n1", 599, 4096)},
			false, false, true, "600m cpu is requested, 599m is free",
		},
		{
			"memory of several nodes does not add up for one pod",
			[]Pod{pod("istiod", 500, 2048)},
			nil,
			[]Room{room("n1", 2000, 1500), room("n2", 2000, 1500)},
			false, false, true, "no node has capacity for istiod, which requests 500m cpu and 2048Mi memory",
		},
		{
			// Both of 700 first, one on each node; as they come, both of 300 would share n1 and
			// leave 400 there.
			"the largest pods are placed first",
			[]Pod{pod("a", 10, 300), pod("b", 10, 300), pod("c", 10, 700), pod("d", 10, 700)},
			nil,
			[]Room{room("n1", 1000, 1000), room("n2", 1000, 1000)},
			true, true, false, "",
		},
		{
			// By memory x (300Mi) comes first and takes the 300m of n1 that y needs; by cpu y
			// takes n1 and x the rest of n2.
			"where an order by memory fails, the order by cpu may not",
			[]Pod{pod("x", 100, 300), pod("y", 300, 100)},
			nil,
			[]Room{room("n1", 300, 300), room("n2", 100, 400)},
			true, true, false, "",
		},
		{
			// 3 pods of 600 on nodes with 1000 and 800: the sum 1800 is there, the third pod has no place.
			"a sum that fits is no proof",
			[]Pod{pod("a", 10, 600), pod("b", 10, 600), pod("c", 10, 600)},
			nil,
			[]Room{room("n1", 1000, 1000), room("n2", 1000, 800)},
			false, false, false, "the sum fits, but no node fits c",
		},
		{
			"a notebook has to fit beside the stack",
			[]Pod{pod("a", 500, 2048)},
			&notebook,
			[]Room{room("n1", 1099, 4096)},
			true, false, false, "",
		},
		{
			"a notebook fits exactly",
			[]Pod{pod("a", 500, 2048)},
			&notebook,
			[]Room{room("n1", 1100, 3200)},
			true, true, false, "",
		},
		{"a node that is full of pods takes none", []Pod{pod("a", 1, 1)}, nil, []Room{{Node: node("n1"), Left: size(4000, 8000)}}, false, false, true, "no node has capacity for a"},
		{
			"an overcommitted node does not take from the others",
			[]Pod{pod("a", 500, 500)},
			nil,
			[]Room{room("n1", -3000, -9000), room("n2", 500, 500)},
			true, true, false, "",
		},
		{"a taint keeps a pod off", []Pod{pod("a", 1, 1)}, nil, []Room{room("n1", 4000, 8000, taint("dedicated"))}, false, false, true, "no node has capacity for a"},
		{"a toleration lets it in", []Pod{tolerant}, nil, []Room{room("n1", 4000, 8000, taint("dedicated"))}, true, true, false, ""},
		{"a selector wants its label", []Pod{fast}, nil, []Room{room("n1", 4000, 8000)}, false, false, true, "no node has capacity for fast"},
		{
			"a selector finds its label",
			[]Pod{fast},
			nil,
			[]Room{room("n1", 4000, 8000, func(n *corev1.Node) { n.Labels["disk"] = "fast" })},
			true, true, false, "",
		},
		{
			// 100 on each of two nodes, although n1 could take both.
			"a DaemonSet's pod needs room on every node",
			[]Pod{everywhere},
			nil,
			[]Room{room("n1", 4000, 8000), room("n2", 50, 8000)},
			false, false, true, "no node has capacity for agent",
		},
		{"nothing is missing and there is no room", nil, nil, []Room{room("n1", 0, 0)}, true, true, false, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := weigh("default", tc.pods, tc.notebook, tc.rooms)
			if d.Fits != tc.fits || d.NotebookFits != tc.beside || d.proven != tc.proven || !strings.HasPrefix(d.why, tc.why) {
				t.Errorf("fits %v, a notebook %v, proven not to %v (%s); want %v, %v, %v (%s)", d.Fits, d.NotebookFits, d.proven, d.why, tc.fits, tc.beside, tc.proven, tc.why)
			}
		})
	}
}

func TestANodeIsCountedWhereItTakesAnyPodThatNoOtherNodeMustHave(t *testing.T) {
	tolerant, everywhere := pod("tolerant", 100, 100), pod("agent", 100, 100)
	everything := []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	tolerant.Spec, everywhere.Spec = &corev1.PodSpec{Tolerations: everything}, &corev1.PodSpec{Tolerations: everything}
	everywhere.PerNode = true
	for name, tc := range map[string]struct {
		pods     []Pod
		excluded bool
	}{
		"a pod that tolerates its taint":                                {[]Pod{pod("a", 1, 1), tolerant}, false},
		"no pod that tolerates its taint":                               {[]Pod{pod("a", 1, 1)}, true},
		"only a DaemonSet's pod that tolerates its taint, as all do so": {[]Pod{pod("a", 1, 1), everywhere}, true},
	} {
		t.Run(name, func(t *testing.T) {
			open, excluded := split([]corev1.Node{*node("plain"), *node("tainted", taint("dedicated"))}, tc.pods)
			if _, is := excluded["tainted"]; is != tc.excluded || len(open)+len(excluded) != 2 {
				t.Errorf("%d open, excluded %v; want the tainted one excluded: %v", len(open), excluded, tc.excluded)
			}
		})
	}
}

func TestTheDemandOfAProfileIsTheSumOfItsPods(t *testing.T) {
	source, err := components.NewEmbedded(components.DefaultRelease)
	if err != nil {
		t.Fatal(err)
	}
	all := func(components.PodRequest) bool { return true }
	for _, profile := range components.Profiles() {
		var names []string
		for _, c := range source.Release().Components {
			if !c.OnDemand {
				names = append(names, c.Name)
			}
		}
		rendered, err := source.Render(t.Context(), names, components.Options{Profile: profile})
		if err != nil {
			t.Fatal(err)
		}
		sum, err := components.Requests(rendered)
		if err != nil {
			t.Fatal(err)
		}
		cpu, memory := sum.On(1)
		pods, notebook, err := podsOf(rendered, all)
		if err != nil {
			t.Fatal(err)
		}
		d := weigh(profile, pods, notebook, []Room{room("n1", 100_000, 100_000)})
		if d.Request != (Size{cpu.MilliValue(), memory.Value()}) {
			t.Errorf("%s: %s, want %s and %s", profile, d.Request, cpu.String(), memory.String())
		}
		if !strings.Contains(d.LargestOf, "istiod") {
			t.Errorf("%s: the largest pod is of %s, want istiod", profile, d.LargestOf)
		}
		if notebook == nil || !d.NotebookFits || d.Notebook.Memory < 512<<20 {
			t.Errorf("%s: notebook %+v", profile, d.Notebook)
		}
		// Only what is missing counts.
		pods, _, err = podsOf(rendered, func(p components.PodRequest) bool { return p.Name == "istiod" })
		if err != nil || len(pods) != 1 {
			t.Errorf("%s: %d pods of istiod alone (%v), want 1", profile, len(pods), err)
		}
	}
}

func TestWhatDoesNotFitIsExplained(t *testing.T) {
	demand := func(fits, beside bool) Demand {
		return Demand{
			Profile: "default", Pods: 12, Request: size(900, 2560), Largest: size(500, 2048), LargestOf: "Deployment istio-system/istiod",
			Notebook: size(600, 1152), Fits: fits, NotebookFits: beside, proven: !fits, why: "2560Mi memory is requested, 2000Mi is left",
		}
	}
	slim := Demand{Profile: "slim", Pods: 11, Request: size(100, 512), Notebook: size(260, 576), Fits: true, NotebookFits: true}
	facts := func(d ...Demand) *Facts {
		f := &Facts{
			Capacity: &Capacity{Nodes: 2, Open: 1, Counted: 1, Left: size(1000, 2000), Demands: d},
			Rooms:    []Room{room("n1", 1000, 2000)}, Excluded: map[string]string{"n2": "cordoned"},
		}
		return f
	}
	for _, tc := range []struct {
		name     string
		facts    *Facts
		severity report.Severity
		says     []string
	}{
		{
			"too small, and slim would do", facts(demand(false, false), slim), report.Fatal,
			[]string{
				"the stack does not fit: 2560Mi memory is requested", "istio-system/istiod, requests 500m cpu and 2048Mi memory",
				"node n1 has 1 cpu and 2000Mi memory free of 4 cpu and 8192Mi memory", "node n2 is excluded: cordoned",
				"with --profile slim 11 pods request 100m cpu and 512Mi memory, which fits, plus a notebook", "kubectl jupyter install --profile slim",
			},
		},
		{
			"too small for anything", facts(demand(false, false), Demand{Profile: "slim", Pods: 11, Request: size(100, 512)}), report.Fatal,
			[]string{"which does not fit either", "add a node"},
		},
		{"no capacity for a notebook", facts(demand(true, false), slim), report.Warning, []string{"no capacity for a notebook in addition to the stack", "600m cpu and 1152Mi memory", "--profile slim"}},
		{
			"an autoscaler may help", func() *Facts { f := facts(demand(false, false)); f.Autoscaler = "Karpenter"; return f }(), report.Warning,
			[]string{"an autoscaler can add nodes: Karpenter"},
		},
		{
			"only the largest nodes were looked at", func() *Facts { f := facts(demand(false, false)); f.Capacity.Open = 900; return f }(), report.Warning,
			[]string{"may not fit", "899 smaller nodes with less in total were not checked"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, causes := findCapacity(tc.facts)
			if len(causes) != 1 || causes[0].Severity != tc.severity {
				t.Fatalf("causes %+v, want one that is %s", causes, tc.severity)
			}
			text := fmt.Sprint(causes[0].Summary, "\n", strings.Join(causes[0].Evidence, "\n"), "\n", causes[0].Remedy)
			for _, s := range tc.says {
				if !strings.Contains(text, s) {
					t.Errorf("%q is not in\n%s", s, text)
				}
			}
		})
	}
}
