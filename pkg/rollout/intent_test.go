package rollout

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

func TestNeededFollowsTheEdgesThroughWhatIsInTheCluster(t *testing.T) {
	release := components.Releases()[0]
	all := release.Names()
	for _, test := range []struct {
		name             string
		chosen, existing []string
		want             []string
	}{
		{"everything is chosen: nothing else is needed", all, nil, nil},
		{"the gateway needs its namespace and the CRDs", []string{"kubeflow-gateway"}, all, []string{"istio-crds", "kubeflow-namespace"}},
		{"istio brings what it needs itself", []string{"jupyter-web-app"}, all, []string{"istio", "istio-crds", "kubeflow-namespace"}},
		{"what is not in the cluster cannot be proven there", []string{"kubeflow-gateway"}, []string{"istio-crds"}, []string{"istio-crds"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := needed(release, test.chosen, test.existing)
			slices.Sort(got)
			if !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestConflictsAreListedWithTheChoices(t *testing.T) {
	var conflicts []Conflict
	for i := range 25 {
		conflicts = append(conflicts, Conflict{
			Ref:       report.Ref{Kind: "Service", Namespace: "cert-manager", Name: fmt.Sprint("s", i)},
			Component: "cert-manager", Managers: []string{"helm"},
		})
	}
	conflicts[24].Component = "istio"
	can := func([]string) bool { return true }
	text := conflictError(conflicts, can).Error()
	for _, want := range []string{
		"25 objects belong to another owner, nothing was changed:\n", "Service cert-manager/s0 (component cert-manager) belongs to helm",
		"and 5 more", "--use-existing cert-manager,istio", "--adopt", "--skip cert-manager,istio",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if conflictError(nil, can) != nil {
		t.Error("no conflicts are an error")
	}
	needed := conflictError(conflicts, func([]string) bool { return false }).Error()
	if strings.Contains(needed, "--skip") {
		t.Errorf("leaving out what others need is offered:\n%s", needed)
	}
}
