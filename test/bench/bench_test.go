package main

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

func rendered(name string, needs []components.Need, gates []components.Gate, kinds ...string) components.Rendered {
	r := components.Rendered{Component: &components.Component{Name: name, Needs: needs, Gates: gates}}
	for _, k := range kinds {
		u := &unstructured.Unstructured{}
		k, after, _ := strings.Cut(k, " after ")
		u.SetKind(k)
		u.SetNamespace("ns")
		u.SetName(strings.ToLower(k))
		if after != "" {
			u.SetName("later")
			u.SetAnnotations(map[string]string{rollout.StartsAfterAnnotation: after})
		}
		r.Objects = append(r.Objects, u)
	}
	return r
}

func TestTheLongestPath(t *testing.T) {
	workloads := components.WorkloadKinds
	webhook := []components.Gate{{Condition: components.Admission, Workload: "ns/deployment"}}
	for name, c := range map[string]struct {
		components []components.Rendered
		want       string
		took       time.Duration
	}{
		"is one pod where nothing waits for another": {
			[]components.Rendered{rendered("a", nil, nil, "Deployment"), rendered("b", nil, nil, "Deployment", "Service")},
			"a (deployment)", 20 * time.Second,
		},
		"is nothing without pods": {
			[]components.Rendered{rendered("a", nil, nil, "ClusterRole")}, "", 0,
		},
		"goes through a gate whose workload has pods": {
			[]components.Rendered{
				rendered("a", nil, webhook, "Deployment"),
				rendered("b", []components.Need{{Component: "a", Condition: components.Admission, Kinds: workloads}}, nil, "Deployment"),
			},
			"a (deployment) -> b (deployment)", 40 * time.Second,
		},
		"goes through a workload that starts after another one of its component": {
			[]components.Rendered{rendered("a", nil, nil, "Deployment", "Deployment after ns/deployment")},
			"a (deployment) -> a (later)", 40 * time.Second,
		},
		"leaves out the workloads that a gate does not name": {
			[]components.Rendered{
				rendered("a", nil, webhook, "Deployment", "Deployment after ns/deployment"),
				rendered("b", []components.Need{{Component: "a", Condition: components.Admission, Kinds: workloads}}, nil, "StatefulSet"),
			},
			"a (deployment) -> a (later)", 40 * time.Second,
		},
		"leaves out pods that only need what is accepted": {
			[]components.Rendered{
				rendered("a", nil, nil, "Deployment"),
				rendered("b", []components.Need{{Component: "a", Condition: components.Accepted}}, nil, "Deployment"),
			},
			"a (deployment)", 20 * time.Second,
		},
		"leaves out pods when only another kind waits": {
			[]components.Rendered{
				rendered("a", nil, nil, "Deployment"),
				rendered("b", []components.Need{{Component: "a", Condition: components.Ready, Kinds: []string{"Policy"}}}, nil, "Deployment", "Policy"),
			},
			"a (deployment)", 20 * time.Second,
		},
		"passes over a component that is not installed": {
			[]components.Rendered{rendered("b", []components.Need{{Component: "a", Condition: components.Ready}}, nil, "Deployment")},
			"b (deployment)", 20 * time.Second,
		},
		"ends with objects that wait for three pods in a row": {
			[]components.Rendered{
				rendered("a", nil, nil, "Deployment"),
				rendered("b", []components.Need{{Component: "a", Condition: components.Ready}}, nil, "Deployment"),
				rendered("c", []components.Need{{Component: "b", Condition: components.Ready}}, nil, "StatefulSet"),
				rendered("d", []components.Need{{Component: "c", Condition: components.Ready}}, nil, "Profile"),
			},
			"a (deployment) -> b (deployment) -> c (statefulset)", time.Minute,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := longestPath(c.components, 20*time.Second)
			if p.String() != c.want || p.took != c.took {
				t.Errorf("got %q (%s), want %q (%s)", p, p.took, c.want, c.took)
			}
		})
	}
}

func TestTheCataloguesLongestPathIsTwoPodsLong(t *testing.T) {
	b := &bench{podDelay: 20 * time.Second}
	p, err := b.longestPath(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if p.took != 40*time.Second {
		t.Errorf("the longest path is %q, %s: an edge of the catalogue has changed what an installation takes", p, p.took)
	}
}

func TestTheMedian(t *testing.T) {
	for name, c := range map[string]struct {
		values []int64
		want   int64
	}{
		"of an odd number is the one in the middle": {[]int64{9, 1, 5}, 5},
		"of an even number is between the two":      {[]int64{4, 1, 8, 2}, 3},
		"of one is itself":                          {[]int64{7}, 7},
		"of none is nothing":                        {nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			before := slices.Clone(c.values)
			if got := median(c.values); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
			if !slices.Equal(before, c.values) {
				t.Errorf("the values were changed to %v", c.values)
			}
		})
	}
}

