package activity

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return noon.Add(-d) }

// server answers with what is written for a path, as Jupyter or code-server do.
func server(t *testing.T, answers map[string]string) func(context.Context, Target) (getter, func(), error) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("no_track_activity") != "1" {
			t.Errorf("%s counts as activity", r.URL)
		}
		text, ok := answers[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if code, ok := strings.CutPrefix(text, "!"); ok {
			var n int
			_, _ = fmt.Sscan(code, &n)
			w.WriteHeader(n)
			return
		}
		_, _ = w.Write([]byte(text))
	}))
	t.Cleanup(s.Close)
	return func(context.Context, Target) (getter, func(), error) {
		return func(r *http.Request) (*http.Response, error) {
			r.URL.Host = strings.TrimPrefix(s.URL, "http://")
			return http.DefaultTransport.RoundTrip(r)
		}, func() {}, nil
	}
}

func jupyterAnswers(kernels, terminals string) map[string]string {
	return map[string]string{
		"/notebook/ns/n/api/status":    `{"connections": 2, "kernels": 1, "last_activity": "2026-11-27T11:59:00.000000Z", "started": "2026-11-27T08:00:00Z"}`,
		"/notebook/ns/n/api/kernels":   kernels,
		"/notebook/ns/n/api/sessions":  `[{"path": "train.ipynb", "kernel": {"id": "k1"}}]`,
		"/notebook/ns/n/api/terminals": terminals,
	}
}

func TestWhatANotebookSaysOfItself(t *testing.T) {
	const (
		idle  = `{"id": "k1", "name": "python3", "execution_state": "idle", "last_activity": "2026-11-27T09:00:00Z", "connections": 1}`
		older = `{"id": "k2", "name": "python3", "execution_state": "idle", "last_activity": "2026-11-27T08:30:00Z", "connections": 0}`
		busy  = `{"id": "k3", "name": "ir", "execution_state": "busy", "last_activity": "2026-11-27T08:10:00Z", "connections": 0}`
	)
	k1 := Kernel{"k1", "python3", "idle", ago(3 * time.Hour), 1, "train.ipynb"}
	for name, tc := range map[string]struct {
		kind    notebooks.Type
		answers map[string]string
		want    Reading
		last    time.Time
	}{
		"the kernel that was used last counts": {
			answers: jupyterAnswers("["+older+","+idle+"]", "[]"),
			want: Reading{
				Kernels: []Kernel{k1, {"k2", "python3", "idle", ago(210 * time.Minute), 0, ""}}, Terminals: []Terminal{}, Connections: 2,
				Last: ago(3 * time.Hour), Source: FromKernels,
			},
			last: ago(3 * time.Hour),
		},
		"a kernel that is busy is used now, however long its cell runs": {
			answers: jupyterAnswers("["+busy+"]", "[]"),
			want: Reading{
				Kernels: []Kernel{{"k3", "ir", "busy", ago(230 * time.Minute), 0, ""}}, Terminals: []Terminal{}, Connections: 2,
				Last: ago(230 * time.Minute), Source: FromKernels,
			},
			last: noon,
		},
		"a terminal is use too": {
			answers: jupyterAnswers("["+idle+"]", `[{"name": "1", "last_activity": "2026-11-27T10:00:00Z"}]`),
			want: Reading{
				Kernels: []Kernel{k1}, Terminals: []Terminal{{"1", ago(2 * time.Hour)}}, Connections: 2, Last: ago(2 * time.Hour), Source: FromTerminals,
			},
			last: ago(2 * time.Hour),
		},
		"without kernels and terminals the server's own activity is all there is": {
			answers: jupyterAnswers("[]", "[]"),
			want:    Reading{Kernels: []Kernel{}, Terminals: []Terminal{}, Connections: 2, Last: ago(time.Minute), Source: FromServer},
			last:    ago(time.Minute),
		},
		"a server may have no terminals": {
			answers: func() map[string]string {
				a := jupyterAnswers("["+idle+"]", "")
				delete(a, "/notebook/ns/n/api/terminals")
				return a
			}(),
			want: Reading{Kernels: []Kernel{k1}, Terminals: []Terminal{}, Connections: 2, Last: ago(3 * time.Hour), Source: FromKernels},
			last: ago(3 * time.Hour),
		},
		"VS Code tells of its last open page": {
			kind:    notebooks.Code,
			answers: map[string]string{"/healthz": fmt.Sprintf(`{"status": "expired", "lastHeartbeat": %d}`, ago(time.Hour).UnixMilli())},
			want:    Reading{Kernels: []Kernel{}, Terminals: []Terminal{}, Last: ago(time.Hour), Source: FromHeartbeat},
			last:    ago(time.Hour),
		},
		"VS Code that nobody has opened is idle since it was started": {
			kind:    notebooks.Code,
			answers: map[string]string{"/healthz": `{"status": "expired", "lastHeartbeat": 0}`},
			want:    Reading{Kernels: []Kernel{}, Terminals: []Terminal{}, Last: ago(4 * time.Hour), Source: FromHeartbeat},
			last:    ago(4 * time.Hour),
		},
	} {
		t.Run(name, func(t *testing.T) {
			target := Target{Namespace: "ns", Name: "n", Pod: "n-0", Type: tc.kind, Started: ago(4 * time.Hour)}
			got := read(t.Context(), []Target{target}, func() time.Time { return noon }, server(t, tc.answers))["ns/n"]
			if got.Err != nil {
				t.Fatal(got.Err)
			}
			tc.want.At = noon
			if diff := cmp.Diff(tc.want, *got.Reading); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if last := got.Reading.LastAt(noon); !last.Equal(tc.last) {
				t.Errorf("last used at %s, want %s", last, tc.last)
			}
		})
	}
}

func TestWhyANotebookSaysNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		kind    notebooks.Type
		answers map[string]string
		says    string
	}{
		"a server that is somewhere else":     {"", map[string]string{}, "does not serve /notebook/ns/n/api/status"},
		"a server with a password of its own": {"", map[string]string{"/notebook/ns/n/api/status": "!403"}, "token or password"},
		"a server that is broken":             {"", map[string]string{"/notebook/ns/n/api/status": "!500"}, "500"},
		"something else than Jupyter":         {"", map[string]string{"/notebook/ns/n/api/status": "<html>"}, "something other than JSON"},
		"RStudio":                             {notebooks.RStudio, nil, "does not report"},
	} {
		t.Run(name, func(t *testing.T) {
			target := Target{Namespace: "ns", Name: "n", Type: tc.kind}
			got := read(t.Context(), []Target{target}, time.Now, server(t, tc.answers))["ns/n"]
			if got.Err == nil || !strings.Contains(got.Err.Error(), tc.says) {
				t.Errorf("got %v, want %q", got.Err, tc.says)
			}
		})
	}
}

func TestOneThatDoesNotAnswerHoldsNobodyUp(t *testing.T) {
	var most, now atomic.Int64
	dial := func(ctx context.Context, target Target) (getter, func(), error) {
		most.Store(max(most.Load(), now.Add(1)))
		defer now.Add(-1)
		if target.Name == "n7" {
			return nil, nil, errors.New("connection refused")
		}
		return server(t, map[string]string{"/healthz": `{"status": "alive", "lastHeartbeat": 1}`})(ctx, target)
	}
	var targets []Target
	for i := range 60 {
		targets = append(targets, Target{Namespace: "ns", Name: fmt.Sprint("n", i), Type: notebooks.Code})
	}
	got := read(t.Context(), targets, time.Now, dial)
	if len(got) != 60 || got["ns/n7"].Err == nil || got["ns/n8"].Err != nil {
		t.Errorf("%d results, n7: %v, n8: %v", len(got), got["ns/n7"].Err, got["ns/n8"].Err)
	}
	if most.Load() > atOnce {
		t.Errorf("%d were asked at once, want %d at most", most.Load(), atOnce)
	}
}
