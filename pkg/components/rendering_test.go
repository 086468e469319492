package components_test

import (
	"fmt"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// variants are the forms in which a release can be rendered.
func variants() map[string]components.Options {
	out := map[string]components.Options{}
	for _, profile := range components.Profiles() {
		out[profile+", plain HTTP"] = components.Options{Profile: profile}
		out[profile+", TLS in front of the gateway"] = components.Options{Profile: profile, SecureCookies: true}
		out[profile+", HTTPS"] = components.Options{Profile: profile, TLS: components.TLS{Secret: components.GatewaySecret, Hosts: []string{"notebooks.example.com", "192.0.2.1"}}}
		out[profile+", a port for notebooks"] = components.Options{Profile: profile, NotebookOrigin: components.NotebookOrigin{Port: true}}
		out[profile+", for an older server of one node"] = components.Options{Profile: profile, OrdinarySidecars: true, NoPause: true, IgnoreExcluded: true}
	}
	return out
}

// once remembers what was rendered: the definitions alone are megabytes of JSON, and
// most tests look at the same few forms of a release without changing them.
var once sync.Map

// forEachRelease runs a test once for each release.
func forEachRelease(t *testing.T, check func(t *testing.T, release string)) {
	t.Helper()
	for _, release := range components.ReleaseNames() {
		t.Run(release, func(t *testing.T) { check(t, release) })
	}
}

// forEachVariant renders the whole release, what is installed on demand included. The
// objects are shared between tests and must not be changed.
func forEachVariant(t *testing.T, check func(t *testing.T, objects []*unstructured.Unstructured)) {
	t.Helper()
	forEachRelease(t, func(t *testing.T, release string) {
		for name, options := range variants() {
			t.Run(name, func(t *testing.T) {
				objects, found := once.Load(release + name)
				if !found {
					objects, _ = once.LoadOrStore(release+name, render(t, release, options))
				}
				check(t, objects.([]*unstructured.Unstructured))
			})
		}
	})
}

// render makes the objects of the named components of a release, of all where none is named.
func render(t *testing.T, release string, options components.Options, names ...string) []*unstructured.Unstructured {
	t.Helper()
	source, err := components.NewEmbedded(release)
	if err != nil {
		t.Fatal(err)
	}
	if len(names) == 0 {
		names = source.Release().Names()
	}
	rendered, err := source.Render(t.Context(), names, options)
	if err != nil {
		t.Fatal(err)
	}
	var objects []*unstructured.Unstructured
	for _, r := range rendered {
		objects = append(objects, r.Objects...)
	}
	if len(objects) == 0 {
		t.Fatalf("nothing was rendered of %v", names)
	}
	return objects
}

func id(u *unstructured.Unstructured) string {
	if u.GetNamespace() == "" {
		return u.GetKind() + " " + u.GetName()
	}
	return fmt.Sprintf("%s %s/%s", u.GetKind(), u.GetNamespace(), u.GetName())
}

// find returns the one object of that kind, namespace and name.
func find(t *testing.T, objects []*unstructured.Unstructured, kind, namespace, name string) *unstructured.Unstructured {
	t.Helper()
	for _, u := range objects {
		if u.GetKind() == kind && u.GetNamespace() == namespace && u.GetName() == name {
			return u
		}
	}
	t.Fatalf("no %s %s/%s was rendered", kind, namespace, name)
	return nil
}

func ofKind(objects []*unstructured.Unstructured, kinds ...string) []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, u := range objects {
		for _, kind := range kinds {
			if u.GetKind() == kind {
				out = append(out, u)
			}
		}
	}
	return out
}

// typed decodes an object strictly: a field that the type does not have is an error.
func typed[T any](t *testing.T, u *unstructured.Unstructured) *T {
	t.Helper()
	out := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(u.Object, out, true); err != nil {
		t.Fatalf("%s: %v", id(u), err)
	}
	return out
}

// text is a string of the object, which must be there.
func text(t *testing.T, u *unstructured.Unstructured, path ...string) string {
	t.Helper()
	s, found, err := unstructured.NestedString(u.Object, path...)
	if err != nil || !found {
		t.Fatalf("%s has no string at %v (%v)", id(u), path, err)
	}
	return s
}

// pod is the template of an object that creates pods.
func pod(t *testing.T, u *unstructured.Unstructured) *corev1.PodTemplateSpec {
	t.Helper()
	template, found, err := unstructured.NestedMap(u.Object, "spec", "template")
	if err != nil || !found {
		t.Fatalf("%s has no pod template (%v)", id(u), err)
	}
	out := &corev1.PodTemplateSpec{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(template, out, true); err != nil {
		t.Fatalf("%s: %v", id(u), err)
	}
	return out
}

// allContainers are the init containers and the containers of a pod.
func allContainers(p *corev1.PodTemplateSpec) []corev1.Container {
	return append(append([]corev1.Container{}, p.Spec.InitContainers...), p.Spec.Containers...)
}
