package components

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestABaseThatIsReadIsWhatKustomizeMakesOfIt(t *testing.T) {
	for _, release := range ReleaseNames() {
		t.Run(release, func(t *testing.T) {
			e, err := NewEmbedded(release)
			if err != nil {
				t.Fatal(err)
			}
			read := 0
			for _, name := range e.release.Names() {
				base := e.dir(name, "base")
				got, ok, err := e.plain(base)
				if err != nil {
					t.Fatal(err)
				}
				if !ok {
					continue
				}
				read++
				fsys, err := e.memory(name)
				if err != nil {
					t.Fatal(err)
				}
				want, err := kustomize(fsys, "/"+base)
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(contents(want), contents(got)); d != "" {
					t.Errorf("%s: kustomize (-), read (+):\n%s", name, d)
				}
			}
			if read < 10 {
				t.Errorf("%d bases were read, the others went through kustomize: what is it that they say?", read)
			}
		})
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
