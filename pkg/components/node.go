package components

import (
	"fmt"
	"strconv"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// nodeContent turns what kustomize works on into what unstructured objects hold:
// JSON's types, with whole numbers as int64. The library's own way goes through YAML
// and JSON text, and would be a third of the time of `render`.
func nodeContent(n *yaml.Node) (any, error) {
	switch n.Kind {
	case yaml.DocumentNode:
		if len(n.Content) != 1 {
			return nil, fmt.Errorf("line %d: %d documents in one", n.Line, len(n.Content))
		}
		return nodeContent(n.Content[0])
	case yaml.AliasNode:
		return nodeContent(n.Alias)
	case yaml.MappingNode:
		out := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge" {
				return nil, fmt.Errorf("line %d: a key is not a string", key.Line)
			}
			v, err := nodeContent(n.Content[i+1])
			if err != nil {
				return nil, err
			}
			out[key.Value] = v
		}
		return out, nil
	case yaml.SequenceNode:
		out := make([]any, 0, len(n.Content))
		for _, c := range n.Content {
			v, err := nodeContent(c)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, nil
	case yaml.ScalarNode:
		return scalarContent(n)
	}
	return nil, fmt.Errorf("line %d: unknown kind of YAML node", n.Line)
}

func scalarContent(n *yaml.Node) (any, error) {
	switch tag := n.ShortTag(); tag {
	case "!!null":
		return nil, nil
	case "!!bool":
		var b bool
		err := n.Decode(&b)
		return b, err
	case "!!int":
		if i, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
			return i, nil
		}
		var i int64 // octal, hexadecimal, underscores
		err := n.Decode(&i)
		return i, err
	case "!!float":
		var f float64
		err := n.Decode(&f)
		return f, err
	default:
		// Dates and binary data are strings to Kubernetes.
		return n.Value, nil
	}
}
