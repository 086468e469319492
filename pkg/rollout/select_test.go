package rollout

import (
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

func TestSelect(t *testing.T) {
	release := components.Releases()[0]
	tests := []struct {
		name                 string
		profile              string
		only, skip, existing []string
		want, without        []string
		wantErr              []string
	}{
		{
			name: "everything that is not on demand by default", profile: "default",
			want: []string{"cert-manager", "user-profile"}, without: []string{"metallb"},
		},
		{
			name: "the slim profile leaves the ClusterIssuer out", profile: "slim",
			want: []string{"cert-manager", "poddefaults"}, without: []string{"kubeflow-issuer"},
		},
		{
			name: "an on-demand component comes when it is named", profile: "default", only: []string{"metallb"},
			want: []string{"metallb"}, without: []string{"istio"},
		},
		{
			name: "only refuses what needs a component that is left out", profile: "default", only: []string{"istio"},
			wantErr: []string{"--only", "istio needs istio-crds", "--use-existing"},
		},
		{
			name: "only takes a component whose needs are in the cluster", profile: "default", only: []string{"istio"}, existing: []string{"istio-crds"},
			want: []string{"istio"}, without: []string{"istio-crds"},
		},
		{
			name: "skip refuses what something else needs", profile: "default", skip: []string{"dex"},
			wantErr: []string{"--skip", "oauth2-proxy needs dex"},
		},
		{
			name: "skip takes what nothing needs", profile: "default", skip: []string{"user-profile"},
			want: []string{"profiles"}, without: []string{"user-profile"},
		},
		{
			name: "an unknown component is named with the known ones", profile: "default", only: []string{"jupyterhub"},
			wantErr: []string{"--only", `"jupyterhub"`, "jupyter-web-app"},
		},
		{
			name: "the same component cannot be chosen and skipped", profile: "default", only: []string{"dex"}, skip: []string{"dex"},
			wantErr: []string{"--only and --skip both name dex"},
		},
		{name: "skipping everything is refused", profile: "default", skip: release.Names(), wantErr: []string{"leaves no component"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Select(release, tt.profile, tt.only, tt.skip, tt.existing)
			if len(tt.wantErr) > 0 {
				if err == nil {
					t.Fatalf("Select() = %v, want an error", got)
				}
				for _, w := range tt.wantErr {
					if !strings.Contains(err.Error(), w) {
						t.Errorf("error %q does not say %q", err, w)
					}
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range tt.want {
				if !slices.Contains(got, w) {
					t.Errorf("%s is missing from %v", w, got)
				}
			}
			for _, w := range tt.without {
				if slices.Contains(got, w) {
					t.Errorf("%s is in %v", w, got)
				}
			}
		})
	}
}

// The order of the catalogue must be a valid order of installation, since it is what
// render prints and what people apply by hand.
func TestCatalogueOrderFollowsTheEdges(t *testing.T) {
	release := components.Releases()[0]
	seen := map[string]bool{}
	for _, c := range release.Components {
		for _, n := range c.Needs {
			if !seen[n.Component] {
				t.Errorf("%s stands before %s, which it needs", c.Name, n.Component)
			}
		}
		seen[c.Name] = true
	}
}
