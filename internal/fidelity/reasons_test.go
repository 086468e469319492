package fidelity

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const statedReasons = "# Differences\n\n## Resources\nEvery container asks for some.\n\n" +
	"```differences\n+ Deployment.apps/* .spec.template.spec.containers[*].resources.*\n- {Role,ClusterRole}.rbac.authorization.k8s.io/* .rules[\"get pods\"]\n```\n"

func TestAReasonCoversWhatItsPatternsSayAndNoMore(t *testing.T) {
	reasons, err := parseReasons(statedReasons, "1.10")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name       string
		difference Difference
		covered    bool
	}{
		{"an added request", Difference{Added, "Deployment.apps/a/b", ".spec.template.spec.containers[c].resources.requests.cpu", "1"}, true},
		{"the same path of another kind", Difference{Added, "StatefulSet.apps/a/b", ".spec.template.spec.containers[c].resources.requests.cpu", "1"}, false},
		{"a changed request, where only additions are stated", Difference{Changed, "Deployment.apps/a/b", ".spec.template.spec.containers[c].resources.requests.cpu", "1"}, false},
		{"a path that goes on", Difference{Missing, "Role.rbac.authorization.k8s.io/a/b", `.rules["get pods"] more`, ""}, false},
		{"one alternative", Difference{Missing, "Role.rbac.authorization.k8s.io/a/b", `.rules["get pods"]`, ""}, true},
		{"the other alternative", Difference{Missing, "ClusterRole.rbac.authorization.k8s.io//b", `.rules["get pods"]`, ""}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			unexplained, _ := reasons.Check([]Difference{test.difference})
			if covered := len(unexplained) == 0; covered != test.covered {
				t.Errorf("covered is %v, want %v", covered, test.covered)
			}
		})
	}
}

func TestWhatIsStatedAndCoversNothingIsReported(t *testing.T) {
	document := func(pattern string) string { return "# A\nwhy\n```differences\n" + pattern + "\n```\n" }
	differences := []Difference{
		{Added, "Deployment.apps/a/b", ".x", "1"},
		{Missing, "Deployment.apps/a/c", ".x", ""},
	}
	for _, test := range []struct {
		name, pattern string
		idle          []string
	}{
		{"a pattern that covers something", "+- Deployment.apps/a/{b,c} .x", nil},
		{"a pattern that covers nothing", "+ Secret/a/b .x", []string{"line 4, A: + Secret/a/b .x"}},
		{"a sign that covers nothing", "+-~ Deployment.apps/a/* .x", []string{"line 4, A: +-~ Deployment.apps/a/* .x (sign ~)"}},
		{"an alternative that covers nothing", "+- Deployment.apps/a/{b,c,d} .{x,y}", []string{
			"line 4, A: +- Deployment.apps/a/{b,c,d} .{x,y} (d of {b,c,d})",
			"line 4, A: +- Deployment.apps/a/{b,c,d} .{x,y} (y of {x,y})",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			reasons, err := parseReasons(document(test.pattern), "1.10")
			if err != nil {
				t.Fatal(err)
			}
			_, idle := reasons.Check(differences)
			if difference := cmp.Diff(test.idle, idle); difference != "" {
				t.Error(difference)
			}
		})
	}
}

func TestADocumentThatStatesNoReasonIsRefused(t *testing.T) {
	for _, test := range []struct{ name, document, message string }{
		{"a block right after its heading", "## Empty\n```differences\n+ a b\n```\n", "no reason is given"},
		{"a line without a path", "why\n```differences\n+ a\n```\n", "is not SIGNS OBJECT PATH"},
		{"a sign that is none", "why\n```differences\n! a b\n```\n", "is not SIGNS OBJECT PATH"},
		{"braces that do not close", "why\n```differences\n+ a {b\n```\n", "braces are closed"},
		{"a counterpart that is no ID", "why\n```counterparts\na b\n```\n", "is not UPSTREAM'S-ID OUR-ID"},
		{"a block that does not end", "why\n```differences\n+ a b\n", "not closed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := parseReasons(test.document, "1.10")
			if err == nil || !strings.Contains(err.Error(), test.message) {
				t.Errorf("got %v, want an error with %q", err, test.message)
			}
		})
	}
}

func TestACounterpartIsComparedUnderItsOtherNameAndSoAreReferencesToIt(t *testing.T) {
	const config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %NAME%, namespace: ns}\ndata: {k: v}\n"
	const pod = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d, namespace: ns}\nspec: {template: {spec: {containers: [{name: c, image: i:1, envFrom: [{configMapRef: {name: %NAME%}}]}]}}}\n"
	named := func(name string) []*unstructured.Unstructured {
		return []*unstructured.Unstructured{
			object(t, strings.ReplaceAll(config, "%NAME%", name)),
			object(t, strings.ReplaceAll(pod, "%NAME%", name)),
		}
	}
	facts, err := FactsOf("test", named("config-abc"))
	if err != nil {
		t.Fatal(err)
	}
	reasons, err := parseReasons("why\n```counterparts\nConfigMap/ns/config-abc ConfigMap/ns/config\n```\n", "1.10")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name         string
		counterparts Counterparts
		want         []string
	}{
		{"with the counterpart stated", reasons.Counterparts, nil},
		{"without", nil, []string{
			"+ ConfigMap/ns/config (object)",
			"- ConfigMap/ns/config-abc (object)",
			"~ Deployment.apps/ns/d .spec.template.spec.containers[c].envFrom[0].configMapRef.name",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			differences, err := Compare(facts, named("config"), test.counterparts)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range differences {
				got = append(got, d.String())
			}
			if difference := cmp.Diff(test.want, got); difference != "" {
				t.Error(difference)
			}
		})
	}
	if wrong := reasons.Counterparts.Check(facts, named("other")); len(wrong) != 1 || wrong[0] != "we have no ConfigMap/ns/config" {
		t.Errorf("a counterpart that is not rendered is not reported: %v", wrong)
	}
}

func TestABlockThatNamesReleasesHoldsForTheseAlone(t *testing.T) {
	const document = "why\n```differences 1.10 2.0\n+ Pod/a/b .spec.x\n```\n```differences\n- Pod/a/b .spec.y\n```\n```counterparts 2.0\nPod/a/b Pod/a/c\n```\n"
	differences := []Difference{{Sign: Added, Object: "Pod/a/b", Path: ".spec.x"}, {Sign: Missing, Object: "Pod/a/b", Path: ".spec.y"}}
	for release, want := range map[string]struct{ unexplained, counterparts int }{"1.10": {0, 0}, "2.0": {0, 1}, "3.0": {1, 0}} {
		reasons, err := parseReasons(document, release)
		if err != nil {
			t.Fatal(err)
		}
		unexplained, idle := reasons.Check(differences)
		if len(unexplained) != want.unexplained || len(idle) != 0 || len(reasons.Counterparts) != want.counterparts {
			t.Errorf("%s: unexplained %v, idle %v, counterparts %v", release, unexplained, idle, reasons.Counterparts)
		}
		if difference := cmp.Diff([]string{"1.10", "2.0", "2.0"}, reasons.Releases); difference != "" {
			t.Errorf("%s: releases of the document: %s", release, difference)
		}
	}
}
