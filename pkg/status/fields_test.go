package status

import (
	"encoding/json"
	"slices"
	"testing"

	"sigs.k8s.io/yaml"
)

func value(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestDifferencesAreWhatWasSentAndHasAnotherValue(t *testing.T) {
	for _, tt := range []struct {
		name, sent, live string
		want             []string
	}{
		{"nothing when the server has only added", `{spec: {replicas: 1}}`, `{spec: {replicas: 1, strategy: {type: Recreate}}, status: {}}`, nil},
		{"a single value", `{spec: {replicas: 1}}`, `{spec: {replicas: 2}}`, []string{"spec.replicas"}},
		{"what is gone", `{metadata: {labels: {a.b/c: x}}}`, `{metadata: {}}`, []string{"metadata.labels"}},
		{"items by their names, in any order", `{c: [{name: a, image: x}, {name: b, image: y}]}`, `{c: [{name: b, image: z, pull: Always}, {name: a, image: x}]}`, []string{"c[b].image"}},
		{"an item that is gone", `{c: [{name: a, image: x}]}`, `{c: []}`, []string{"c[a]"}},
		{"a list without names as a whole", `{args: [a, b]}`, `{args: [a, c]}`, []string{"args"}},
		{"nothing where items have got defaults", `{rules: [{verbs: [get]}]}`, `{rules: [{verbs: [get], scope: "*"}]}`, nil},
		{"nothing where a quantity is written in another way", `{cpu: 1000m, memory: 2048Mi}`, `{cpu: 1, memory: 2Gi}`, nil},
		{"nothing where the server drops what is empty", `{a: "", b: false}`, `{}`, nil},
		{"an empty item that became two", `{rules: [{}]}`, `{rules: [{}, {}]}`, []string{"rules"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, d := range differences(value(t, tt.sent), value(t, tt.live), nil, nil) {
				got = append(got, d.String())
			}
			slices.Sort(got)
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestAFieldIsOwnedByItselfOrWithAllThatIsAroundIt(t *testing.T) {
	var o owned
	fields := `{"f:metadata":{"f:labels":{"f:app":{}}},
		"f:spec":{"f:args":{},"f:template":{"f:containers":{
			"k:{\"name\":\"a\"}":{".":{},"f:image":{}},
			"k:{\"name\":\"b\"}":{".":{},"f:ports":{"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{}}}}}}}}`
	if err := json.Unmarshal([]byte(fields), &o); err != nil {
		t.Fatal(err)
	}
	field := func(names ...string) (path []step) {
		for _, n := range names {
			path = append(path, step{field: n})
		}
		return path
	}
	a, b := step{item: map[string]any{"name": "a"}}, step{item: map[string]any{"name": "b"}}
	for _, tt := range []struct {
		name string
		path []step
		want bool
	}{
		{"a label", field("metadata", "labels", "app"), true},
		{"another label", field("metadata", "labels", "version"), false},
		{"a field of an item", append(field("spec", "template", "containers"), a, step{field: "image"}), true},
		{"another field of it", append(field("spec", "template", "containers"), a, step{field: "env"}), false},
		{"the same field of another item", append(field("spec", "template", "containers"), b, step{field: "image"}), false},
		{"what is below an atomic list", field("spec", "args", "anything"), true},
		{"an item whose second key has its default", append(field("spec", "template", "containers"), b, step{field: "ports"}, step{item: map[string]any{"containerPort": 80}}), true},
		{"what nobody has set", field("status"), false},
	} {
		if got := o.owns(tt.path); got != tt.want {
			t.Errorf("%s: owned %t, want %t", tt.name, got, tt.want)
		}
	}
	if owned(nil).owns(field("spec")) {
		t.Error("who owns nothing owns spec")
	}
}
