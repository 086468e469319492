package identity

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"sigs.k8s.io/yaml"
)

// maxFile bounds a file; certificates are the largest part of one.
const maxFile = 1 << 20

// Parse reads a connector in Dex's own format: an object with type, id, name and config, or
// a configuration of Dex whose list connectors has one of them.
func Parse(text []byte) (*Connector, error) {
	if len(text) > maxFile {
		return nil, fmt.Errorf("larger than %d bytes: not a connector", maxFile)
	}
	data, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return nil, err
	}
	var whole struct {
		Connectors []json.RawMessage `json:"connectors"`
	}
	if err := json.Unmarshal(data, &whole); err != nil {
		return nil, errors.New("not an object with type, id, name and config")
	}
	switch len(whole.Connectors) {
	case 0:
	case 1:
		data = whole.Connectors[0]
	default:
		return nil, fmt.Errorf("the list has %d connectors: add them one by one", len(whole.Connectors))
	}
	c := &Connector{}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(c); err != nil {
		return nil, fmt.Errorf("not an object with type, id, name and config: %w", err)
	}
	if c.Type == "" {
		return nil, errors.New("the connector has no type")
	}
	return c, nil
}
