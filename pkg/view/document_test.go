package view

import (
	"strings"
	"testing"
)

func TestDocument(t *testing.T) {
	value := struct {
		State string   `json:"state"`
		Names []string `json:"names"`
	}{"Ready", []string{"istio", "dex"}}
	for _, tt := range []struct{ name, format, want string }{
		{"JSON is indented", JSON, "{\n    \"state\": \"Ready\",\n    \"names\": [\n        \"istio\",\n        \"dex\"\n    ]\n}\n"},
		{"YAML has the names of JSON", YAML, "names:\n- istio\n- dex\nstate: Ready\n"},
		{"a template sees the names of JSON", "jsonpath={.state}", "Ready\n"},
		{"braces may be left out, as in kubectl", "jsonpath=.state", "Ready\n"},
		{"a template can range", "jsonpath={range .names[*]}{@},{end}", "istio,dex,\n"},
		{"what is not there is empty", "jsonpath={.nothing}", "\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b strings.Builder
			if err := CheckOutput(tt.format); err != nil {
				t.Fatal(err)
			}
			if err := Document(&b, tt.format, value); err != nil {
				t.Fatal(err)
			}
			if b.String() != tt.want {
				t.Errorf("got %q, want %q", b.String(), tt.want)
			}
		})
	}
}

func TestOutputFormatsAreRefusedWithTheKnownOnes(t *testing.T) {
	for _, tt := range []struct{ format, want string }{
		{"xml", `--output: unknown format "xml": the formats are table, wide, json, yaml, jsonpath=TEMPLATE`},
		{"jsonpath", "--output: jsonpath without a template: write jsonpath={.field}"},
		{"jsonpath={.a", "--output: "},
	} {
		err := CheckOutput(tt.format, "table", "wide")
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.format, err, tt.want)
		}
	}
	if err := CheckOutput("wide", "table", "wide"); err != nil {
		t.Error(err)
	}
}
