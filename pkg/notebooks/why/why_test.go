package why

import (
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

func TestWhetherANotebookWorks(t *testing.T) {
	yes, no := true, false
	broken := []report.Cause{{Name: diagnose.MeshRootChanged, Severity: report.Error}}
	for name, tc := range map[string]struct {
		state   notebooks.State
		serves  *bool
		causes  []report.Cause
		works   bool
		unclear bool
	}{
		"it runs and answers":                       {state: notebooks.Running, serves: &yes, works: true},
		"it runs, and nobody may ask it":            {state: notebooks.Running, works: true, unclear: true},
		"it runs and does not answer":               {state: notebooks.Running, serves: &no, causes: []report.Cause{{Severity: report.Error}}},
		"it answers, and the gateway cannot ask it": {state: notebooks.Running, serves: &yes, causes: broken},
		"nobody may ask it, and something is wrong": {state: notebooks.Running, causes: broken},
		"somebody has stopped it":                   {state: notebooks.Stopped, works: true},
		"it is still starting":                      {state: notebooks.Starting, causes: []report.Cause{{Severity: report.Delay}}},
		"it cannot start":                           {state: notebooks.Failed, causes: []report.Cause{{Severity: report.Error}}},
		"its pods could not be read":                {state: notebooks.Unknown, unclear: true},
	} {
		t.Run(name, func(t *testing.T) {
			a := &Answer{Notebook: &notebooks.Notebook{State: tc.state}, Serves: tc.serves, Causes: tc.causes}
			if a.Works() != tc.works || a.Unclear() != tc.unclear {
				t.Errorf("works %v, unclear %v", a.Works(), a.Unclear())
			}
		})
	}
}

func TestWhatCouldNotBeReadIsNoCause(t *testing.T) {
	a := &Answer{}
	a.add([]report.Cause{
		{Name: diagnose.Forbidden, Severity: report.Warning, Evidence: []string{"list nodes: no"}},
		{Name: diagnose.InsufficientCPU, Severity: report.Error},
		{Name: diagnose.UntoleratedTaint, Severity: report.Warning},
	}, report.Error)
	if len(a.Causes) != 1 || a.Causes[0].Name != diagnose.InsufficientCPU || len(a.Problems) != 1 {
		t.Errorf("%v, %q", a.Causes, a.Problems)
	}
}
