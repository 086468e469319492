package components

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestWhatIsReadIsWhatKustomizeMakesOfIt(t *testing.T) {
	variants := []Options{
		{Profile: ProfileDefault},
		{Profile: ProfileSlim},
		{Profile: ProfileDefault, OrdinarySidecars: true, TLS: TLS{Secret: GatewaySecret}},
		{Profile: ProfileSlim, OrdinarySidecars: true, SecureCookies: true, IgnoreExcluded: true},
	}
	for _, release := range ReleaseNames() {
		s, err := NewEmbedded(release)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range variants {
			var left []string
			for _, name := range s.release.Names() {
				top := s.top(name, o)
				got, err := s.do(top, ".", nil)
				if errors.Is(err, errNotPlain) {
					left = append(left, name)
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if len(top.Resources) == 0 {
					continue
				}
				want, err := s.kustomize(name, top)
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(contents(want), contents(got)); d != "" {
					t.Errorf("release %s, %s with %+v: kustomize (-), read (+):\n%s", release, name, o, d)
				}
			}
			if !o.OrdinarySidecars && len(left) > 0 {
				t.Errorf("release %s with %+v: left to kustomize, which takes several times as long: %v", release, o, left)
			}
		}
	}
}

func TestAnOutlineOfADefinitionLacksTheSchemaAlone(t *testing.T) {
	for _, release := range ReleaseNames() {
		e, err := NewEmbedded(release)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range e.release.Names() {
			whole, err := e.crds(name, false)
			if err != nil {
				t.Fatal(err)
			}
			outlines, err := e.crds(name, true)
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range whole {
				spec := u.Object["spec"].(map[string]any)
				u.Object["spec"] = map[string]any{"group": spec["group"], "scope": spec["scope"], "names": spec["names"], "versions": spec["versions"]}
				for _, v := range spec["versions"].([]any) {
					for field := range v.(map[string]any) {
						if field != "name" && field != "served" && field != "storage" {
							delete(v.(map[string]any), field)
						}
					}
				}
			}
			if d := cmp.Diff(contents(whole), contents(outlines)); d != "" {
				t.Errorf("%s: whole (-), outline (+):\n%s", name, d)
			}
		}
	}
}

func contents(objects []*unstructured.Unstructured) []map[string]any {
	var out []map[string]any
	for _, u := range objects {
		out = append(out, u.Object)
	}
	return out
}
