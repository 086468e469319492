package view

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	yamlv2 "go.yaml.in/yaml/v2"
	yamlv3 "go.yaml.in/yaml/v3"
)

func TestYAMLKeepsEveryStringThatLooksLikeSomethingElse(t *testing.T) {
	for _, s := range []string{
		"", " ", "a", "plain words", "true", "True", "yes", "NO", "on", "off", "y", "n", "null", "Null", "~", "nan", ".nan", "inf", ".inf", "-.inf", "+.inf",
		"0", "1", "-1", "+1", "1.5", "1e3", "0x1f", "0o7", "017", "1_000", "12:30", "12:30:45", "2026-11-22", "2026-11-22T10:00:00Z", "1.24.3", "10m", "64Mi", "90s", "1h", "5.", ".5",
		"-", "--", "---", "...", "- a", "-a", "--flag=x", "--log_output_level=default:info", "-1a", "?", "? a", ":", ":a", "a:", "a: b", "a:b", "http://x:1/y", "#", "a #b", "a#b", "#a",
		"*", "*a", "&a", "!a", "!!str", "|", ">", "@a", "`a", "%a", "{a}", "[a]", "a,b", "a]", "'a'", `"a"`, `a"b`, "a'b", `back\slash`, "=", "<<", "$(generated:x)", "$(USER)",
		"tab\tinside", "\ttab", "trailing ", " leading", "line\n", "line\nline", "line\nline\n", "line\n\nline\n", "\nline", "line\n\n", " a\nb", "a \nb", "a\n  b\n", "a\nb ", "a\nb\t\n", "\n", "\r", "a\r\nb",
		"ä", "日本", "😀", "\u0085", "\u00a0", "\u2028", "\u2029", "\ufeff", "\ufffe", "\x00", "\x7f", "\x1b[0m", "a: b\n# c\n- d\n", "key: |\n  text\n",
	} {
		object := map[string]any{"k": s, "list": []any{s, map[string]any{"deep": s, "deeper": []any{s}}}}
		if s != "" {
			object["map"] = map[string]any{s: "v"}
		}
		roundTrip(t, object)
	}
}

func TestYAMLKeepsEveryShapeOfJSON(t *testing.T) {
	roundTrip(t, map[string]any{
		"empty": map[string]any{}, "none": []any{}, "null": nil, "yes": true, "no": false,
		"int": int64(9007199254740993), "negative": int64(-1), "float": 0.25, "large": 1e21, "small": 1e-9,
		"lists": []any{[]any{"a", []any{"b", map[string]any{"c": []any{}}}}, []any{}, map[string]any{}, nil, int64(1), "x\ny\n"},
		"maps":  map[string]any{"a": map[string]any{"b": map[string]any{"c": "d\n e\n"}}, "list": []any{map[string]any{"x": "y", "z": []any{"w"}}}},
	})
}

func FuzzYAMLKeepsStrings(f *testing.F) {
	for _, s := range []string{"a", "1", "a: b", "x\ny", "- a", "\u0085", "~"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		s = string([]rune(s)) // JSON has no other strings
		roundTrip(t, map[string]any{"k": s, "l": []any{s}})
	})
}

// roundTrip demands that two parsers, one of YAML 1.1 and one of 1.2's habits, read
// back what was written.
func roundTrip(t *testing.T, object map[string]any) {
	t.Helper()
	text, err := appendYAML(nil, object)
	if err != nil {
		t.Fatal(err)
	}
	var v3 map[string]any
	if err := yamlv3.Unmarshal(text, &v3); err != nil {
		t.Fatalf("%v\n%q", err, text)
	}
	if got := normal(v3); !reflect.DeepEqual(got, normal(object)) {
		t.Errorf("yaml v3 reads it differently:\n%s\n%s", cmp.Diff(normal(object), got), text)
	}
	var v2 map[string]any
	if err := yamlv2.Unmarshal(text, &v2); err != nil {
		t.Fatalf("%v\n%q", err, text)
	}
	if got := normal(v2); !reflect.DeepEqual(got, normal(object)) {
		t.Errorf("yaml v2 reads it differently:\n%s\n%s", cmp.Diff(normal(object), got), text)
	}
}

// normal brings the parsers' types together.
func normal(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			out[k] = normal(e)
		}
		return out
	case map[any]any:
		out := map[string]any{}
		for k, e := range v {
			out[k.(string)] = normal(e)
		}
		return out
	case []any:
		out := []any{}
		for _, e := range v {
			out = append(out, normal(e))
		}
		return out
	case int:
		return int64(v)
	}
	return v
}
