package rollout

import (
	"context"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

func TestTheDirectoriesOfNodesAreFoundUnlessSomebodyChoosesThem(t *testing.T) {
	usual := components.CNI{}.WithDefaults()
	gke := components.CNI{BinDir: "/home/kubernetes/bin", ConfDir: "/etc/cni/net.d"}
	chosen := components.CNI{BinDir: "/srv/bin", ConfDir: "/srv/conf"}
	for _, tt := range []struct {
		name, release, version string
		given                  components.CNI
		forbidden              bool
		only                   []string
		want                   *components.CNI
		how, err               string
	}{
		{name: "GKE's are elsewhere", release: "26.03", version: "v1.34.1-gke.1", want: &gke, how: "GKE (server version v1.34.1-gke.1)"},
		{name: "an unknown platform has the usual ones", release: "26.03", version: "v1.34.1", want: &usual, how: "the usual ones: the platform is not recognized"},
		{name: "nodes that may not be read", release: "26.03", version: "v1.34.1", forbidden: true, want: &usual, how: "the nodes could not be read"},
		{name: "both are chosen", release: "26.03", version: "v1.34.1-gke.1", given: chosen, want: &chosen, how: "as --cni-bin-dir and --cni-conf-dir say"},
		{
			name: "one is chosen", release: "26.03", version: "v1.34.1-gke.1", given: components.CNI{ConfDir: "/srv/conf"},
			want: &components.CNI{BinDir: gke.BinDir, ConfDir: "/srv/conf"}, how: "--cni-conf-dir chose the second",
		},
		{name: "Istio is not part of the run", release: "26.03", version: "v1.34.1-gke.1", only: []string{"dex"}},
		{name: "a release without the plugin", release: "1.10", version: "v1.31.1-gke.1"},
		{name: "a choice for a release without the plugin", release: "1.10", version: "v1.31.1", given: chosen, err: "--cni-bin-dir: release 1.10 does not install Istio's CNI plugin"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			source, err := components.NewEmbedded(tt.release)
			if err != nil {
				t.Fatal(err)
			}
			node := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Node", "metadata": map[string]any{"name": "n1"}}}
			client := fake.NewSimpleDynamicClient(runtime.NewScheme(), node)
			if tt.forbidden {
				client.PrependReactor("list", "nodes", func(clienttesting.Action) (bool, runtime.Object, error) {
					return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "nodes"}, "", nil)
				})
			}
			i := &Intent{Source: source, Manifests: components.Options{CNI: tt.given}}
			names := tt.only
			if names == nil {
				names = source.Release().Names()
			}
			e := &Engine{cluster: &cluster.Cluster{Dynamic: client, Target: report.Target{Version: tt.version}}}
			d, err := i.directories(context.Background(), e, names)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error = %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if tt.want == nil {
				if d != nil {
					t.Errorf("directories = %+v, want none", d)
				}
				return
			}
			if d == nil || d.CNI != *tt.want || !strings.Contains(d.How, tt.how) {
				t.Errorf("directories = %+v, want %+v: %s", d, *tt.want, tt.how)
			}
		})
	}
}

func TestALaterRunKeepsTheDirectoriesThatSomebodyChose(t *testing.T) {
	source, err := components.NewEmbedded("26.03")
	if err != nil {
		t.Fatal(err)
	}
	recorded := &Settings{Release: "26.03", Profile: components.ProfileDefault, CNI: CNISettings{
		CNI: components.CNI{BinDir: "/srv/bin", ConfDir: "/etc/cni/net.d"}, BinGiven: true,
	}}
	i := &Intent{Source: source, Given: func(string) bool { return false }}
	if err := i.Keep(recorded); err != nil {
		t.Fatal(err)
	}
	// The other one is found again: an upgrade of the platform may have moved it.
	if want := (components.CNI{BinDir: "/srv/bin"}); i.Manifests.CNI != want {
		t.Errorf("kept %+v, want %+v", i.Manifests.CNI, want)
	}
}
