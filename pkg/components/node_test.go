package components

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

func TestNodeContentIsWhatTheWayThroughJSONGives(t *testing.T) {
	const text = `
string: plain
quoted: "1"
single: 'true'
int: 42
negative: -7
octal: 0o17
zeros: 007
float: 0.5
large: 1e21
yes: true
no: false
on: "on"
none: null
tilde: ~
empty: ""
blank:
block: |
  one
  two
folded: >-
  one
  two
list: [a, 1, [b, {c: d}], {}]
map: {a: {b: []}}
8080: numeric key
anchor: &x {k: v}
alias: *x
`
	node := yaml.MustParse(text)
	got, err := nodeContent(node.YNode())
	if err != nil {
		t.Fatal(err)
	}
	data, err := node.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]any
	if err := utiljson.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(any(want), got); d != "" {
		t.Errorf("through JSON (-), directly (+):\n%s", d)
	}
}

func TestNodeContentKeepsADateAsItIsWritten(t *testing.T) {
	got, err := nodeContent(yaml.MustParse("date: 2026-11-22").YNode())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(any(map[string]any{"date": "2026-11-22"}), got); d != "" {
		t.Errorf("want (-), got (+):\n%s", d)
	}
}
