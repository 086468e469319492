package rollout

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// madeUp is a release that nobody ships, made of components that no engine has heard of:
// what it takes is this value, and the folder testdata/release.
func madeUp() *components.Release {
	return &components.Release{
		Name: "99.1", ServedMin: 30, ServedMax: 40, TestedMin: 30, TestedMax: 40,
		Components: []components.Component{
			{Name: "things", Title: "Things", Version: "v2"},
			{
				Name: "server", Title: "server of Things", Version: "v3", Values: map[string]string{"REGISTRY": "registry.example.com"},
				Needs: []components.Need{{Component: "things", Condition: components.Established, Kinds: []string{"Deployment"}}},
				Gates: []components.Gate{{
					Condition: components.Admission, Workload: "server/server", Probes: []components.Probe{{File: "thing.yaml"}},
				}},
			},
			{
				Name: "client", Title: "client of the server", Version: "v3", OnDemand: true,
				Needs: []components.Need{{Component: "server", Condition: components.Admission}},
			},
		},
	}
}

func TestAReleaseIsAFolderAndAValue(t *testing.T) {
	source, err := components.NewSource(madeUp(), os.DirFS("testdata/release"))
	if err != nil {
		t.Fatal(err)
	}
	release := source.Release()
	chosen, err := Select(release, components.ProfileDefault, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"things", "server"}, chosen); d != "" {
		t.Errorf("selected (-want +got):\n%s", d)
	}
	for profile, replicas := range map[string]int64{components.ProfileDefault: 2, components.ProfileSlim: 1} {
		rendered, err := source.Render(t.Context(), chosen, components.Options{Profile: profile})
		if err != nil {
			t.Fatal(err)
		}
		plan := &Plan{Release: release, Rendered: rendered}
		graph := newGraph(plan, course{})
		server := graph.byRef["server"]
		waits := map[string][]string{}
		for _, u := range server.Objects {
			for _, p := range graph.prerequisites(server, u) {
				waits[u.GetKind()] = append(waits[u.GetKind()], p.say)
			}
		}
		want := map[string][]string{
			"Deployment": {"namespace server", "service accounts and configuration of server", "Established of things"},
			"Thing":      {"namespace server", "CustomResourceDefinition of Thing"},
		}
		if d := cmp.Diff(want, waits); d != "" {
			t.Errorf("%s: what waits for what (-want +got):\n%s", profile, d)
		}
		for _, u := range server.Objects {
			switch u.GetKind() {
			case "Namespace":
				if got := u.GetLabels()["pod-security.kubernetes.io/enforce"]; got != "restricted" {
					t.Errorf("%s: the release's own patch of the common base has not been applied: %v", profile, u.GetLabels())
				}
			case "Deployment":
				if got, _, _ := unstructured.NestedInt64(u.Object, "spec", "replicas"); got != replicas {
					t.Errorf("%s: %d replicas, want %d", profile, got, replicas)
				}
				containers, _, _ := unstructured.NestedSlice(u.Object, "spec", "template", "spec", "containers")
				if got := containers[0].(map[string]any)["image"]; got != "registry.example.com/server:v3" {
					t.Errorf("%s: the image is %v", profile, got)
				}
			}
		}
	}
	c, err := release.Component("server")
	if err != nil {
		t.Fatal(err)
	}
	if probe := c.Gate(components.Admission).Probes[0].Object; probe == nil || probe.GetKind() != "Thing" {
		t.Errorf("the common probe is %v", probe)
	}
}
