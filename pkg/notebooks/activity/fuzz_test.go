package activity

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
)

// FuzzReading lets a notebook, which is its owner's program, answer what it likes: its
// reading is never older than its container, counts no more than was said, and can be
// printed.
func FuzzReading(f *testing.F) {
	f.Add(uint16(200), `{"connections": 2, "last_activity": "2026-11-27T11:59:00Z"}`, `[{"id": "k1", "execution_state": "busy", "last_activity": "2026-11-27T11:00:00Z"}]`, `[{"path": "a", "kernel": {"id": "k1"}}]`, `[{"name": "1"}]`, false)
	f.Add(uint16(200), `{"status": "alive", "lastHeartbeat": 1764244740000}`, "", "", "", true)
	f.Add(uint16(200), `{"status": "alive", "lastHeartbeat": -9223372036854775808}`, "", "", "", true)
	f.Add(uint16(200), `{"status": "alive", "lastHeartbeat": 9223372036854775807}`, "", "", "", true)
	f.Add(uint16(200), `{"connections": -1}`, `[null]`, `null`, `{}`, false)
	f.Add(uint16(200), `{}`, `[{"last_activity": "9999-12-31T23:59:59Z"}]`, `[]`, `[]`, false)
	f.Add(uint16(302), ``, ``, ``, ``, false)
	f.Fuzz(func(t *testing.T, code uint16, status, kernels, sessions, terminals string, vscode bool) {
		target := Target{Namespace: "ns", Name: "n", Started: noon.Add(-24 * time.Hour)}
		if vscode {
			target.Type = notebooks.Code
		}
		dial := func(context.Context, Target) (getter, func(), error) {
			return func(r *http.Request) (*http.Response, error) {
				body := status
				switch {
				case strings.HasSuffix(r.URL.Path, "/kernels"):
					body = kernels
				case strings.HasSuffix(r.URL.Path, "/sessions"):
					body = sessions
				case strings.HasSuffix(r.URL.Path, "/terminals"):
					body = terminals
				}
				return &http.Response{StatusCode: int(code), Status: http.StatusText(int(code)), Body: io.NopCloser(bytes.NewReader([]byte(body)))}, nil
			}, func() {}, nil
		}
		r, err := ask(t.Context(), target, func() time.Time { return noon }, dial)
		if err != nil {
			return
		}
		if r.Last.Before(target.Started) || r.Last.After(noon) {
			t.Errorf("last used at %s, but the container started at %s and it is %s", r.Last, target.Started, noon)
		}
		if r.Connections < 0 || r.Busy() > len(r.Kernels) {
			t.Errorf("%d connections, %d of %d kernels busy", r.Connections, r.Busy(), len(r.Kernels))
		}
		if _, err := json.Marshal(r); err != nil {
			t.Errorf("cannot be printed: %v", err)
		}
	})
}
