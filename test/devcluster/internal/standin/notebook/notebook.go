// Package notebook is a stand-in for a Jupyter server: it answers at its path
// and runs no kernels.
package notebook

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"strings"

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
// what the notebook controller and the web app ask of a server's API.
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
	mux.HandleFunc("GET "+prefix+"/api/kernels", answer([]any{}))
	mux.HandleFunc("GET "+prefix+"/api/terminals", answer([]any{}))
	return mux
}

func answer(v any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
}
