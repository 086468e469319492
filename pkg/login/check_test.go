package login

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

const person = "user@example.com"

// pretence answers as a gateway does with everything behind it, in the words that the
// real ones were heard to use. It stands in for what a real stack does not do on demand:
// keys that do not match, a load balancer in between. That the words are theirs is for
// the tests on a real node.
type pretence struct {
	// instead of the answer of a healthy stack, by METHOD PATH.
	instead map[string]http.HandlerFunc
}

func says(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code); fmt.Fprint(w, body) }
}

func leads(code int, to string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Location", to); w.WriteHeader(code) }
}

const signInPage = `<title>Sign In</title><form method="GET" action="/oauth2/start"><button>Sign in with Dex</button></form>`

func (p pretence) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "istio-envoy")
	if h := p.instead[r.Method+" "+r.URL.Path]; h != nil {
		h(w, r)
		return
	}
	session, err := r.Cookie("oauth2_proxy_kubeflow")
	loggedIn := err == nil && session.Value == "ada"
	token, _ := r.Cookie(csrfCookie)
	upgrade := r.Header.Get("Upgrade")
	switch path := r.URL.Path; {
	case path == "/healthz/ready", path == "/dex/healthz":
	case path == "/oauth2/auth":
		w.WriteHeader(http.StatusUnauthorized)
	case path == "/oauth2/start":
		http.SetCookie(w, &http.Cookie{Name: "oauth2_proxy_kubeflow_csrf", Value: "x", Path: "/"})
		leads(302, "/dex/auth?client_id=c")(w, r)
	case path == "/dex/auth":
		leads(302, "/dex/auth/local/login?state=s")(w, r)
	case path == "/dex/auth/local/login" && r.Method == http.MethodGet:
		says(200, `<form method="post" action="/dex/auth/local/login?back=&amp;state=s"><input name="login"><input name="password"></form>`)(w, r)
	case path == "/dex/auth/local/login" && r.URL.Query().Get("state") == "s" && r.PostFormValue("login") == person && r.PostFormValue("password") == "right":
		leads(303, "/oauth2/callback?code=c&state=s")(w, r)
	case path == "/dex/auth/local/login":
		says(401, `<title>dex</title>`)(w, r)
	case path == "/oauth2/callback":
		http.SetCookie(w, &http.Cookie{Name: "oauth2_proxy_kubeflow", Value: "ada", Path: "/"})
		leads(302, "/jupyter/")(w, r)
	case strings.HasPrefix(r.Header.Get("Authorization"), "Bearer "):
		says(401, "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections")(w, r)
	case r.Header.Get("Authorization") != "":
		says(403, denied)(w, r)
	case !loggedIn && strings.Contains(path, "/api/"):
		says(401, "{}")(w, r)
	case !loggedIn:
		says(403, signInPage)(w, r)
	case path == "/jupyter/":
		http.SetCookie(w, &http.Cookie{Name: csrfCookie, Value: "t", Path: "/jupyter", Secure: true, SameSite: http.SameSiteStrictMode})
		says(200, "<title>Jupyter</title>")(w, r)
	case path == "/api/namespaces":
		says(200, `{"bindings":[{"user":{"kind":"User","name":"ada@example.com"},"referredNamespace":"kubeflow-user-example-com","roleRef":{"kind":"ClusterRole","name":"admin"}}]}`)(w, r)
	case r.Method == http.MethodPost && (token == nil || token.Value != r.Header.Get(csrfHeader)):
		says(403, "Could not find CSRF cookie XSRF-TOKEN in the request.")(w, r)
	case r.Method == http.MethodPost:
		says(400, "Parameter 'name' is missing")(w, r)
	case upgrade == "websocket":
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		w.WriteHeader(http.StatusSwitchingProtocols)
	case strings.HasPrefix(path, "/notebook/"):
		says(400, `Can "Upgrade" only to "WebSocket".`)(w, r)
	}
}

// whole is what the cluster says about a stack that works.
func whole(t testing.TB) *Ground {
	t.Helper()
	return &Ground{
		Service: parse[corev1.Service](t, `{spec: {type: ClusterIP}}`),
		Gateway: parse[Gateway](t, plainGateway),
		Providers: []Provider{{Name: proxyName, HTTP: parse[struct {
			Service string `json:"service"`
			Port    int    `json:"port"`
		}](t, `{service: oauth2-proxy.oauth2-proxy.svc.cluster.local, port: 80}`)}},
		Routes: []Route{*parse[Route](t, `{metadata: {name: web, namespace: kubeflow}, spec: {gateways: [kubeflow-gateway], http: [
			{match: [{uri: {prefix: /jupyter/}}], route: [{destination: {host: jupyter-web-app-service.kubeflow.svc.cluster.local}}]},
			{match: [{uri: {exact: /api/namespaces}}], route: [{destination: {host: profiles-kfam.kubeflow.svc.cluster.local}}]}]}}`)},
		Profiles:  []Profile{{"kubeflow-user-example-com", person}},
		Filters:   []*unstructured.Unstructured{credentialsFilter(t)},
		Passwords: []string{person},
		// The policies are not what these tests are about: nothing is said of them.
		failed: []readError{
			{"AuthorizationPolicy of istio-system", errors.New("forbidden")},
			{"RequestAuthentication of istio-system", errors.New("forbidden")},
			{"Service of auth", errors.New("forbidden")},
			{"EndpointSlice of istio-system", errors.New("forbidden")},
		},
	}
}

