// Package activity asks notebooks themselves what runs in them: kernels, terminals,
// connections, and when something was last done. The way there is a port-forward to the
// pod, which neither the gateway nor the mesh's policies see.
package activity

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/forward"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// What bounds the questions.
const (
	// atOnce notebooks are asked side by side.
	atOnce = 16
	// patience with one notebook.
	patience = 5 * time.Second
	// altogether is how long all of them may take; those that were not asked by then are
	// unknown.
	altogether = 20 * time.Second
)

// Target is a notebook whose pod runs.
type Target struct {
	Namespace, Name string
	Pod             string
	// Port is where its server listens; 0 is the usual one.
	Port int32
	Type notebooks.Type
	// Started is when its container was: nothing can have been done before.
	Started time.Time
}

// TargetOf is the pod of a notebook.
func TargetOf(n *notebooks.Notebook) Target {
	return Target{Namespace: n.Namespace, Name: n.Name, Pod: n.Pod, Port: n.Port(), Type: n.Type, Started: n.Started}
}

// Key is NAMESPACE/NAME.
func (t Target) Key() string { return t.Namespace + "/" + t.Name }

// Source says what a reading's Last was learned from.
type Source string

// The sources.
const (
	// FromKernels and FromTerminals: the last of what was done in one of them.
	FromKernels   Source = "kernels"
	FromTerminals Source = "terminals"
	// FromServer: no kernel and no terminal runs; an open page counts as use.
	FromServer Source = "server"
	// FromHeartbeat: an open page of VS Code.
	FromHeartbeat Source = "heartbeat"
	// FromController: the notebook controller's record, which is of kernels.
	FromController Source = "controller"
)

// Kernel is a running one.
type Kernel struct {
	ID    string    `json:"id"`
	Name  string    `json:"name"`
	State string    `json:"state"`
	Last  time.Time `json:"lastActivity"`
	// Connections are pages and programs that listen to it.
	Connections int `json:"connections"`
	// Path of the notebook or console that it belongs to, empty where none does.
	Path string `json:"path,omitempty"`
}

// Busy kernels run something. One that starts or dies is no longer idle either.
func (k Kernel) Busy() bool { return k.State != "idle" }

// Terminal is a running one.
type Terminal struct {
	Name string    `json:"name"`
	Last time.Time `json:"lastActivity"`
}

// Reading is what one notebook said.
type Reading struct {
	// At is when it was asked.
	At          time.Time  `json:"time"`
	Kernels     []Kernel   `json:"kernels"`
	Terminals   []Terminal `json:"terminals"`
	Connections int        `json:"connections"`
	// Last is when something was last done, as far as Source can tell.
	Last   time.Time `json:"lastActivity"`
	Source Source    `json:"source"`
}

// Busy counts the kernels that run something.
func (r Reading) Busy() int {
	n := 0
	for _, k := range r.Kernels {
		if k.Busy() {
			n++
		}
	}
	return n
}

// LastAt is when the notebook was last used: now, while a kernel is busy.
func (r Reading) LastAt(now time.Time) time.Time {
	if r.Busy() > 0 {
		return now
	}
	return r.Last
}

// ErrSilent is that of a notebook whose server says nothing of its use to anybody.
var ErrSilent = errors.New("RStudio does not report what runs in it")

// Result is a reading, or why there is none.
type Result struct {
	Reading *Reading
	Err     error
}

// Text says in one line what runs in the notebook, or why that is not known.
func (r Result) Text() string {
	if r.Err != nil {
		return "what runs in it is not known: " + r.Err.Error()
	}
	kernels := report.Count(len(r.Reading.Kernels), "kernel")
	if busy := r.Reading.Busy(); busy > 0 {
		kernels += fmt.Sprintf(" (%d busy)", busy)
	}
	return fmt.Sprintf("%s, %s, %s", kernels, report.Count(len(r.Reading.Terminals), "terminal"), report.Count(r.Reading.Connections, "connection"))
}

