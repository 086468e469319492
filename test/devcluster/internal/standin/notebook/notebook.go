// Package notebook is a stand-in for a Jupyter server: it answers at its path
// and runs no kernels.
package notebook

import (
	"context"
	"crypto/sha1" // the WebSocket protocol's
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/standin/serve"
)

// Name is what lists call this part.
const Name = "stand-in notebook"

// Port is where it answers, as Jupyter in Kubeflow's images does.
const Port = "8888"

// Run serves on address below prefix until ctx ends.
func Run(ctx context.Context, address, prefix string) error {
	return serve.HTTP(ctx, address, Handler(prefix), nil)
}

// Handler answers below prefix, the path in NB_PREFIX: the front page, and
// what the notebook controller, the web app and the plugin ask of a server's API.
// What is put to memory is in the process alone. What is put to kernel, busy or idle,
// is the state of the only kernel that the API tells of; nothing runs in it.
func Handler(prefix string) http.Handler {
	prefix = "/" + strings.Trim(prefix, "/")
	if prefix == "/" {
		prefix = ""
	}
	mux := http.NewServeMux()
	front := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, "<!doctype html><title>JupyterLab (stand-in)</title><p>A stand-in for a notebook server at %s. It runs no kernels.\n", html.EscapeString(prefix+"/"))
	}
	mux.HandleFunc("GET "+prefix+"/{$}", front)
	mux.HandleFunc("GET "+prefix+"/lab", front)
	mux.HandleFunc("GET "+prefix+"/api", answer(map[string]string{"version": "stand-in"}))
	mux.HandleFunc("GET "+prefix+"/api/status", answer(map[string]any{"connections": 0, "kernels": 0}))
	mux.HandleFunc("GET "+prefix+"/api/terminals", answer([]any{}))
	mux.HandleFunc("GET "+prefix+"/api/sessions", answer([]any{}))
	var kernel atomic.Value // of type []byte
	mux.HandleFunc("GET "+prefix+"/api/kernels", func(w http.ResponseWriter, r *http.Request) {
		kernels := []any{}
		if state, _ := kernel.Load().([]byte); len(state) > 0 {
			kernels = append(kernels, map[string]any{"id": "stand-in", "name": "python3", "execution_state": string(state), "last_activity": time.Now().UTC(), "connections": 0})
		}
		answer(kernels)(w, r)
	})
	mux.HandleFunc("PUT "+prefix+"/kernel", keepIn(&kernel))
	mux.HandleFunc("GET "+prefix+"/echo", echo)
	mux.HandleFunc("GET "+prefix+"/reach", reach)
	var memory atomic.Value // of type []byte
	mux.HandleFunc("GET "+prefix+"/memory", func(w http.ResponseWriter, _ *http.Request) {
		kept, _ := memory.Load().([]byte)
		_, _ = w.Write(kept)
	})
	mux.HandleFunc("PUT "+prefix+"/memory", keepIn(&memory))
	return mux
}

// keepIn remembers what is put.
func keepIn(v *atomic.Value) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		keep, err := io.ReadAll(http.MaxBytesReader(w, r.Body, memoryBytes))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		v.Store(keep)
	}
}

// reachTimeout bounds one attempt: what a network policy drops is never answered.
const reachTimeout = 4 * time.Second

// Reached is what a notebook heard when it asked somebody else.
type Reached struct {
	// Code of the answer, or 0 with an error; for a name that is looked up, Addresses.
	Code      int      `json:"code"`
	Error     string   `json:"error,omitempty"`
	Addresses []string `json:"addresses,omitempty"`
}

// reach asks the address in "url", or looks up the name in "host", as a program in a
// notebook would: what it may reach is what is tested with it. Certificates do not matter.
func reach(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), reachTimeout)
	defer cancel()
	var out Reached
	var err error
	if host := r.URL.Query().Get("host"); host != "" {
		out.Addresses, err = net.DefaultResolver.LookupHost(ctx, host)
	} else {
		out.Code, err = ask(ctx, r.URL.Query().Get("url"))
	}
	if err != nil {
		out.Error = err.Error()
	}
	answer(out)(w, r)
}

func ask(ctx context.Context, address string) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return 0, err
	}
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// memoryBytes is how much the process remembers. Like the state of a kernel it is lost when
// the process ends.
const memoryBytes = 4096

// EchoHeader is where a WebSocket's answer has what echo answers otherwise.
const EchoHeader = "X-Echo"

// echo answers the headers of the request, in JSON: what a notebook is told of its visitors.
// A WebSocket is accepted, and closed again.
func echo(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") != "websocket" {
		answer(r.Header)(w, r)
		return
	}
	said, err := json.Marshal(r.Header)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	key := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	w.Header().Set("Connection", "Upgrade")
	w.Header().Set("Upgrade", "websocket")
	w.Header().Set("Sec-WebSocket-Accept", base64.StdEncoding.EncodeToString(key[:]))
	w.Header().Set(EchoHeader, string(said))
	w.WriteHeader(http.StatusSwitchingProtocols)
	if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = c.Close()
	}
}

func answer(v any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
}
