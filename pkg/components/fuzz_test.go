package components

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// FuzzKustomization puts whatever a person could have in the directory of -k on top of a
// small stack. Either it is refused, and the flag is named, or every object is whole, in the
// component whose label it has, and what the person adds is labelled as theirs.
func FuzzKustomization(f *testing.F) {
	for _, text := range []string{
		"", "resources: [extra.yaml]", "kind: Kustomization\nnamePrefix: x-\n", "kind: Component\nlabels: [{pairs: {a: b}, includeSelectors: true}]",
		"patches: [{target: {kind: Deployment}, patch: '[{op: replace, path: /spec/replicas, value: 2}]'}]", "images: [{name: a, newTag: b}]", "kind: Other", "- a", "a: [",
		"patches: [{patch: '{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, $patch: delete}'}]", "commonLabels: {kubectl-jupyter/component: second}",
		"configMapGenerator: [{name: g, literals: [a=b]}]", "namespace: other", "resources: [../all]", "resources: [../../etc]", "components: [.]", "replicas: [{name: d, count: 0}]",
	} {
		f.Add(text, "{apiVersion: v1, kind: ConfigMap, metadata: {name: extra}, data: {a: b}}")
	}
	f.Add("resources: [extra.yaml]", "{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}]}")
	f.Add("resources: [extra.yaml]", "a: &a [*a]")
	f.Add("resources: [extra.yaml]", "{apiVersion: v1, kind: ConfigMap, metadata: {name: extra, labels: 1}}")
	// kustomize fetches what is named by a URL: here from nobody.
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY"} {
		f.Setenv(name, "http://127.0.0.1:1")
	}
	f.Setenv("PATH", "")
	f.Fuzz(func(t *testing.T, kustomization, extra string) {
		for _, text := range []string{kustomization, extra} {
			if strings.Contains(text, "://") || strings.Contains(text, "@") || strings.Contains(text, "git") {
				return
			}
		}
		dir := t.TempDir()
		for name, text := range map[string]string{"kustomization.yaml": kustomization, "extra.yaml": extra} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		object := func(component, text string) *unstructured.Unstructured {
			u, err := decodeYAML([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			u.SetLabels(map[string]string{ComponentLabel: component})
			return u
		}
		out, err := customize([]Rendered{
			{Component: &Component{Name: "first"}, Objects: []*unstructured.Unstructured{
				object("first", "{apiVersion: apps/v1, kind: Deployment, metadata: {name: d, namespace: ns}, spec: {replicas: 1, template: {spec: {containers: [{name: c, image: a}]}}}}"),
				object("first", "{apiVersion: v1, kind: ConfigMap, metadata: {name: m, namespace: ns}, data: {a: b}}"),
			}},
			{Component: &Component{Name: "second"}, Objects: []*unstructured.Unstructured{object("second", "{apiVersion: v1, kind: Namespace, metadata: {name: ns}}")}},
		}, dir)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "-k "+dir+": ") {
				t.Errorf("the error does not name the flag: %v", err)
			}
			return
		}
		if len(out) < 2 || out[0].Component.Name != "first" || out[1].Component.Name != "second" {
			t.Fatalf("%d components: %+v", len(out), out)
		}
		for _, r := range out {
			for _, u := range r.Objects {
				if u.GetKind() == "" || u.GetName() == "" || u.GetAPIVersion() == "" {
					t.Errorf("an object without a kind or a name: %v", u.Object)
				}
				if u.GetLabels()[ComponentLabel] != r.Component.Name {
					t.Errorf("%s %s of component %s has the label %q", u.GetKind(), u.GetName(), r.Component.Name, u.GetLabels()[ComponentLabel])
				}
			}
		}
	})
}

// FuzzOptions checks that an address, a registry or an image that is taken can stand where
// it is put without quotes.
func FuzzOptions(f *testing.F) {
	f.Add("ada@example.com", "", "registry.example.com/team", "dex", "ghcr.io/dexidp/dex:v1")
	f.Add("a+b@x.y", "ns", "localhost:5000", "a", "b@sha256:"+strings.Repeat("0", 64))
	f.Add("\"a b\"@x", "-", "https://x", "", " ")
	f.Add("a@b\n", "UPPER", "x/", "a=b", "c:d:e")
	f.Add("ada@example.com", "", "docker.io=h/hub,quay.io=h/quay,h/rest", "dex", "a/b")
	f.Fuzz(func(t *testing.T, email, profile, registry, name, image string) {
		o := Options{UserEmail: email, UserProfile: profile, Registry: registry, Images: map[string]string{name: image}}
		if o.Validate() != nil {
			return
		}
		const special = " \t\r\n'\"`\\{}[]&*!|>%#,?$;()<>"
		for what, text := range map[string]string{"address": strings.ReplaceAll(email, "%", ""), "profile": o.ProfileName(), "registry": strings.NewReplacer(",", "", "=", "").Replace(registry), "image": image} {
			if strings.ContainsAny(text, special) {
				t.Errorf("the %s %q is taken", what, text)
			}
		}
		if n := o.ProfileName(); n == "" || len(n) > 63 || strings.ToLower(n) != n {
			t.Errorf("the namespace is called %q", n)
		}
	})
}
