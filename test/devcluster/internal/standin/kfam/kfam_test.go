package kfam

import (
	"net/http/httptest"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestBindings(t *testing.T) {
	binding := func(ns, name, user string) *rbacv1.RoleBinding {
		b := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}}
		if user != "" {
			b.Annotations = map[string]string{"user": user, "role": "admin"}
		}
		return b
	}
	h := Handler(fake.NewClientset(binding("jane", "namespaceAdmin", "jane"), binding("jane", "other", ""), binding("joe", "namespaceAdmin", "joe")))
	for _, tt := range []struct {
		name, query string
		want        []string
		not         []string
	}{
		{"all bindings of people are listed", "", []string{`"jane"`, `"joe"`}, nil},
		{"those of one namespace", "?namespace=jane", []string{`"jane"`}, []string{`"joe"`}},
		{"those of one person", "?user=joe", []string{`"joe"`}, []string{`"jane"`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("GET", "/kfam/v1/bindings"+tt.query, nil))
			for _, s := range tt.want {
				if !strings.Contains(w.Body.String(), s) {
					t.Errorf("%s lacks %s", w.Body, s)
				}
			}
			for _, s := range tt.not {
				if strings.Contains(w.Body.String(), s) {
					t.Errorf("%s has %s", w.Body, s)
				}
			}
		})
	}
}
