package components

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/kustomize/kyaml/yaml"
	sigsyaml "sigs.k8s.io/yaml"
)

// plain is what most kustomizations say and nothing more: which files and other
// kustomizations, labels on the objects themselves, and what to merge into an object.
// Whatever has another field is left to kustomize.
type plain struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Resources  []string `json:"resources"`
	Components []string `json:"components"`
	Patches    []change `json:"patches"`
	Labels     []struct {
		Pairs map[string]string `json:"pairs"`
	} `json:"labels"`
}

// change of objects: what to merge into those that it names itself, or operations (RFC
// 6902) on the one that is named beside it.
type change struct {
	Path   string `json:"path"`
	Patch  string `json:"patch"`
	Target *struct {
		Kind string `json:"kind"`
		Name string `json:"name"`
	} `json:"target"`
}

// errNotPlain: there is something that kustomize has to decide.
var errNotPlain = errors.New("a kustomization says more than is read here")

// read does what a plain kustomization says, which kustomize's general way takes several
// times as long for. Objects are those that it changes, if it is a Component.
func (s *Files) read(dir string, objects []*unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	text, err := fs.ReadFile(s.files, path.Join(dir, "kustomization.yaml"))
	if err != nil {
		return nil, err
	}
	var k plain
	if sigsyaml.UnmarshalStrict(text, &k) != nil {
		return nil, errNotPlain
	}
	return s.do(k, dir, objects)
}

func (s *Files) do(k plain, dir string, objects []*unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	for _, resource := range k.Resources {
		at := path.Join(dir, resource)
		read := func() ([]*unstructured.Unstructured, error) { return s.read(at, nil) }
		if path.Ext(resource) == ".yaml" {
			read = func() ([]*unstructured.Unstructured, error) { return s.documents(at) }
		}
		added, err := read()
		if err != nil {
			return nil, err
		}
		objects = append(objects, added...)
	}
	for _, component := range k.Components {
		var err error
		if objects, err = s.read(path.Join(dir, component), objects); err != nil {
			return nil, err
		}
	}
	for _, p := range k.Patches {
		var err error
		if objects, err = s.patch(dir, p, objects); err != nil {
			return nil, err
		}
	}
	for _, u := range objects {
		for _, l := range k.Labels {
			labels := u.GetLabels()
			if labels == nil {
				labels = map[string]string{}
			}
			maps.Copy(labels, l.Pairs)
			u.SetLabels(labels)
		}
	}
	return objects, nil
}

// patch changes objects as a kustomization in dir says.
func (s *Files) patch(dir string, p change, objects []*unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	text := []byte(p.Patch)
	if p.Path != "" {
		var err error
		if text, err = fs.ReadFile(s.files, path.Join(dir, p.Path)); err != nil {
			return nil, err
		}
	}
	if p.Target != nil {
		return objects, operate(objects, p.Target.Kind, p.Target.Name, text)
	}
	patches, err := documents(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path.Join(dir, p.Path), err)
	}
	for _, patch := range patches {
		if objects, err = merge(objects, patch); err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
	}
	return objects, nil
}

// operate does the operations of a JSON patch on the objects of that kind and name.
func operate(objects []*unstructured.Unstructured, kind, name string, text []byte) error {
	data, err := sigsyaml.YAMLToJSON(text)
	if err != nil {
		return err
	}
	operations, err := jsonpatch.DecodePatch(data)
	if err != nil {
		return errNotPlain // an object to be merged
	}
	found := false
	for _, u := range objects {
		if u.GetKind() != kind || u.GetName() != name {
			continue
		}
		found = true
		changed, err := operations.Apply(compactJSON(u.Object))
		if err != nil {
			return fmt.Errorf("patch of %s %s: %w", kind, name, err)
		}
		u.Object = nil
		if err := utiljson.Unmarshal(changed, &u.Object); err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("there is no %s %s to be patched", kind, name)
	}
	return nil
}

// merge a patch into the object that it names: strategically where the kind is one of
// Kubernetes' own, as a JSON merge patch where it is not.
func merge(objects []*unstructured.Unstructured, patch *unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	i := slices.IndexFunc(objects, func(u *unstructured.Unstructured) bool {
		return u.GroupVersionKind().GroupKind() == patch.GroupVersionKind().GroupKind() && u.GetNamespace() == patch.GetNamespace() && u.GetName() == patch.GetName()
	})
	if i < 0 {
		return nil, fmt.Errorf("there is no %s %s/%s to patch", patch.GetKind(), patch.GetNamespace(), patch.GetName())
	}
	if patch.Object["$patch"] == "delete" {
		return slices.Delete(objects, i, i+1), nil
	}
	u := objects[i]
	kind, err := scheme.Scheme.New(u.GroupVersionKind())
	if runtime.IsNotRegisteredError(err) {
		mergeJSON(u.Object, patch.Object)
		return objects, nil
	}
	if err != nil {
		return nil, err
	}
	if u.Object, err = strategicpatch.StrategicMergeMapPatch(u.Object, patch.Object, kind); err != nil {
		return nil, fmt.Errorf("patch of %s %s/%s: %w", u.GetKind(), u.GetNamespace(), u.GetName(), err)
	}
	return objects, nil
}

func mergeJSON(object, patch map[string]any) {
	for key, value := range patch {
		inner, isMap := value.(map[string]any)
		old, wasMap := object[key].(map[string]any)
		switch {
		case value == nil:
			delete(object, key)
		case isMap && wasMap:
			mergeJSON(old, inner)
		default:
			object[key] = value
		}
	}
}

// documents decodes the objects of a file.
func (s *Files) documents(file string) ([]*unstructured.Unstructured, error) {
	data, err := fs.ReadFile(s.files, file)
	if err != nil {
		return nil, err
	}
	objects, err := documents(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return objects, nil
}

// documents decodes a YAML stream, skipping empty documents.
func documents(data []byte) ([]*unstructured.Unstructured, error) {
	var out []*unstructured.Unstructured
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var n yaml.Node
		if err := decoder.Decode(&n); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, err
		}
		content, err := nodeContent(&n)
		if err != nil {
			return nil, err
		}
		switch content := content.(type) {
		case nil:
		case map[string]any:
			out = append(out, &unstructured.Unstructured{Object: content})
		default:
			return nil, fmt.Errorf("line %d: not an object", n.Line)
		}
	}
}
