// Package kfam is a stand-in for the API by which profiles are shared.
package kfam

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/standin/serve"
)

// Name is what lists call this part.
const Name = "stand-in kfam"

// Port is where it answers.
const Port = "8081"

// Run serves on address until ctx ends.
func Run(ctx context.Context, client kubernetes.Interface, address string) error {
	return serve.HTTP(ctx, address, Handler(client), nil)
}

// Handler lists bindings, those that carry a user and a role, and answers probes.
func Handler(client kubernetes.Interface) http.Handler {
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
	return mux
}
