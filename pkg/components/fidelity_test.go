package components_test

import (
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/internal/fidelity"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// followed are facts of what a release follows, made by `fidelity facts`
// (internal/fidelity/cmd/fidelity): names, paths and fingerprints, no values.
type followed struct {
	file  string
	count int
}

// upstream is what each release follows: kubeflow/manifests, and of MetalLB the
// manifests that it ships for clusters without Helm and FRR.
var upstream = map[string][]followed{
	"1.10":  {{"testdata/upstream-v1.10.1.facts.json", 178}, {"testdata/metallb-v0.14.9.facts.json", 24}},
	"26.03": {{"testdata/upstream-26.03.1.facts.json", 227}, {"testdata/metallb-v0.14.9.facts.json", 24}},
}

var differencesDocument = filepath.Join("..", "..", "docs", "differences.md")

// comparison is a release with what it follows.
type comparison struct {
	facts   *fidelity.Facts
	ours    []*unstructured.Unstructured
	reasons *fidelity.Reasons
	// differences with the stated counterparts taken into account.
	differences []fidelity.Difference
}

// compareEachRelease compares all of a release, what is installed on demand included, with
// what it follows.
func compareEachRelease(t *testing.T, check func(t *testing.T, c comparison)) {
	t.Helper()
	forEachRelease(t, func(t *testing.T, release string) {
		c := comparison{ours: render(t, release, components.Options{})}
		if len(upstream[release]) == 0 {
			t.Fatal("it is not said what the release follows")
		}
		for _, f := range upstream[release] {
			facts, err := fidelity.ReadFacts(f.file)
			if err != nil {
				t.Fatal(err)
			}
			if len(facts.Objects) != f.count {
				t.Fatalf("%s has %d objects, %s has %d", f.file, len(facts.Objects), facts.Release, f.count)
			}
			if c.facts == nil {
				c.facts = facts
			} else if err := c.facts.Join(facts); err != nil {
				t.Fatal(err)
			}
		}
		var err error
		if c.reasons, err = fidelity.ReadReasons(differencesDocument, release); err != nil {
			t.Fatal(err)
		}
		if c.differences, err = fidelity.Compare(c.facts, c.ours, c.reasons.Counterparts); err != nil {
			t.Fatal(err)
		}
		check(t, c)
	})
}

func TestEveryObjectOfUpstreamHasItsCounterpart(t *testing.T) {
	compareEachRelease(t, func(t *testing.T, c comparison) {
		for _, wrong := range c.reasons.Counterparts.Check(c.facts, c.ours) {
			t.Errorf("docs/differences.md states a counterpart, but %s", wrong)
		}
		missing := 0
		for _, d := range c.differences {
			if d.Sign == fidelity.Missing && d.Path == fidelity.WholeObject {
				missing++
				if c.reasons.Heading(d) == "" {
					t.Errorf("no counterpart, and no reason: %s", d.Object)
				}
			}
		}
		t.Logf("%d of %d objects have their counterpart, %d of them under another name; %d are left out with a reason",
			len(c.facts.Objects)-missing, len(c.facts.Objects), len(c.reasons.Counterparts), missing)
	})
}

func TestEveryDifferenceFromUpstreamStandsWithItsReason(t *testing.T) {
	compareEachRelease(t, func(t *testing.T, c comparison) {
		unexplained, idle := c.reasons.Check(c.differences)
		for _, d := range unexplained {
			t.Errorf("no reason in docs/differences.md: %s = %.120s", d, d.Ours)
		}
		for _, pattern := range idle {
			t.Errorf("docs/differences.md states what is not (any more) so: %s", pattern)
		}
		for _, name := range c.reasons.Releases {
			if _, err := components.ReleaseNamed(name); err != nil {
				t.Errorf("docs/differences.md has a block of a release that is none: %v", err)
			}
		}
	})
}

func TestVersionsOfDefinitionsAreThoseOfUpstream(t *testing.T) {
	compareEachRelease(t, func(t *testing.T, c comparison) {
		schemas := 0
		for id, leaves := range c.facts.Objects {
			for path := range leaves {
				if strings.HasPrefix(id, "CustomResourceDefinition.") && strings.HasSuffix(path, ".schema") {
					schemas++
				}
			}
		}
		if schemas == 0 {
			t.Fatal("no schema among the facts")
		}
		for _, d := range c.differences {
			if strings.HasPrefix(d.Object, "CustomResourceDefinition.") && strings.HasPrefix(d.Path, ".spec.versions") {
				t.Errorf("a version of a definition differs, for which there is no good reason: %s", d)
			}
		}
		t.Logf("%d schemas are equal to upstream's but for prose", schemas)
	})
}
