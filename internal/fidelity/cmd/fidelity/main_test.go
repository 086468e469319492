package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/internal/fidelity"
)

// upstreamDir holds one object that we have too, with another value.
func upstreamDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	const namespace = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: kubeflow\n  labels:\n    istio-injection: disabled\n"
	if err := os.WriteFile(filepath.Join(dir, "namespace.yaml"), []byte(namespace), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestFactsHoldFingerprintsAndNoValues(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-version", "test", "facts", upstreamDir(t)}, &out); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "disabled") {
		t.Errorf("a value is in the facts: %s", out.String())
	}
	file := filepath.Join(t.TempDir(), "facts.json")
	if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	facts, err := fidelity.ReadFacts(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := facts.Objects["Namespace//kubeflow"][".metadata.labels.istio-injection"]; got != fidelity.Fingerprint(`"disabled"`) {
		t.Errorf("the label's fingerprint is %q", got)
	}
}

func TestFactsTellNothingAboutCredentials(t *testing.T) {
	const secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: n}\nstringData: {client-id: app, client-secret: hunter2, pass.word: hunter2}\n"
	file := filepath.Join(t.TempDir(), "secret.yaml")
	if err := os.WriteFile(file, []byte(secret), 0o644); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run(t.Context(), []string{"facts", file}, &out); err != nil {
		t.Fatal(err)
	}
	for leaf, want := range map[string]string{
		`.data.client-id`:      fidelity.Fingerprint(`"app"`),
		`.data.client-secret`:  fidelity.Withheld,
		`.data[\"pass.word\"]`: fidelity.Withheld,
	} {
		if fact := `"` + leaf + `":"` + want + `"`; !strings.Contains(out.String(), fact) {
			t.Errorf("%s is not in the facts: %s", fact, out.String())
		}
	}
}

func TestDiffShowsBothValuesAndTheReason(t *testing.T) {
	document := filepath.Join(t.TempDir(), "differences.md")
	const reason = "# Injection\nIt is on.\n```differences\n~ Namespace//kubeflow .metadata.labels.istio-injection\n```\n"
	if err := os.WriteFile(document, []byte(reason), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{"-reasons", document, "-components", "kubeflow-namespace"}
	var out bytes.Buffer
	if err := run(t.Context(), append(args, "diff", upstreamDir(t)), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"  ~ .metadata.labels.istio-injection    (Injection)\n      upstream: \"disabled\"\n      ours:     \"enabled\"\n",
		"1 of upstream's 1 objects have their counterpart",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	out.Reset()
	if err := run(t.Context(), append(args, "-unexplained", "diff", upstreamDir(t)), &out); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "istio-injection") {
		t.Errorf("what a reason covers is shown among the unexplained:\n%s", out.String())
	}
}

func TestWrongArgumentsSayWhatIsWanted(t *testing.T) {
	for _, test := range []struct {
		name, message string
		args          []string
	}{
		{"no command", "want `diff UPSTREAM` or `facts UPSTREAM`", nil},
		{"an unknown command", `unknown command "show"`, []string{"show", upstreamDir(t)}},
		{"a directory of something else", "neither a clone of kubeflow/manifests", []string{"facts", t.TempDir()}},
		{"an unknown component", `unknown component "nothing"`, []string{"-reasons", os.DevNull, "-components", "nothing", "diff", upstreamDir(t)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := run(t.Context(), test.args, &bytes.Buffer{})
			if err == nil || !strings.Contains(err.Error(), test.message) {
				t.Errorf("got %v, want an error with %q", err, test.message)
			}
		})
	}
}
