package exposure

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// editConfig writes our pool into the text of MetalLB's ConfigMap, or takes it out where
// ranges is nil. Other pools, other settings and comments stay as they are. A pool that
// holds no address at all makes MetalLB refuse the whole text, as minikube's addon does
// before anybody has configured it; ours takes its place.
func editConfig(text string, ranges []Range) (string, error) {
	if strings.TrimSpace(text) == "" {
		text = "{}\n"
	}
	root, err := yaml.Parse(text)
	if err != nil {
		return "", fmt.Errorf("it is not valid YAML, so a pool cannot be added: %w", err)
	}
	if err := yaml.ErrorIfInvalid(root, yaml.MappingNode); err != nil {
		return "", fmt.Errorf("it is not a map with address-pools: %w", err)
	}
	pools, err := root.Pipe(yaml.LookupCreate(yaml.SequenceNode, "address-pools"))
	if err != nil {
		return "", fmt.Errorf("address-pools: %w", err)
	}
	if pools.YNode() == nil || pools.YNode().Kind != yaml.SequenceNode {
		return "", fmt.Errorf("address-pools is not a list")
	}
	var kept []*yaml.Node
	place := -1
	for _, node := range pools.YNode().Content {
		p := yaml.NewRNode(node)
		name, _ := p.GetString("name")
		if name == PoolName || ranges != nil && holdsNothing(p) {
			if place < 0 {
				place = len(kept)
			}
			continue
		}
		kept = append(kept, node)
	}
	if ranges != nil {
		pool := map[string]any{"name": PoolName, "protocol": "layer2", "addresses": anys(texts(ranges))}
		if slices.ContainsFunc(ranges, Range.hasBuggy) {
			pool["avoid-buggy-ips"] = true
		}
		ours, err := yaml.FromMap(pool)
		if err != nil {
			return "", err
		}
		if place < 0 {
			place = len(kept)
		}
		kept = append(kept[:place:place], append([]*yaml.Node{ours.YNode()}, kept[place:]...)...)
	}
	pools.YNode().Content = kept
	pools.YNode().Style &^= yaml.FlowStyle
	if len(kept) == 0 {
		pools.YNode().Style |= yaml.FlowStyle
	}
	root.YNode().Style &^= yaml.FlowStyle
	var out bytes.Buffer
	style := yaml.SequenceIndentStyle(yaml.DeriveSeqIndentStyle(text))
	if err := yaml.NewEncoderWithOptions(&out, &yaml.EncoderOptions{SeqIndent: style}).Encode(root.Document()); err != nil {
		return "", err
	}
	return out.String(), nil
}

// holdsNothing tells whether a pool of the ConfigMap has no address: none, nulls, or the
// dash that is left of a range without ends.
func holdsNothing(pool *yaml.RNode) bool {
	addresses := pool.Field("addresses")
	if addresses == nil {
		return false // addresses may come in a form that is not known here
	}
	text, err := addresses.Value.String()
	return err == nil && strings.Trim(text, "-[]\"' \n\tnul~") == ""
}

func anys(all []string) []any {
	out := make([]any, len(all))
	for i, s := range all {
		out[i] = s
	}
	return out
}
