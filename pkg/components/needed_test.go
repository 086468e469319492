package components

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestImagesAreNeededInTheOrderInWhichTheGraphWaitsForThem(t *testing.T) {
	for _, release := range ReleaseNames() {
		t.Run(release, func(t *testing.T) {
			source, err := NewEmbedded(release)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, c := range source.Release().Components {
				if !c.OnDemand {
					names = append(names, c.Name)
				}
			}
			o := Options{Profile: ProfileDefault, UserEmail: DefaultUserEmail, Registry: "registry.example.com/mirror"}
			rendered, err := source.Render(t.Context(), names, o)
			if err != nil {
				t.Fatal(err)
			}
			early, late, err := Needed(rendered, o, func(*unstructured.Unstructured, string) bool { return true })
			if err != nil {
				t.Fatal(err)
			}
			all := slices.Concat(early, late)
			if len(late) == 0 || !strings.HasSuffix(Repository(late[0]), "/poddefaults-webhook") || slices.ContainsFunc(early, func(i string) bool { return strings.HasSuffix(Repository(i), "/notebook-controller") }) {
				t.Errorf("early %q, late %q", early, late)
			}
			var repositories []string
			for _, image := range all {
				repositories = append(repositories, Repository(image))
			}
			at := func(name string) int {
				i := slices.IndexFunc(repositories, func(r string) bool { return withoutHost(r) != r && strings.HasSuffix(r, "/"+name) })
				if i < 0 {
					t.Fatalf("%s is not among %q", name, all)
				}
				return i
			}
			for _, pair := range [][2]string{
				{"pilot", "proxyv2"},
				{"proxyv2", "cert-manager-webhook"},
				{"cert-manager-webhook", "cert-manager-controller"},
				{"cert-manager-controller", "dex"},
				{"dex", "notebook-controller"},
				{"oauth2-proxy", "jupyter-web-app"},
				{"dex", "poddefaults-webhook"},
			} {
				if at(pair[0]) > at(pair[1]) {
					t.Errorf("%s is needed before %s, and comes after it: %q", pair[0], pair[1], all)
				}
			}
			wanted := map[string]bool{}
			for _, image := range Images(rendered, o) {
				if !image.OnDemand {
					wanted[image.Ref] = true
				}
			}
			for ref := range wanted {
				if !slices.Contains(all, ref) {
					t.Errorf("%s is pulled at install, and is not in the list %q", ref, all)
				}
			}
			if len(all) != len(wanted) {
				t.Errorf("more than what is pulled at install: %q, want %v", all, wanted)
			}
		})
	}
}

func TestWhatIsThereIsNotNeeded(t *testing.T) {
	source, err := NewEmbedded(DefaultRelease)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Profile: ProfileDefault, UserEmail: DefaultUserEmail}
	rendered, err := source.Render(t.Context(), []string{"istio-crds", "istio", "kubeflow-namespace", "notebook-controller", "dex"}, o)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		lacks func(u *unstructured.Unstructured, image string) bool
		want  func(images []string) bool
	}{
		"nothing, where no workload lacks an image": {
			func(*unstructured.Unstructured, string) bool { return false },
			func(images []string) bool { return len(images) == 0 },
		},
		"the sidecar's, for a workload that is injected": {
			func(u *unstructured.Unstructured, _ string) bool {
				return u.GetName() == "notebook-controller-deployment"
			},
			func(images []string) bool {
				return len(images) == 2 && slices.ContainsFunc(images, func(i string) bool { return strings.HasSuffix(Repository(i), "/proxyv2") })
			},
		},
		"not the sidecar's, for a workload without one": {
			func(u *unstructured.Unstructured, _ string) bool { return u.GetName() == "dex" },
			func(images []string) bool {
				return len(images) == 1 && strings.HasSuffix(Repository(images[0]), "/dex")
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			early, late, err := Needed(rendered, o, test.lacks)
			if err != nil {
				t.Fatal(err)
			}
			if !test.want(slices.Concat(early, late)) {
				t.Errorf("%q, %q", early, late)
			}
		})
	}
}
