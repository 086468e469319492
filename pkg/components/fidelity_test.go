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

	// metallbFacts are of the manifests that MetalLB v0.14.9 ships for clusters
	// without Helm and FRR.
	metallbFacts = "testdata/metallb-v0.14.9.facts.json"
	metallbCount = 24
)

var differencesDocument = filepath.Join("..", "..", "docs", "differences.md")

// everything renders what `install` sends when nothing is chosen, and what
// `expose` may add to it.
func everything(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	source, err := components.NewEmbedded(components.DefaultRelease)
	if err != nil {
		t.Fatal(err)
	}
	rendered, err := source.Render(t.Context(), source.Release().Names(), components.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var objects []*unstructured.Unstructured
	for _, r := range rendered {
		objects = append(objects, r.Objects...)
	}
	return objects
}

// readFacts joins what is known of kubeflow/manifests and of MetalLB.
func readFacts(t *testing.T) *fidelity.Facts {
	t.Helper()
	facts, err := fidelity.ReadFacts(upstreamFacts)
	if err != nil {
		t.Fatal(err)
	}
	if len(facts.Objects) != upstreamCount {
		t.Fatalf("%s has %d objects, upstream has %d", upstreamFacts, len(facts.Objects), upstreamCount)
	}
	metallb, err := fidelity.ReadFacts(metallbFacts)
	if err != nil {
		t.Fatal(err)
	}
	if len(metallb.Objects) != metallbCount {
		t.Fatalf("%s has %d objects, MetalLB has %d", metallbFacts, len(metallb.Objects), metallbCount)
	}
	if err := facts.Join(metallb); err != nil {
		t.Fatal(err)
	}
	return facts
}

func readReasons(t *testing.T) *fidelity.Reasons {
	t.Helper()
	reasons, err := fidelity.ReadReasons(differencesDocument)
	if err != nil {
		t.Fatal(err)
	}
	return reasons
}

// differences compares all components with upstream, the stated counterparts
// taken into account.
func differences(t *testing.T) []fidelity.Difference {
	t.Helper()
	out, err := fidelity.Compare(readFacts(t), everything(t), readReasons(t).Counterparts)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEveryObjectOfUpstreamHasItsCounterpart(t *testing.T) {
	reasons := readReasons(t)
	for _, wrong := range reasons.Counterparts.Check(readFacts(t), everything(t)) {
		t.Errorf("docs/differences.md states a counterpart, but %s", wrong)
	}
	missing := 0
	for _, d := range differences(t) {
		if d.Sign == fidelity.Missing && d.Path == fidelity.WholeObject {
			missing++
			t.Errorf("no counterpart: %s", d.Object)
		}
	}
	const all = upstreamCount + metallbCount
	t.Logf("%d of %d objects (%d of upstream, %d of MetalLB) have their counterpart, %d of them under another name",
		all-missing, all, upstreamCount, metallbCount, len(reasons.Counterparts))
}

func TestEveryDifferenceFromUpstreamStandsWithItsReason(t *testing.T) {
	unexplained, idle := readReasons(t).Check(differences(t))
	for _, d := range unexplained {
		t.Errorf("no reason in docs/differences.md: %s = %.120s", d, d.Ours)
	}
	for _, pattern := range idle {
		t.Errorf("docs/differences.md states what is not (any more) so: %s", pattern)
	}
}

func TestVersionsOfDefinitionsAreThoseOfUpstream(t *testing.T) {
	schemas := 0
	for id, leaves := range readFacts(t).Objects {
		for path := range leaves {
			if strings.HasPrefix(id, "CustomResourceDefinition.") && strings.HasSuffix(path, ".schema") {
				schemas++
			}
		}
	}
	if schemas == 0 {
		t.Fatal("no schema among the facts")
	}
	for _, d := range differences(t) {
		if strings.HasPrefix(d.Object, "CustomResourceDefinition.") && strings.HasPrefix(d.Path, ".spec.versions") {
			t.Errorf("a version of a definition differs, for which there is no good reason: %s", d)
		}
	}
	t.Logf("%d schemas are equal to upstream's but for prose", schemas)
}