func TestARequestIsCountedByWhatItDoes(t *testing.T) {
	for name, c := range map[string]struct{ method, target, want string }{
		"a get reads":                      {"GET", "/api/v1/namespaces/default", reads},
		"a watch reads":                    {"GET", "/api/v1/pods?watch=true", reads},
		"a patch writes":                   {"PATCH", "/api/v1/namespaces/a/configmaps/b?force=true", writes},
		"a dry run does not":               {"PATCH", "/api/v1/namespaces/a/configmaps/b?dryRun=All", dryRuns},
		"a deletion writes":                {"DELETE", "/api/v1/namespaces/a", writes},
		"a question about rights does not": {"POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", reviews},
	} {
		t.Run(name, func(t *testing.T) {
			q, err := http.NewRequestWithContext(t.Context(), c.method, "http://server"+c.target, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := verbOf(q); got != c.want {
				t.Errorf("%s %s counts among %q, want %q", c.method, c.target, got, c.want)
			}
		})
	}
}

func TestMovedNamesWhatChangedCameOrWent(t *testing.T) {
	got := moved(map[string]string{"same": "1", "changed": "1", "gone": "1"}, map[string]string{"same": "1", "changed": "2", "new": "3"})
	if want := []string{"changed", "gone", "new"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestTheTimeOfAProcessIsReadPastTheParenthesesOfItsName(t *testing.T) {
	line := "42 (a (b) c) S 7 42 42 0 -1 4194560 1 0 0 0 150 50 20 5 20 0 1 0 100 0 0"
	pid, ppid, spent, ok := parseStat(line)
	if !ok || pid != 42 || ppid != 7 || spent != 2250*time.Millisecond {
		t.Errorf("got pid %d, parent %d, %s, %t", pid, ppid, spent, ok)
	}
	if _, _, _, ok := parseStat("42 (cut off) S"); ok {
		t.Error("a line that is cut off is taken for a whole one")
	}
}

func TestAMachineIsBusyWhenItNeitherIdlesNorWaitsForADisk(t *testing.T) {
	if got, want := parseBusy("cpu  100 10 50 90000 7000 1 2 500 0 0"), 1630*time.Millisecond; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := parseBusy("intr 1 2 3 4 5 6 7 8"); got != 0 {
		t.Errorf("another line counts %s", got)
	}
}

func TestTheTimelineIsReadFromThePluginsOwnLines(t *testing.T) {
	stderr := "Installing release 1.10.\n   1.0s  istio-crds           Accepted\n   1.2s  cert-manager         waiting for the caBundle\n   6.7s  cert-manager         Ready\n"
	if got, want := timeline(stderr, "Accepted"), "istio-crds 1.0"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := timeline(stderr, "Ready"), "cert-manager 6.7"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAReportKeepsWhatAPersonWroteBelowTheMark(t *testing.T) {
	file := filepath.Join(t.TempDir(), "benchmarks.md")
	if err := os.WriteFile(file, []byte("old figures\n"+byHand+"\n\n## What bounds them\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	f := &figure{id: "d", title: "render", checks: []check{{what: "at most 200 ms", value: "252 ms"}}, table: [][]string{{"what"}, {"render"}}}
	for range 2 {
		if err := write(file, document(machine{cores: 2}, []*figure{f})); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for _, want := range []string{"| (d) render | at most 200 ms | 252 ms | missed |", "## (d) Render", byHand + "\n\n## What bounds them\n"} {
		if strings.Count(text, want) != 1 {
			t.Errorf("the report does not hold %q once:\n%s", want, text)
		}
	}
	if strings.Contains(text, "old figures") {
		t.Errorf("the report still holds the old figures:\n%s", text)
	}
}

func TestWhatIsNotACloneIsRefused(t *testing.T) {
	for name, dir := range map[string]string{"no directory named": "", "an empty directory": t.TempDir()} {
		t.Run(name, func(t *testing.T) {
			if err := checkUpstream(dir); err == nil || !strings.Contains(err.Error(), "-upstream") {
				t.Errorf("got %v, want an error that names the flag", err)
			}
		})
	}
}

func TestAnUnknownFigureIsRefused(t *testing.T) {
	if _, err := choose("a,x"); err == nil || !strings.Contains(err.Error(), `"x"`) {
		t.Errorf("got %v, want an error that names the figure", err)
	}
	got, err := choose("c,a")
	if err != nil || len(got) != 2 || got[0].id != "c" {
		t.Errorf("got %v, %v", got, err)
	}
}
