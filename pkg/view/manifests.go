package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Formats of manifests.
const (
	YAML = "yaml"
	JSON = "json"
	Name = "name"
)

// ManifestFormats lists what Manifests can print.
func ManifestFormats() []string { return []string{YAML, JSON, Name} }

// CheckFormat refuses an unknown value of -o, naming the known ones.
func CheckFormat(format string, known ...string) error {
	if slices.Contains(known, format) {
		return nil
	}
	return fmt.Errorf("--output: unknown format %q: the formats are %s", format, strings.Join(known, ", "))
}

// Manifests prints objects as kubectl does: a stream of YAML documents, one JSON
// document (a List when there are several), or KIND.GROUP/NAME.
func Manifests(w io.Writer, format string, objects []*unstructured.Unstructured) error {
	switch format {
	case YAML:
		return manifestsYAML(w, objects)
	case JSON:
		return manifestsJSON(w, objects)
	case Name:
		var b strings.Builder
		for _, u := range objects {
			b.WriteString(ObjectName(u) + "\n")
		}
		_, err := io.WriteString(w, b.String())
		return err
	}
	return CheckFormat(format, ManifestFormats()...)
}

// ObjectName is an object as `-o name` shows it: deployment.apps/istiod.
func ObjectName(u *unstructured.Unstructured) string {
	gvk := u.GroupVersionKind()
	return strings.ToLower(gvk.GroupKind().String()) + "/" + u.GetName()
}

func manifestsYAML(w io.Writer, objects []*unstructured.Unstructured) error {
	var b []byte
	var err error
	for i, u := range objects {
		if i > 0 {
			b = append(b, "---\n"...)
		}
		if b, err = appendYAML(b, u.Object); err != nil {
			return fmt.Errorf("%s %s/%s: %w", u.GetKind(), u.GetNamespace(), u.GetName(), err)
		}
	}
	_, err = w.Write(b)
	return err
}

func manifestsJSON(w io.Writer, objects []*unstructured.Unstructured) error {
	var v any
	if len(objects) == 1 {
		v = objects[0].Object
	} else {
		items := make([]any, len(objects))
		for i, u := range objects {
			items[i] = u.Object
		}
		v = map[string]any{"apiVersion": "v1", "kind": "List", "metadata": map[string]any{}, "items": items}
	}
	return IndentedJSON(w, v)
}

// IndentedJSON prints one document as kubectl does.
func IndentedJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "    ")
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}

// JSONLine prints a value as one line of JSON, for streams of documents.
func JSONLine(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// RefName is KIND.GROUP/NAME, with the namespace where there is one: the same name
// stands in several.
func RefName(r report.Ref) string {
	name := strings.ToLower(r.Kind)
	if r.Group != "" {
		name += "." + r.Group
	}
	name += "/" + r.Name
	if r.Namespace != "" {
		name += " -n " + r.Namespace
	}
	return name
}
