// Package webapp is a stand-in for the Jupyter web app: its API with the
// checks that people meet (who is asking, whether he may, the CSRF cookie),
// and a plain page in the place of the front end.
package webapp

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/standin/serve"
)

// Name is what lists call this part.
const Name = "stand-in jupyter-web-app"

// Port is where it answers.
const Port = "5000"

// The cookie and the header of the CSRF check: what a page of another origin
// cannot read it cannot repeat in a header.
const (
	csrfCookie = "XSRF-TOKEN"
	csrfHeader = "X-XSRF-TOKEN"
)

// SpawnerConfig is where the web app reads the form's configuration.
const SpawnerConfig = "/etc/config/spawner_ui_config.yaml"

// Options are what the web app takes from its environment.
type Options struct {
	// Prefix is the path below which browsers see it.
	Prefix string
	// UserHeader names the header that says who is asking, UserPrefix what
	// comes before the name there.
	UserHeader, UserPrefix string
	// SecureCookies marks the CSRF cookie Secure.
	SecureCookies bool
	// Config reads the form's configuration.
	Config func(ctx context.Context) (map[string]any, error)
}

// App is the web app.
type App struct {
	Options
	client  kubernetes.Interface
	dynamic dynamic.Interface
}

// New returns the web app; its clients act with its own rights.
func New(client kubernetes.Interface, d dynamic.Interface, o Options) *App {
	if o.UserHeader == "" {
		o.UserHeader = "kubeflow-userid"
	}
	if o.Prefix == "" {
		o.Prefix = "/"
	}
	return &App{Options: o, client: client, dynamic: d}
}

// Run serves on address until ctx ends.
func (a *App) Run(ctx context.Context, address string) error {
	return serve.HTTP(ctx, address, a.Handler(), nil)
}

// Handler serves the page and the API.
func (a *App) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, p := range []string{"/healthz/liveness", "/healthz/readiness"} {
		mux.Handle("GET "+p, serve.OK("ok"))
	}
	mux.HandleFunc("GET /{$}", a.page)
	mux.HandleFunc("GET /api/config", a.api(a.config))
	mux.HandleFunc("GET /api/namespaces", a.api(a.namespaces))
	mux.HandleFunc("GET /api/namespaces/{namespace}/notebooks", a.api(a.list))
	mux.HandleFunc("POST /api/namespaces/{namespace}/notebooks", a.api(a.create))
	mux.HandleFunc("DELETE /api/namespaces/{namespace}/notebooks/{name}", a.api(a.remove))
	mux.HandleFunc("PATCH /api/namespaces/{namespace}/notebooks/{name}", a.api(a.stop))
	return mux
}

// failure is an answer other than 200.
type failure struct {
	code int
	log  string
}

func (f failure) Error() string { return f.log }

// call answers one request of a known user with fields of the response.
type call func(r *http.Request, user string) (map[string]any, error)

// api wraps a call in the checks that all have in common.
func (a *App) api(c call) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		user, ok := strings.CutPrefix(r.Header.Get(a.UserHeader), a.UserPrefix)
		body := map[string]any{}
		var err error
		switch {
		case !ok || user == "":
			err = failure{http.StatusUnauthorized, "No user detected."}
		default:
			if err = checkCSRF(r); err == nil {
				body, err = c(r, user)
			}
		}
		code := http.StatusOK
		if err != nil {
			code = http.StatusInternalServerError
			if f, ok := err.(failure); ok {
				code = f.code
			} else if s, ok := err.(apierrors.APIStatus); ok {
				code = int(s.Status().Code)
			}
			body = map[string]any{"log": err.Error()}
		}
		body["success"], body["status"], body["user"] = err == nil, code, user
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(body)
	}
}

// checkCSRF refuses a request that changes something unless the cookie's
// value is repeated in the header.
func checkCSRF(r *http.Request) error {
	if r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions {
		return nil
	}
	cookie, err := r.Cookie(csrfCookie)
	if err != nil {
		return failure{http.StatusForbidden, fmt.Sprintf("Could not find CSRF cookie %s in the request.", csrfCookie)}
	}
	header := r.Header.Get(csrfHeader)
	if header == "" {
		return failure{http.StatusForbidden, fmt.Sprintf("Could not detect CSRF protection header %s.", csrfHeader)}
	}
	if subtle.ConstantTimeCompare([]byte(header), []byte(cookie.Value)) != 1 {
		return failure{http.StatusForbidden, "CSRF check failed. Token in cookie doesn't match token in header."}
	}
	return nil
}

// page sets the CSRF cookie, as opening the real front end does.
func (a *App) page(w http.ResponseWriter, _ *http.Request) {
	http.SetCookie(w, &http.Cookie{
		Name: csrfCookie, Value: rand.Text(), Path: a.Prefix,
		Secure: a.SecureCookies, SameSite: http.SameSiteStrictMode,
	})
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	fmt.Fprint(w, "<!doctype html><title>Jupyter (stand-in)</title><p>A stand-in for the Jupyter web app: its API is here, its pages are not.\n")
}

// allowed asks whether the user may do what the web app would do for him.
func (a *App) allowed(r *http.Request, user, verb, namespace string) error {
	review, err := a.client.AuthorizationV1().SubjectAccessReviews().Create(r.Context(), &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{User: user, ResourceAttributes: &authorizationv1.ResourceAttributes{
			Group: notebooks.Group, Version: notebooks.Version, Resource: notebooks.Resource, Verb: verb, Namespace: namespace,
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	if !review.Status.Allowed {
		return failure{http.StatusForbidden, fmt.Sprintf("User '%s' is not authorized to %s %s.%s.%s in namespace '%s'",
			user, verb, notebooks.Group, notebooks.Version, notebooks.Resource, namespace)}
	}
	return nil
}

func (a *App) config(r *http.Request, _ string) (map[string]any, error) {
	c, err := a.Config(r.Context())
	if err != nil {
		return nil, err
	}
	return map[string]any{"config": c["spawnerFormDefaults"]}, nil
}

func (a *App) namespaces(r *http.Request, _ string) (map[string]any, error) {
	list, err := a.client.CoreV1().Namespaces().List(r.Context(), metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, n := range list.Items {
		names = append(names, n.Name)
	}
	return map[string]any{"namespaces": names}, nil
}
