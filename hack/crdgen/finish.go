package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sort"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// finish makes a CRD of a source ours: the set's labels and edits, no prose, no
// tool's annotations, and versions in a fixed order.
func finish(crd *apiextensionsv1.CustomResourceDefinition, s set) error {
	crd.Annotations = nil
	crd.Labels = make(map[string]string, len(s.labels))
	for key, value := range s.labels {
		crd.Labels[key] = value
	}
	if edit, ok := s.perCRD[crd.Name]; ok {
		if err := edit(crd); err != nil {
			return err
		}
	}
	if len(crd.Labels) == 0 {
		crd.Labels = nil
	}
	// These two are what the server assumes when they are absent.
	crd.Spec.PreserveUnknownFields = false
	if c := crd.Spec.Conversion; c != nil && c.Strategy == apiextensionsv1.NoneConverter {
		crd.Spec.Conversion = nil
	}
	for i := range crd.Spec.Versions {
		version := &crd.Spec.Versions[i]
		if version.Schema == nil || version.Schema.OpenAPIV3Schema == nil {
			return fmt.Errorf("version %s has no schema", version.Name)
		}
		withoutProse(version.Schema.OpenAPIV3Schema)
		for j := range version.AdditionalPrinterColumns {
			version.AdditionalPrinterColumns[j].Description = ""
		}
	}
	sort.SliceStable(crd.Spec.Versions, func(i, j int) bool {
		return crd.Spec.Versions[i].Name < crd.Spec.Versions[j].Name
	})
	return nil
}

// withoutProse drops every description, title, example and link of a schema:
// the server does not validate by them, and they are nine tenths of the bytes.
func withoutProse(schema *apiextensionsv1.JSONSchemaProps) {
	schema.Description, schema.Title = "", ""
	schema.Example, schema.ExternalDocs = nil, nil
	each(schema, withoutProse)
}

// each calls visit for the schemas directly inside schema.
func each(schema *apiextensionsv1.JSONSchemaProps, visit func(*apiextensionsv1.JSONSchemaProps)) {
	for _, m := range []map[string]apiextensionsv1.JSONSchemaProps{
		schema.Properties, schema.PatternProperties, map[string]apiextensionsv1.JSONSchemaProps(schema.Definitions),
	} {
		for name, property := range m {
			visit(&property)
			m[name] = property
		}
	}
	for _, list := range [][]apiextensionsv1.JSONSchemaProps{schema.AllOf, schema.AnyOf, schema.OneOf} {
		for i := range list {
			visit(&list[i])
		}
	}
	if schema.Not != nil {
		visit(schema.Not)
	}
	if schema.Items != nil {
		if schema.Items.Schema != nil {
			visit(schema.Items.Schema)
		}
		for i := range schema.Items.JSONSchemas {
			visit(&schema.Items.JSONSchemas[i])
		}
	}
	for _, additional := range []*apiextensionsv1.JSONSchemaPropsOrBool{schema.AdditionalProperties, schema.AdditionalItems} {
		if additional != nil && additional.Schema != nil {
			visit(additional.Schema)
		}
	}
}

// edit changes the property that path leads to.
func edit(schema *apiextensionsv1.JSONSchemaProps, change func(*apiextensionsv1.JSONSchemaProps), path ...string) error {
	if len(path) == 0 {
		change(schema)
		return nil
	}
	property, ok := schema.Properties[path[0]]
	if !ok {
		return fmt.Errorf("the schema has no property %s", strings.Join(path, "."))
	}
	if err := edit(&property, change, path[1:]...); err != nil {
		return err
	}
	schema.Properties[path[0]] = property
	return nil
}

// encode writes a CRD as JSON with sorted keys, one line for its head and one
// for each version, so that a change of a version is one line of a diff.
func encode(crd *apiextensionsv1.CustomResourceDefinition) ([]byte, error) {
	raw, err := json.Marshal(crd)
	if err != nil {
		return nil, err
	}
	var object map[string]any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber() // a 64-bit bound must not go through a float
	if err := decoder.Decode(&object); err != nil {
		return nil, err
	}
	delete(object, "status")
	if metadata, ok := object["metadata"].(map[string]any); ok {
		delete(metadata, "creationTimestamp")
	}
	spec, ok := object["spec"].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("no spec")
	}
	versions, ok := spec["versions"].([]any)
	if !ok || len(versions) == 0 {
		return nil, fmt.Errorf("no versions")
	}
	// "versions" is the last key of the spec and the spec the last of the
	// object, so the head is everything up to the list.
	spec["versions"] = []any{}
	head, err := compact(object)
	if err != nil {
		return nil, err
	}
	const tail = `[]}}`
	if !bytes.HasSuffix(head, []byte(`"versions":`+tail)) {
		return nil, fmt.Errorf("a key sorts after spec.versions: the encoder must be taught where to break the line")
	}
	var out bytes.Buffer
	out.Write(bytes.TrimSuffix(head, []byte(tail)))
	out.WriteByte('[')
	for i, version := range versions {
		line, err := compact(version)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteByte('\n')
		out.Write(line)
	}
	out.WriteString("\n]}}\n")
	return out.Bytes(), nil
}

// compact is json.Marshal without HTML escapes: patterns stay readable.
func compact(value any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}
