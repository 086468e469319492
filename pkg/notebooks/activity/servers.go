package activity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
)

// asker speaks with one notebook's server.
type asker struct {
	get    getter
	target Target
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 4 << 20

// errAbsent: the server does not have what was asked for.
var errAbsent = errors.New("not found")

// json asks for a path below the notebook's own. The question is no activity itself: a
// Jupyter server takes the parameter for that.
func (a asker) json(ctx context.Context, path string, into any) error {
	prefix := notebooks.Prefix(a.target.Type, a.target.Namespace, a.target.Name)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://notebook"+prefix+path+"?no_track_activity=1", nil)
	if err != nil {
		return err
	}
	answer, err := a.get(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return err
	}
	switch answer.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return fmt.Errorf("its server does not serve %s%s: %w", prefix, path, errAbsent)
	case http.StatusForbidden, http.StatusUnauthorized, http.StatusFound:
		return errors.New("its server requires its own token or password")
	default:
		return fmt.Errorf("its server returned %s for %s%s", answer.Status, prefix, path)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("its server returned something other than JSON for %s%s: %w", prefix, path, err)
	}
	return nil
}

// jupyter asks a Jupyter server for its kernels, terminals and its own activity.
func (a asker) jupyter(ctx context.Context) (*Reading, error) {
	var status struct {
		Connections int       `json:"connections"`
		Last        time.Time `json:"last_activity"`
	}
	if err := a.json(ctx, "api/status", &status); err != nil {
		return nil, err
	}
	var kernels []struct {
		ID          string    `json:"id"`
		Name        string    `json:"name"`
		State       string    `json:"execution_state"`
		Last        time.Time `json:"last_activity"`
		Connections int       `json:"connections"`
	}
	if err := a.json(ctx, "api/kernels", &kernels); err != nil {
		return nil, err
	}
	var sessions []struct {
		Path   string `json:"path"`
		Kernel struct {
			ID string `json:"id"`
		} `json:"kernel"`
	}
	if err := a.json(ctx, "api/sessions", &sessions); err != nil {
		return nil, err
	}
	var terminals []struct {
		Name string    `json:"name"`
		Last time.Time `json:"last_activity"`
	}
	// A server may be made without terminals.
	if err := a.json(ctx, "api/terminals", &terminals); err != nil && !errors.Is(err, errAbsent) {
		return nil, err
	}
	r := &Reading{Kernels: []Kernel{}, Terminals: []Terminal{}, Connections: max(0, status.Connections), Last: status.Last, Source: FromServer}
	paths := map[string]string{}
	for _, s := range sessions {
		paths[s.Kernel.ID] = s.Path
	}
	// What was done in a kernel or a terminal says more than what a page has asked for
	// that somebody left open.
	if len(kernels)+len(terminals) > 0 {
		r.Last = time.Time{}
	}
	for _, k := range kernels {
		r.Kernels = append(r.Kernels, Kernel{k.ID, k.Name, k.State, k.Last, max(0, k.Connections), paths[k.ID]})
		if !k.Last.Before(r.Last) {
			r.Last, r.Source = k.Last, FromKernels
		}
	}
	for _, t := range terminals {
		r.Terminals = append(r.Terminals, Terminal{t.Name, t.Last})
		if t.Last.After(r.Last) {
			r.Last, r.Source = t.Last, FromTerminals
		}
	}
	return r, nil
}

// code asks code-server when a page of it was last open.
func (a asker) code(ctx context.Context) (*Reading, error) {
	var health struct {
		Status string `json:"status"`
		// Last is in milliseconds; zero: never.
		Last int64 `json:"lastHeartbeat"`
	}
	if err := a.json(ctx, "healthz", &health); err != nil {
		return nil, err
	}
	r := &Reading{Kernels: []Kernel{}, Terminals: []Terminal{}, Source: FromHeartbeat}
	if health.Last > 0 {
		r.Last = time.UnixMilli(health.Last).UTC()
	}
	if health.Status == "alive" {
		r.Connections = 1
	}
	return r, nil
}

// unasked is why a notebook's server could not be asked at all.
type unasked struct{ error }

func (u unasked) Unwrap() error { return u.error }

// IsUnasked tells that an error of Answers says nothing of the server: the way there, or the
// right to go it, is missing.
func IsUnasked(err error) bool { return errors.As(err, &unasked{}) }

// Answers tells whether a notebook's server answers at all, whatever it serves. It needs the
// right to create pods/portforward.
func Answers(ctx context.Context, c *cluster.Cluster, t Target) error {
	return answers(ctx, t, dialer(c))
}

func answers(ctx context.Context, t Target, dial dialFunc) error {
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	get, closed, err := dial(within, t)
	if err != nil {
		return unasked{late(ctx, within, err)}
	}
	defer closed()
	prefix := notebooks.Prefix(t.Type, t.Namespace, t.Name)
	request, err := http.NewRequestWithContext(within, http.MethodGet, "http://notebook"+prefix+"?no_track_activity=1", nil)
	if err != nil {
		return err
	}
	answer, err := get(request)
	if err != nil {
		return late(ctx, within, err)
	}
	_ = answer.Body.Close()
	// Whatever it has at that path, and whoever may see it: it is there and understands.
	if answer.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("its server returned %s for %s", answer.Status, prefix)
	}
	return nil
}
