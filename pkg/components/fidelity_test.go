package components_test

import (
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/internal/fidelity"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

const (
	// upstreamFacts is made by `fidelity facts` (internal/fidelity/cmd/fidelity)
	// from kubeflow/manifests v1.10.1: names, paths and fingerprints, no values.
	upstreamFacts = "testdata/upstream-v1.10.1.facts.json"
	upstreamCount = 178
)

var differencesDocument = filepath.Join("..", "..", "docs", "differences.md")

// defaultInstall renders what `install` sends when nothing is chosen.
func defaultInstall(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	source, err := components.NewEmbedded()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, component := range source.Release().Components {
		if !component.OnDemand {
			names = append(names, component.Name)
		}
	}
	rendered, err := source.Render(t.Context(), names, components.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var objects []*unstructured.Unstructured
	for _, r := range rendered {
		objects = append(objects, r.Objects...)
	}
	return objects
}

func readFacts(t *testing.T) *fidelity.Facts {
	t.Helper()
	facts, err := fidelity.ReadFacts(upstreamFacts)
	if err != nil {
		t.Fatal(err)
	}
	if len(facts.Objects) != upstreamCount {
		t.Fatalf("%s has %d objects, upstream has %d", upstreamFacts, len(facts.Objects), upstreamCount)
	}
	return facts
}

func TestEveryObjectOfUpstreamHasItsCounterpart(t *testing.T) {
	facts := readFacts(t)
	ours := map[string]bool{}
	for _, u := range defaultInstall(t) {
		ours[fidelity.ID(u)] = true
	}
	present := 0
	var missing []string
	for id := range facts.Objects {
		if ours[id] {
			present++
		} else {
			missing = append(missing, id)
		}
	}
	if present != upstreamCount {
		t.Errorf("%d of %d are there; missing:\n  %s", present, upstreamCount, strings.Join(missing, "\n  "))
	}
}

func TestEveryDifferenceFromUpstreamStandsWithItsReason(t *testing.T) {
	differences, err := fidelity.Compare(readFacts(t), defaultInstall(t))
	if err != nil {
		t.Fatal(err)
	}
	reasons, err := fidelity.ReadReasons(differencesDocument)
	if err != nil {
		t.Fatal(err)
	}
	unexplained, idle := reasons.Check(differences)
	for _, d := range unexplained {
		t.Errorf("no reason in docs/differences.md: %s = %.120s", d, d.Ours)
	}
	for _, pattern := range idle {
		t.Errorf("docs/differences.md states what is not (any more) so: %s", pattern)
	}
}

func TestSchemasOfDefinitionsAreThoseOfUpstream(t *testing.T) {
	differences, err := fidelity.Compare(readFacts(t), defaultInstall(t))
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for id, leaves := range readFacts(t).Objects {
		if !strings.HasPrefix(id, "CustomResourceDefinition.") {
			continue
		}
		for path := range leaves {
			if strings.HasSuffix(path, ".schema") {
				compared++
			}
		}
	}
	if compared == 0 {
		t.Fatal("no schema among the facts")
	}
	for _, d := range differences {
		if strings.HasPrefix(d.Object, "CustomResourceDefinition.") && !strings.HasPrefix(d.Path, ".metadata.") {
			t.Errorf("a definition differs in more than its labels: %s", d)
		}
	}
	t.Logf("%d schemas are equal to upstream's but for prose", compared)
}
