package components

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/kyaml/yaml"
	sigsyaml "sigs.k8s.io/yaml"
)

// list is all that the kustomization of most bases says: which files, and labels on
// the objects themselves.
type list struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Resources  []string `json:"resources"`
	Labels     []struct {
		Pairs map[string]string `json:"pairs"`
	} `json:"labels"`
}

// plain reads a base whose kustomization is nothing but a list, of files and of other
// such bases. There is nothing in it for kustomize to decide, and its general way takes
// three times as long. False where there is more to do.
func (s *Files) plain(dir string) ([]*unstructured.Unstructured, bool, error) {
	text, err := fs.ReadFile(s.files, path.Join(dir, "kustomization.yaml"))
	if err != nil {
		return nil, false, nil
	}
	var k list
	if sigsyaml.UnmarshalStrict(text, &k) != nil {
		return nil, false, nil // it says more than a list does
	}
	var out []*unstructured.Unstructured
	for _, resource := range k.Resources {
		at := path.Join(dir, resource)
		if path.Ext(resource) != ".yaml" {
			objects, ok, err := s.plain(at)
			if !ok || err != nil {
				return nil, false, err
			}
			out = append(out, objects...)
			continue
		}
		if strings.Contains(resource, "/") {
			return nil, false, nil
		}
		data, err := fs.ReadFile(s.files, at)
		if err != nil {
			return nil, false, err
		}
		objects, err := documents(data)
		if err != nil {
			return nil, false, fmt.Errorf("%s: %w", at, err)
		}
		out = append(out, objects...)
	}
	for _, u := range out {
		for _, l := range k.Labels {
			labels := u.GetLabels()
			if labels == nil {
				labels = map[string]string{}
			}
			for key, value := range l.Pairs {
				labels[key] = value
			}
			u.SetLabels(labels)
		}
	}
	return out, true, nil
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
