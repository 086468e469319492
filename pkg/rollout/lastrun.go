package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// LastRun is how the last run that changed something ended, as the inventory records it.
// It is written before the first object is sent: of a run that is killed, nothing else
// would tell what it was to create.
type LastRun struct {
	Result RunResult `json:"result"`
	// Started is when the run began to write.
	Started metav1.Time `json:"started"`
	// Reason is why a run failed.
	Reason string `json:"reason,omitempty"`
	// Pending are the objects that were not applied, as KIND.GROUP/NAMESPACE/NAME; of a run
	// that has finished there are none.
	Pending []string `json:"pending,omitempty"`
}

// RunResult is how a run ended.
type RunResult string

// Results of a run. One that was killed stays at RunStarted, as one that still runs.
const (
	RunStarted     RunResult = "Started"
	RunFinished    RunResult = "Finished"
	RunFailed      RunResult = "Failed"
	RunInterrupted RunResult = "Interrupted"
)

const lastRunKey = "run.json"

// readLastRun reads the inventory's; one by an older version of the plugin has none, and
// one that cannot be read tells nothing.
func readLastRun(parent *unstructured.Unstructured) *LastRun {
	if parent == nil {
		return nil
	}
	text, _, _ := unstructured.NestedString(parent.Object, "data", lastRunKey)
	var out LastRun
	if text == "" || json.Unmarshal([]byte(text), &out) != nil {
		return nil
	}
	return &out
}

// PendingRefs are the objects that were not applied.
func (l *LastRun) PendingRefs() []report.Ref {
	if l == nil {
		return nil
	}
	var out []report.Ref
	for _, name := range l.Pending {
		if ref, ok := parseRecordName(name); ok {
			out = append(out, ref)
		}
	}
	return out
}

// begin is the record of a run before its first write. A run that has nothing to do
// after one that finished leaves that one's record, so that it writes nothing.
func (r *run) begin() {
	before := readLastRun(r.survey.parent)
	idle := r.plan.From == nil && !slices.ContainsFunc(r.survey.Changes(), func(c Change) bool { return c.Action != report.Unchanged })
	if idle && (before == nil || before.Result == RunFinished) {
		r.last = before
		return
	}
	r.last = r.newLastRun()
}

func (r *run) newLastRun() *LastRun {
	return &LastRun{Result: RunStarted, Started: metav1.NewTime(r.started.UTC().Truncate(time.Second)), Pending: r.pending()}
}

// end is the record of a run after its last write, and tells whether it changed.
func (r *run) end(ctx context.Context, err error) bool {
	switch {
	case err == nil && (r.last == nil || r.last.Result == RunFinished):
		return false
	case r.last == nil || r.last.Result == RunFinished:
		r.last = r.newLastRun()
	}
	r.last.Result, r.last.Reason, r.last.Pending = RunFinished, "", r.pending()
	switch {
	case err == nil:
		r.last.Pending = nil
	case ctx.Err() != nil && !errors.Is(err, ErrTimeout):
		r.last.Result = RunInterrupted
	default:
		r.last.Result, r.last.Reason = RunFailed, strings.SplitN(err.Error(), "\n", 2)[0]
	}
	return true
}

// pending are the plan's objects that have not been applied. Generated Secrets are in no
// record, and so not among them.
func (r *run) pending() []string {
	r.recording.Lock()
	defer r.recording.Unlock()
	var out []string
	for _, c := range r.survey.Changes() {
		name := keyOfRef(c.Ref).recordName()
		if _, applied := r.record[name]; applied || c.Action == report.Pruned || c.Action == report.Unchanged {
			continue
		}
		if r.survey.vault.states[keyOfRef(c.Ref)] == nil {
			out = append(out, name)
		}
	}
	return out
}

// write puts the run's record into the inventory's parent.
func (l *LastRun) write(parent *unstructured.Unstructured) error {
	if l == nil {
		return nil
	}
	text, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("inventory: %w", err)
	}
	if err := unstructured.SetNestedField(parent.Object, string(text), "data", lastRunKey); err != nil {
		return fmt.Errorf("inventory: %w", err)
	}
	return nil
}
