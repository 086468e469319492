// Package kfam is a stand-in for the API by which profiles are shared.
package kfam

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/standin/serve"
)

// Name is what lists call this part.
const Name = "stand-in kfam"

// Port is where it answers.
const Port = "8081"

// Run serves on address until ctx ends.
func Run(ctx context.Context, client kubernetes.Interface, d dynamic.Interface, address string) error {
	return serve.HTTP(ctx, address, Handler(client, d), nil)
}

var profiles = schema.GroupVersionResource{Group: "kubeflow.org", Version: "v1", Resource: "profiles"}

// Handler lists bindings, those that carry a user and a role, makes Profiles, and answers
// probes. Like the original it makes any Profile for anybody, and tells anybody about all.
func Handler(client kubernetes.Interface, d dynamic.Interface) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "# a stand-in measures nothing") })
	mux.HandleFunc("GET /kfam/v1/bindings", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		list, err := client.RbacV1().RoleBindings(q.Get("namespace")).List(r.Context(), metav1.ListOptions{})
		if err != nil {
			code := http.StatusInternalServerError
			if apierrors.IsForbidden(err) {
				code = http.StatusForbidden
			}
			http.Error(w, err.Error(), code)
			return
		}
		bindings := []any{}
		for _, b := range list.Items {
			user, role := b.Annotations["user"], b.Annotations["role"]
			if user == "" || role == "" || q.Get("user") != "" && q.Get("user") != user {
				continue
			}
			bindings = append(bindings, map[string]any{
				"user": map[string]string{"kind": "User", "name": user}, "referredNamespace": b.Namespace,
				"roleRef": map[string]string{"kind": "ClusterRole", "name": role},
			})
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"bindings": bindings})
	})
	mux.HandleFunc("POST /kfam/v1/profiles", func(w http.ResponseWriter, r *http.Request) {
		var profile map[string]any
		err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&profile)
		if err == nil {
			_, err = d.Resource(profiles).Create(r.Context(), &unstructured.Unstructured{Object: profile}, metav1.CreateOptions{})
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
		}
	})
	return mux
}