type stillSource struct{ running []Notebook }

func (stillSource) firstPasswordHash(context.Context) ([]byte, error) {
	return nil, errors.New("forbidden")
}

func (stillSource) complaints(context.Context, time.Time) []string { return nil }

func (s stillSource) notebooks(context.Context, string) ([]Notebook, error) { return s.running, nil }

func (stillSource) destination(_ context.Context, n Notebook) string {
	return n.Name + "." + n.Namespace + ".svc.cluster.local"
}

func walkTo(t *testing.T, server *httptest.Server, g *Ground, o CheckOptions) *Result {
	t.Helper()
	t.Cleanup(server.Close)
	o.Base, o.Health, o.Through = server.URL, server.URL+"/healthz/ready", ThroughAddress
	if o.Email == "" {
		o.Email, o.Password = person, "right"
	}
	r, err := check(t.Context(), stillSource{[]Notebook{{"kubeflow-user-example-com", "first"}, {"kubeflow-user-example-com", "second"}}}, report.Target{}, g, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func outcomes(r *Result) string {
	var b strings.Builder
	for _, p := range r.Probes {
		b.WriteByte(string(p.Outcome)[0])
	}
	return b.String()
}

func TestAWholeWayPasses(t *testing.T) {
	r := walkTo(t, httptest.NewServer(pretence{}), whole(t), CheckOptions{})
	if outcomes(r) != "PPPPPPPPPP" || !r.Passed() || len(r.Causes) > 0 {
		t.Errorf("%s\n%+v", outcomes(r), r)
	}
	for _, p := range r.Probes {
		if strings.Contains(p.Came+p.Request, "right") || strings.Contains(p.Request, "state=") {
			t.Errorf("a probe tells what nobody may see: %+v", p)
		}
	}
}

func TestTheHopThatFailsIsNamed(t *testing.T) {
	upstream := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Envoy-Upstream-Service-Time", "3")
			w.WriteHeader(code)
			fmt.Fprint(w, body)
		}
	}
	balancer := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Server", "awselb/2.0")
		w.WriteHeader(http.StatusBadGateway)
	}
	nginx := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Server", "nginx")
			w.WriteHeader(code)
			fmt.Fprint(w, body)
		}
	}
	everywhere := map[string]http.HandlerFunc{}
	for _, path := range []string{"/healthz/ready", "/dex/healthz", "/oauth2/auth", "/jupyter/", "/jupyter/api/config"} {
		everywhere["GET "+path] = balancer
	}
	after := func(then http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if _, err := r.Cookie("oauth2_proxy_kubeflow"); err != nil {
				pretence{}.ServeHTTP(w, r)
				return
			}
			then(w, r)
		}
	}
	for name, c := range map[string]struct {
		instead  map[string]http.HandlerFunc
		outcomes string
		cause    string
	}{
		"keys that sign nothing": {
			map[string]http.HandlerFunc{"GET /jupyter/": after(says(401, "Jwks doesn't have key to match kid or alg from Jwt"))},
			"PPPPPFSSSP", diagnose.JWKSKeyMissing,
		},
		"a token of this minute that has expired already": {
			map[string]http.HandlerFunc{"GET /jupyter/": after(says(401, "Jwt is expired"))},
			"PPPPPFSSSP", diagnose.ClockSkew,
		},
		"a token that is not valid yet": {
			map[string]http.HandlerFunc{"GET /jupyter/": after(says(401, "Jwt not yet valid"))},
			"PPPPPFSSSP", diagnose.ClockSkew,
		},
		"a token for somebody else, in words that nobody has heard before": {
			map[string]http.HandlerFunc{"GET /jupyter/": after(says(401, "Audiences in Jwt are not allowed"))},
			"PPPPPFSSSP", diagnose.TokenRejected,
		},
		"a session without its token": {
			map[string]http.HandlerFunc{"GET /jupyter/": after(says(401, "Jwt is missing"))},
			"PPPPPFSSSP", diagnose.TokenRejected,
		},
		"nginx that does not pass the session's cookie on": {
			map[string]http.HandlerFunc{"GET /oauth2/callback": nginx(502, "<title>502 Bad Gateway</title>")},
			"PPPPPFSSSP", diagnose.HeadersTooLarge,
		},
		"nginx that refuses the cookie in the request after it": {
			map[string]http.HandlerFunc{"GET /jupyter/": after(nginx(400, "<title>400 Request Header Or Cookie Too Large</title>"))},
			"PPPPPFSSSP", diagnose.HeadersTooLarge,
		},
		"a code that oauth2-proxy cannot redeem": {
			map[string]http.HandlerFunc{"GET /oauth2/callback": upstream(500, "Internal Server Error")},
			"PPPPPFSSSP", diagnose.OIDCClientMismatch,
		},
		"a session that is not kept": {map[string]http.HandlerFunc{"GET /oauth2/callback": leads(302, "/jupyter/")}, "PPPPPFSSSP", diagnose.LoginLoop},
		"a login that leads to a name of the cluster": {
			map[string]http.HandlerFunc{"GET /oauth2/start": leads(302, "http://dex.auth.svc.cluster.local:5556/dex/auth")},
			"PPPPPFSSSP", diagnose.LoginLoop,
		},
		"people whom somebody else knows": {map[string]http.HandlerFunc{"GET /dex/auth": leads(302, "https://idp.example.com/authorize")}, "PPPPPSSSSP", ""},
		"a form that would send the password elsewhere": {
			map[string]http.HandlerFunc{"GET /dex/auth/local/login": says(200, `<form method="post" action="https://elsewhere.example.com/">`)},
			"PPPPPFSSSP", diagnose.LoginLoop,
		},
		"a client that Dex does not know":  {map[string]http.HandlerFunc{"GET /dex/auth": says(400, "Invalid client_id (\"c\").")}, "PPPPPFSSSP", diagnose.OIDCClientMismatch},
		"a web app without its namespaces": {map[string]http.HandlerFunc{"GET /api/namespaces": after(says(403, "not authorized"))}, "PPPPPPFPPP", diagnose.NamespaceListFails},
		"a list of namespaces without the person's own": {
			map[string]http.HandlerFunc{"GET /api/namespaces": after(says(200, `{"bindings":[{"referredNamespace":"other"}]}`))},
			"PPPPPPFPPP", diagnose.NamespaceListFails,
		},
		"a Profile whose rights were not given": {
			map[string]http.HandlerFunc{"GET /jupyter/api/namespaces/kubeflow-user-example-com/notebooks": says(403, "not authorized")},
			"PPPPPPFSSP", diagnose.ProfileMissing,
		},
		"a CSRF cookie that the browser dropped": {
			map[string]http.HandlerFunc{"GET /jupyter/": after(says(200, "<title>Jupyter</title>"))},
			"PPPPPPPFPP", diagnose.SecureCookiesOverHTTP,
		},
		"a proxy that drops WebSockets": {
			map[string]http.HandlerFunc{"GET /notebook/kubeflow-user-example-com/first/api/events/subscribe": says(400, `Can "Upgrade" only to "WebSocket".`)},
			"PPPPPPPPFP", diagnose.WebSocketDropped,
		},
		"a notebook server that has no such stream": {
			map[string]http.HandlerFunc{
				"GET /notebook/kubeflow-user-example-com/first/api/events/subscribe":  upstream(404, ""),
				"GET /notebook/kubeflow-user-example-com/second/api/events/subscribe": upstream(404, ""),
			},
			"PPPPPPPPSP", "",
		},
		"a notebook that the gateway has no route for": {
			map[string]http.HandlerFunc{"GET /notebook/kubeflow-user-example-com/first/api/events/subscribe": says(404, "")},
			"PPPPPPPPFP", diagnose.RouteMissing,
		},
		"a notebook that does not answer": {
			map[string]http.HandlerFunc{"GET /notebook/kubeflow-user-example-com/first/api/events/subscribe": says(503, "upstream connect error")},
			"PPPPPPPPFP", diagnose.NotebookUnreachable,
		},
		"a notebook that a policy denies": {
			map[string]http.HandlerFunc{"GET /notebook/kubeflow-user-example-com/first/api/events/subscribe": upstream(403, denied)},
			"PPPPPPPPFP", diagnose.NotebookUnreachable,
		},
		"a notebook that does not answer, after one that does": {
			map[string]http.HandlerFunc{"GET /notebook/kubeflow-user-example-com/second/api/events/subscribe": says(503, "upstream connect error")},
			"PPPPPPPPFP", diagnose.NotebookUnreachable,
		},
		"a notebook that answers with a page of its own": {
			map[string]http.HandlerFunc{"GET /notebook/kubeflow-user-example-com/first/api/events/subscribe": upstream(200, "<title>RStudio</title>")},
			"PPPPPPPPPP", "",
		},
		"a load balancer that does not reach the gateway": {everywhere, "FSSSSSSSSS", diagnose.GatewayUnreachable},
		"a web app that answers strangers with an error of its own": {
			map[string]http.HandlerFunc{"GET /jupyter/": upstream(500, "Internal Server Error")},
			"PPPFSSSSSS", diagnose.ApplicationUnprotected,
		},
		"an API that answers strangers":     {map[string]http.HandlerFunc{"GET /jupyter/api/config": says(200, "{}")}, "PPPFSSSSSS", diagnose.ApplicationUnprotected},
		"oauth2-proxy that knows everybody": {map[string]http.HandlerFunc{"GET /oauth2/auth": says(202, "")}, "PPFSSSSSSS", diagnose.ApplicationUnprotected},
		"a web app that is not reached, after no question asked": {
			map[string]http.HandlerFunc{"GET /jupyter/": says(503, "no healthy upstream")},
			"PPPFSSSSSS", diagnose.ApplicationUnprotected,
		},
		"a sign-in page that is left out": {map[string]http.HandlerFunc{"GET /jupyter/": func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") == "" {
				if _, err := r.Cookie("oauth2_proxy_kubeflow"); err != nil {
					leads(302, "/dex/auth?client_id=c")(w, r)
					return
				}
			}
			pretence{}.ServeHTTP(w, r)
		}}, "PPPPPPPPPP", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := walkTo(t, httptest.NewServer(pretence{c.instead}), whole(t), CheckOptions{})
			if got := outcomes(r); got != c.outcomes {
				t.Errorf("outcomes = %s, want %s: %+v", got, c.outcomes, r.Probes)
			}
			if c.cause == "" {
				if !r.Passed() {
					t.Errorf("causes = %+v, want none", r.Causes)
				}
				return
			}
			if len(r.Causes) == 0 || r.Causes[0].Name != c.cause || r.Passed() {
				t.Fatalf("causes = %+v, want %s first", r.Causes, c.cause)
			}
			for _, p := range r.Probes {
				if p.Outcome == report.ProbeFailed {
					if p.Cause != c.cause {
						t.Errorf("the probe %s names %s, want %s", p.Hop, p.Cause, c.cause)
					}
					break
				}
			}
			if c.cause == diagnose.ApplicationUnprotected && r.Causes[0].Severity != report.Fatal {
				t.Error("nothing is worse, and it is not fatal")
			}
		})
	}
}

