package webapp

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

const jane = "jane@example.com"

// app is a web app in a cluster where jane may do everything in namespace jane and nobody anything else.
func app(secure bool) (*App, *dynamicfake.FakeDynamicClient) {
	client := fake.NewClientset(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "jane"}})
	client.PrependReactor("create", "subjectaccessreviews", func(a clienttesting.Action) (bool, runtime.Object, error) {
		r := a.(clienttesting.CreateAction).GetObject().(*authorizationv1.SubjectAccessReview).DeepCopy()
		r.Status.Allowed = r.Spec.User == jane && r.Spec.ResourceAttributes.Namespace == "jane"
		return true, r, nil
	})
	d := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{notebooks: "NotebookList"})
	return New(client, d, Options{Prefix: "/jupyter", SecureCookies: secure, Config: func(context.Context) (map[string]any, error) {
		return map[string]any{"spawnerFormDefaults": map[string]any{"cpu": "1"}}, nil
	}}), d
}

func TestAPI(t *testing.T) {
	user := map[string]string{"kubeflow-userid": jane}
	with := func(extra map[string]string) map[string]string {
		all := map[string]string{"kubeflow-userid": jane}
		for k, v := range extra {
			all[k] = v
		}
		return all
	}
	token := map[string]string{"Cookie": "XSRF-TOKEN=abc", "X-XSRF-TOKEN": "abc"}
	for _, tt := range []struct {
		name, method, path, body string
		header                   map[string]string
		code                     int
		says                     string
	}{
		{"without a user there is no answer", "GET", "/api/config", "", nil, 401, "No user detected"},
		{"the form's configuration is passed on", "GET", "/api/config", "", user, 200, `"cpu":"1"`},
		{"all namespaces are named", "GET", "/api/namespaces", "", user, 200, `"jane"`},
		{"a person's own notebooks are listed", "GET", "/api/namespaces/jane/notebooks", "", user, 200, `"notebooks":[]`},
		{"those of others are not", "GET", "/api/namespaces/joe/notebooks", "", user, 403, "not authorized to list"},
		{"a change without the cookie is refused", "POST", "/api/namespaces/jane/notebooks", "{}", user, 403, "Could not find CSRF cookie XSRF-TOKEN in the request."},
		{"a change without the header is refused", "POST", "/api/namespaces/jane/notebooks", "{}", with(map[string]string{"Cookie": "XSRF-TOKEN=abc"}), 403, "X-XSRF-TOKEN"},
		{
			"a change with another token is refused", "POST", "/api/namespaces/jane/notebooks", "{}",
			with(map[string]string{"Cookie": "XSRF-TOKEN=abc", "X-XSRF-TOKEN": "abd"}), 403, "doesn't match",
		},
		{"a notebook without a name is refused", "POST", "/api/namespaces/jane/notebooks", "{}", with(token), 400, "Parameter 'name' is missing"},
		{"nobody creates notebooks for others", "POST", "/api/namespaces/joe/notebooks", `{"name":"n"}`, with(token), 403, "not authorized to create"},
		{"a notebook is created", "POST", "/api/namespaces/jane/notebooks", `{"name":"n","image":"i"}`, with(token), 200, "created"},
		{"the probes need no user", "GET", "/healthz/readiness", "", nil, 200, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, _ := app(false)
			r := httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body))
			for k, v := range tt.header {
				r.Header.Set(k, v)
			}
			w := httptest.NewRecorder()
			a.Handler().ServeHTTP(w, r)
			if w.Code != tt.code || !strings.Contains(w.Body.String(), tt.says) {
				t.Errorf("%s %s = %d %s, want %d and %q", tt.method, tt.path, w.Code, w.Body, tt.code, tt.says)
			}
		})
	}
}

func TestNotebookLifecycle(t *testing.T) {
	a, d := app(false)
	do := func(method, path, body string) map[string]any {
		t.Helper()
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		for k, v := range map[string]string{"kubeflow-userid": jane, "Cookie": "XSRF-TOKEN=abc", "X-XSRF-TOKEN": "abc"} {
			r.Header.Set(k, v)
		}
		w := httptest.NewRecorder()
		a.Handler().ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Fatalf("%s %s = %d %s", method, path, w.Code, w.Body)
		}
		m := map[string]any{}
		if err := json.Unmarshal(w.Body.Bytes(), &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	do("POST", "/api/namespaces/jane/notebooks", `{"name":"n","image":"i","gpus":{"num":"2","vendor":"nvidia.com/gpu"}}`)
	do("PATCH", "/api/namespaces/jane/notebooks/n", `{"stopped":true}`)
	n, err := d.Resource(notebooks).Namespace("jane").Get(context.Background(), "n", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if n.GetAnnotations()[stopAnnotation] == "" {
		t.Errorf("annotations = %v, want %s", n.GetAnnotations(), stopAnnotation)
	}
	list := do("GET", "/api/namespaces/jane/notebooks", "")["notebooks"].([]any)
	if len(list) != 1 || list[0].(map[string]any)["status"].(map[string]any)["phase"] != "stopped" {
		t.Errorf("list = %v, want one stopped notebook", list)
	}
	do("DELETE", "/api/namespaces/jane/notebooks/n", "")
	if list := do("GET", "/api/namespaces/jane/notebooks", "")["notebooks"].([]any); len(list) != 0 {
		t.Errorf("list = %v, want none", list)
	}
}

func TestCookieIsMarkedAsTheEnvironmentSays(t *testing.T) {
	for _, secure := range []bool{true, false} {
		a, _ := app(secure)
		w := httptest.NewRecorder()
		a.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		c := w.Result().Cookies()
		if len(c) != 1 || c[0].Name != csrfCookie || c[0].Secure != secure || c[0].Path != "/jupyter" || c[0].SameSite != http.SameSiteStrictMode {
			t.Errorf("cookies = %v, want %s with Secure %t, path /jupyter, SameSite Strict", c, csrfCookie, secure)
		}
	}
}