// Read asks notebooks, many side by side, each for five seconds at most and all of them for
// twenty, and returns what they said by key. It needs the right to create pods/portforward.
func Read(ctx context.Context, c *cluster.Cluster, targets []Target) map[string]Result {
	return read(ctx, targets, time.Now, dialer(c))
}

// dialFunc connects to a notebook's server, until the second result is called.
type dialFunc func(context.Context, Target) (getter, func(), error)

// dialer forwards a port to the pod.
func dialer(c *cluster.Cluster) dialFunc {
	return func(ctx context.Context, t Target) (getter, func(), error) {
		pod, err := forward.ToPod(ctx, c, t.Namespace, t.Pod)
		if err != nil {
			return nil, nil, err
		}
		port := t.Port
		if port == 0 {
			port = notebooks.Port
		}
		client := pod.Client(port)
		return client.Do, func() { _ = pod.Close() }, nil
	}
}

// getter sends a request to a notebook's server.
type getter func(*http.Request) (*http.Response, error)

func read(ctx context.Context, targets []Target, now func() time.Time, dial dialFunc) map[string]Result {
	out := make(map[string]Result, len(targets))
	refused := map[string]error{} // by namespace: the right is one for all of its pods
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(atOnce)
	within, cancel := context.WithTimeout(ctx, altogether)
	defer cancel()
	for _, t := range targets {
		group.Go(func() error {
			mu.Lock()
			err := refused[t.Namespace]
			mu.Unlock()
			var r *Reading
			switch {
			case err != nil:
			case ctx.Err() == nil && within.Err() != nil:
				err = fmt.Errorf("not asked: the limit of %s for all notebooks was reached", altogether)
			default:
				r, err = ask(within, t, now, dial)
				if err != nil && ctx.Err() == nil && within.Err() != nil {
					err = fmt.Errorf("it did not answer within the limit of %s for all notebooks", altogether)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			if IsForbidden(err) {
				refused[t.Namespace] = err
			}
			out[t.Key()] = Result{r, err}
			return nil
		})
	}
	_ = group.Wait() // its functions keep their errors
	return out
}

func ask(ctx context.Context, t Target, now func() time.Time, dial dialFunc) (*Reading, error) {
	if t.Type == notebooks.RStudio {
		return nil, ErrSilent
	}
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	get, closed, err := dial(within, t)
	if err != nil {
		return nil, late(ctx, within, err)
	}
	defer closed()
	a := asker{get: get, target: t}
	var r *Reading
	if t.Type == notebooks.Code {
		r, err = a.code(within)
	} else {
		r, err = a.jupyter(within)
	}
	if err != nil {
		return nil, late(ctx, within, err)
	}
	r.At = now()
	r.Last = between(t.Started, r.Last, r.At)
	for i := range r.Kernels {
		r.Kernels[i].Last = between(time.Time{}, r.Kernels[i].Last, r.At)
	}
	for i := range r.Terminals {
		r.Terminals[i].Last = between(time.Time{}, r.Terminals[i].Last, r.At)
	}
	slices.SortFunc(r.Kernels, func(a, b Kernel) int { return b.Last.Compare(a.Last) })
	return r, nil
}

// between holds what a notebook says of its use to what can be: it is its owner's program,
// and one that was used in the year 10000 could neither be printed nor ever be idle.
func between(earliest, t, latest time.Time) time.Time {
	switch {
	case t.Before(earliest):
		return earliest
	case t.After(latest):
		return latest
	}
	return t
}

// late says in plain words that a notebook took too long.
func late(ctx, within context.Context, err error) error {
	if ctx.Err() == nil && within.Err() != nil {
		return fmt.Errorf("it did not answer within %s", patience)
	}
	return err
}

// IsForbidden tells a lack of rights from a notebook that does not answer.
func IsForbidden(err error) bool { return apierrors.IsForbidden(err) }