func TestTheCertificateMustBeTheOneOfTheCluster(t *testing.T) {
	server := httptest.NewTLSServer(pretence{})
	g := whole(t)
	g.Gateway = parse[Gateway](t, tlsGateway)
	g.Leaf = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if r := walkTo(t, server, g, CheckOptions{}); !r.Passed() || outcomes(r) != "PPPPPPPPPP" {
		t.Errorf("with the cluster's own certificate: %s %+v", outcomes(r), r.Causes)
	}
	if got := g.ServerName(); got != "example.com" {
		t.Errorf("the certificate is for %q, want example.com", got)
	}
	g.Leaf = nil
	r := walkTo(t, httptest.NewTLSServer(pretence{}), g, CheckOptions{})
	if outcomes(r) != "FSSSSSSSSS" || r.Causes[0].Name != diagnose.CertificateUntrusted {
		t.Errorf("with a certificate that nobody knows: %s %+v", outcomes(r), r.Causes)
	}
}

func TestAGatewayThatNeverAnswersHoldsNobodyUp(t *testing.T) {
	never := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	start := time.Now()
	r := walkTo(t, never, whole(t), CheckOptions{RequestTimeout: 50 * time.Millisecond})
	if outcomes(r) != "FSSSSSSSSS" || r.Causes[0].Name != diagnose.GatewayUnreachable || r.Probes[0].Came != "no answer in time" {
		t.Errorf("%s %+v", outcomes(r), r)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestACheckThatRunsOutOfTimeIsNotAPass(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	server := httptest.NewServer(pretence{})
	t.Cleanup(server.Close)
	o := CheckOptions{Base: server.URL, Health: server.URL + "/healthz/ready"}
	g := whole(t)
	w := &walk{source: stillSource{}, g: g, o: o, base: mustURL(t, server.URL), result: &Result{}}
	var err error
	if w.stranger, err = w.newBrowser(); err != nil {
		t.Fatal(err)
	}
	for i, s := range steps {
		if i == 3 {
			cancel()
		}
		w.run(ctx, s)
	}
	if r := w.result; !r.Unclear() || outcomes(r) != "PPPSSSSSSSSS" {
		t.Errorf("unclear %t, %s", r.Unclear(), outcomes(r))
	}
}
