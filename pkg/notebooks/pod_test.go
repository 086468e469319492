package notebooks

import (
	"strings"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

func TestANotebookThatCannotBeWorkedInSaysWhyAndWhatToDo(t *testing.T) {
	for name, c := range map[string]struct {
		notebook     Notebook
		pod, running string
	}{
		"it runs":                       {Notebook{State: Running, Pod: "lab-0"}, "", ""},
		"it is stopped":                 {Notebook{State: Stopped}, "is stopped: `kubectl jupyter notebook start lab -n ada`", "is stopped"},
		"it is being stopped":           {Notebook{State: Stopping, Pod: "lab-0"}, "is stopped", "is stopped"},
		"it is being deleted":           {Notebook{State: Deleting, Pod: "lab-0"}, "is being deleted", "is being deleted"},
		"it has no pod yet":             {Notebook{State: Starting}, "has no pod yet: it is starting", "has no pod yet"},
		"it can have no pod":            {Notebook{State: Failed, Cause: &report.Cause{Summary: "the quota is exceeded"}}, "has no pod: the quota is exceeded", "the quota is exceeded"},
		"its pod is not ready":          {Notebook{State: Starting, Pod: "lab-0"}, "", "does not run: it is starting; `kubectl jupyter notebook why lab -n ada`"},
		"its pod does not become ready": {Notebook{State: Failed, Pod: "lab-0", Cause: &report.Cause{Summary: "the image does not exist"}}, "", "does not run: the image does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			n := c.notebook
			n.Namespace, n.Name = "ada", "lab"
			for what, got := range map[string]struct {
				err  error
				want string
			}{"a pod": {n.NeedsPod(), c.pod}, "a server": {n.NeedsRunning(), c.running}} {
				if got.want == "" && got.err != nil || got.want != "" && (got.err == nil || !strings.Contains(got.err.Error(), got.want) || !strings.Contains(got.err.Error(), "Notebook ada/lab")) {
					t.Errorf("for what needs %s: %v, want %q", what, got.err, got.want)
				}
			}
		})
	}
}
