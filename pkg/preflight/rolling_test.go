package preflight

import (
	"strings"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

func TestAPodThatIsReplacedNeedsAPlaceBesideTheOneThatRuns(t *testing.T) {
	istiod, webApp := pod("istiod", 500, 2048), pod("the web app", 30, 320)
	for _, tt := range []struct {
		name          string
		pods, rolling []Pod
		rooms         []Room
		want          string
	}{
		{"nothing is replaced", []Pod{istiod}, nil, []Room{room("n1", 4000, 8000)}, ""},
		{"there is a place", nil, []Pod{istiod, webApp}, []Room{room("n1", 500, 2048)}, ""},
		{"there is none for the largest", nil, []Pod{webApp, istiod}, []Room{room("n1", 500, 2000)}, "istiod"},
		{"there is none for any", nil, []Pod{webApp, istiod}, []Room{room("n1", 10, 10)}, "istiod"},
		{"it is on another node", nil, []Pod{istiod}, []Room{room("n1", 100, 100), room("n2", 500, 2048)}, ""},
		{"a pod that comes takes it", []Pod{pod("new", 100, 2048)}, []Pod{istiod}, []Room{room("n1", 600, 2500)}, "istiod"},
		{"what does not fit at all is said otherwise", []Pod{istiod}, []Pod{webApp}, []Room{room("n1", 10, 10)}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := stuck(tt.pods, tt.rolling, tt.rooms)
			if got == nil && tt.want != "" || got != nil && got.Of != tt.want {
				t.Errorf("stuck is %+v, want %q", got, tt.want)
			}
		})
	}
}

func TestARolloutThatCannotGoOnIsAWarning(t *testing.T) {
	one := pod("Deployment istio-system/istiod", 500, 2048)
	f := &Facts{
		Capacity: &Capacity{Nodes: 1, Open: 1, Counted: 1, Demands: []Demand{{Profile: "default", Fits: true, NotebookFits: true}}, Stuck: &one},
		Rooms:    []Room{room("n1", 300, 1000)},
	}
	_, causes := findCapacity(f)
	if len(causes) != 1 || causes[0].Name != diagnose.CapacityTooSmall || causes[0].Severity != report.Warning {
		t.Fatalf("causes %+v, want one warning", causes)
	}
	for _, says := range []string{"Deployment istio-system/istiod", "500m cpu and 2048Mi memory", "before the old one ends"} {
		if !strings.Contains(causes[0].Summary, says) {
			t.Errorf("%q does not say %q", causes[0].Summary, says)
		}
	}
	f.Capacity.Open = 900 // a node that was not looked at may have a place
	if _, causes := findCapacity(f); len(causes) > 0 {
		t.Errorf("causes of a cluster that was looked at in part: %+v", causes)
	}
}
