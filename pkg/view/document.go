package view

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"k8s.io/client-go/util/jsonpath"
	"sigs.k8s.io/yaml"
)

// JSONPath is the prefix of -o jsonpath=TEMPLATE.
const JSONPath = "jsonpath"

// IsDocument tells whether a value of -o is one that Document prints.
func IsDocument(format string) bool {
	return format == JSON || format == YAML || format == JSONPath || strings.HasPrefix(format, JSONPath+"=")
}

// CheckOutput refuses a value of -o that is neither a document's format nor one of the
// others that a command knows, and a JSONPath template that cannot be parsed.
func CheckOutput(format string, others ...string) error {
	if !IsDocument(format) {
		return CheckFormat(format, slices.Concat(others, []string{JSON, YAML, JSONPath + "=TEMPLATE"})...)
	}
	if strings.HasPrefix(format, JSONPath) {
		_, err := parseJSONPath(format)
		return err
	}
	return nil
}

func parseJSONPath(format string) (*jsonpath.JSONPath, error) {
	template := strings.TrimPrefix(strings.TrimPrefix(format, JSONPath), "=")
	if template == "" {
		return nil, errors.New("--output: jsonpath without a template: write jsonpath={.field}")
	}
	// As kubectl does: .field and field mean {.field}.
	if !strings.Contains(template, "{") {
		template = "{." + strings.TrimPrefix(template, ".") + "}"
	}
	p := jsonpath.New("output").AllowMissingKeys(true)
	if err := p.Parse(template); err != nil {
		return nil, fmt.Errorf("--output: %w", err)
	}
	return p, nil
}

// Document prints a value for programs: as JSON, YAML, or through a JSONPath template
// that sees what -o json prints. CheckOutput has accepted the format.
func Document(w io.Writer, format string, v any) error {
	switch format {
	case JSON:
		return IndentedJSON(w, v)
	case YAML:
		data, err := yaml.Marshal(v)
		if err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	}
	p, err := parseJSONPath(format)
	if err != nil {
		return err
	}
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var decoded any
	if err := json.Unmarshal(data, &decoded); err != nil {
		return err
	}
	if err := p.Execute(w, decoded); err != nil {
		return fmt.Errorf("--output: %w", err)
	}
	_, err = fmt.Fprintln(w)
	return err
}
