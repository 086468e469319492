//go:build e2e_real

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// jupyterServer is a client of a Jupyter server's REST and WebSocket API, as an editor on
// somebody's machine has one.
type jupyterServer struct {
	base   *url.URL
	client http.Client
	dialer websocket.Dialer
}

// newJupyterServer takes the address that ends with the server's base URL.
func newJupyterServer(t *testing.T, address string, transport *http.Transport) *jupyterServer {
	t.Helper()
	base, err := url.Parse(strings.TrimSuffix(address, "/") + "/")
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	if transport == nil {
		transport = &http.Transport{Proxy: nil}
	}
	s := &jupyterServer{base, http.Client{Jar: jar, Transport: transport, Timeout: 30 * time.Second}, websocket.Dialer{Jar: jar, Proxy: transport.Proxy}}
	return s
}

// ask sends a request to the API and reads the answer into out, which may be nil.
func (s *jupyterServer) ask(ctx context.Context, method, path string, body, out any) error {
	var sent io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(ctx, method, s.base.JoinPath(path).String(), sent)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	// What changes something repeats the cookie that a page has set.
	for _, c := range s.client.Jar.Cookies(s.base) {
		if c.Name == "_xsrf" {
			r.Header.Set("X-XSRFToken", c.Value)
		}
	}
	a, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = a.Body.Close() }()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		return err
	}
	if a.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s %s = %d: %.300s", method, path, a.StatusCode, text)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("%s %s: %w: %.300s", method, path, err, text)
	}
	return nil
}

// page opens the server's page, which sets the cookie.
func (s *jupyterServer) page(ctx context.Context) error {
	return s.ask(ctx, http.MethodGet, "lab", nil, nil)
}

// kernel starts one and returns its id.
func (s *jupyterServer) kernel(t *testing.T) string {
	t.Helper()
	if err := s.page(t.Context()); err != nil {
		t.Fatal(err)
	}
	var k struct{ ID string }
	if err := s.ask(t.Context(), http.MethodPost, "api/kernels", map[string]string{"name": "python3"}, &k); err != nil {
		t.Fatal(err)
	}
	return k.ID
}

// message is one of the kernel's protocol, in either direction.
type message struct {
	Channel string `json:"channel"`
	Header  struct {
		ID      string `json:"msg_id"`
		Session string `json:"session"`
		User    string `json:"username"`
		Type    string `json:"msg_type"`
		Version string `json:"version"`
		Date    string `json:"date"`
	} `json:"header"`
	Parent struct {
		ID string `json:"msg_id"`
	} `json:"parent_header"`
	Metadata map[string]any `json:"metadata"`
	Content  map[string]any `json:"content"`
}

// dial opens the channels of a kernel.
func (s *jupyterServer) dial(t *testing.T, kernel string) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	at := *s.base.JoinPath("api/kernels", kernel, "channels")
	at.Scheme = strings.Replace(at.Scheme, "http", "ws", 1)
	at.RawQuery = url.Values{"session_id": {"e2e"}}.Encode()
	return s.dialer.DialContext(t.Context(), at.String(), nil)
}

// run sends a cell to a kernel. With wait set it returns what the cell prints; otherwise it
// returns as soon as the kernel says that it is busy with it.
func (s *jupyterServer) run(t *testing.T, kernel, cell string, wait bool) string {
	t.Helper()
	c, a, err := s.dial(t, kernel)
	if err != nil {
		t.Fatalf("the WebSocket of kernel %s: %v (%v)", kernel, err, a)
	}
	defer func() { _ = c.Close() }()
	if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	sent := message{Channel: "shell", Metadata: map[string]any{}, Content: map[string]any{
		"code": cell, "silent": false, "store_history": true, "user_expressions": map[string]any{}, "allow_stdin": false, "stop_on_error": true,
	}}
	sent.Header.ID, sent.Header.Session, sent.Header.User = fmt.Sprintf("%d", time.Now().UnixNano()), "e2e", "e2e"
	sent.Header.Type, sent.Header.Version, sent.Header.Date = "execute_request", "5.3", time.Now().UTC().Format(time.RFC3339)
	if err := c.WriteJSON(sent); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for {
		var m message
		if err := c.ReadJSON(&m); err != nil {
			t.Fatalf("the kernel's answer to %q: %v; so far %q", cell, err, out.String())
		}
		if m.Parent.ID != sent.Header.ID {
			continue
		}
		switch m.Header.Type {
		case "stream":
			fmt.Fprint(&out, m.Content["text"])
		case "error":
			t.Fatalf("the cell %q failed: %v", cell, m.Content)
		case "status":
			if state := m.Content["execution_state"]; state == "idle" || state == "busy" && !wait {
				return out.String()
			}
		}
	}
}
