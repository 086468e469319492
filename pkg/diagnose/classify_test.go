package diagnose

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

// testCase is a cluster with something wrong, and the causes that must be found.
type testCase struct {
	// name is a sentence; the golden file with the whole causes has its words.
	name    string
	objects string
	logs    map[string]string
	// forbidden and unknown: see fakeReader.
	forbidden, unknown []string
	// subjects; one Deployment auth/dex when there are none.
	subjects []Subject
	// want is the first cause and then the others: severity, name, object.
	want     string
	then     []string
	hopeless bool
}

func run(t *testing.T, cases []testCase) {
	t.Helper()
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			f := &fakeReader{objects: parse(t, tc.objects), logs: tc.logs, forbidden: tc.forbidden, unknown: tc.unknown}
			if tc.subjects == nil {
				tc.subjects = []Subject{deployment("auth", "dex")}
			}
			causes := f.explain(t, tc.subjects...)
			var got []string
			for _, c := range causes {
				got = append(got, brief(c))
				check(t, c)
			}
			if diff := cmp.Diff(append([]string{tc.want}, tc.then...), got); diff != "" {
				t.Errorf("causes (-want +got):\n%s", diff)
			}
			if len(causes) > 0 && Hopeless(causes[0]) != tc.hopeless {
				t.Errorf("Hopeless(%s) = %v, want %v", causes[0].Name, !tc.hopeless, tc.hopeless)
			}
			golden(t, tc.name, causes)
		})
	}
}

func brief(c report.Cause) string {
	return strings.TrimSpace(c.Severity.String() + " " + c.Name + " " + c.Object.String())
}

// check holds every cause to what readers and programs rely on.
func check(t *testing.T, c report.Cause) {
	t.Helper()
	if _, known := weight[c.Name]; !known {
		t.Errorf("%s is not among the names with a weight", c.Name)
	}
	if c.Summary == "" || strings.HasSuffix(c.Summary, ".") {
		t.Errorf("%s: summary %q: want one sentence without a full stop", c.Name, c.Summary)
	}
	if c.Severity >= report.Error && (len(c.Evidence) == 0 || c.Remedy == "") {
		t.Errorf("%s: an error needs evidence and a remedy: %+v", c.Name, c)
	}
	if text := strings.Join(c.Evidence, "\n"); regexp.MustCompile(`hunter2|s3cret|abcdefghijklmnop`).MatchString(text) {
		t.Errorf("%s: evidence shows a secret: %s", c.Name, text)
	}
}

// golden compares causes with testdata/NAME.yaml; -update writes it.
func golden(t *testing.T, name string, causes []report.Cause) {
	t.Helper()
	file := filepath.Join("testdata", regexp.MustCompile(`[^a-z0-9/]+`).ReplaceAllString(strings.ToLower(name), "-")+".yaml")
	got, err := yaml.Marshal(causes)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (go test -update writes it)", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func subject(component, kind, namespace, name, message string) Subject {
	return Subject{Component: component, Ref: report.Ref{Group: groups[kind], Kind: kind, Namespace: namespace, Name: name}, Message: message}
}
