package kfam

import (
	"net/http/httptest"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
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
	h := Handler(fake.NewClientset(binding("jane", "namespaceAdmin", "jane"), binding("jane", "other", ""), binding("joe", "namespaceAdmin", "joe")), nil)
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

func TestProfilesAreMadeForAnybody(t *testing.T) {
	d := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{profiles: "ProfileList"})
	h := Handler(fake.NewClientset(), d)
	for name, c := range map[string]struct {
		body string
		code int
	}{
		"a Profile":  {`{"apiVersion":"kubeflow.org/v1","kind":"Profile","metadata":{"name":"joe"},"spec":{"owner":{"kind":"User","name":"joe"}}}`, 200},
		"no Profile": {"hello", 403},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/kfam/v1/profiles", strings.NewReader(c.body)))
		if w.Code != c.code {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	if _, err := d.Resource(profiles).Get(t.Context(), "joe", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
}
