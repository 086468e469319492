package login

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// answered are the requests of a check that a strange answer is given to.
var answered = []string{
	"GET /healthz/ready", "GET /dex/healthz", "GET /oauth2/auth", "GET /oauth2/start", "GET /dex/auth", "GET /dex/auth/local/login", "POST /dex/auth/local/login",
	"GET /oauth2/callback", "GET /jupyter/", "GET /api/namespaces", "POST /jupyter/api/namespaces/kubeflow-user-example-com/notebooks",
	"GET /notebook/kubeflow-user-example-com/first/api/kernels",
}

// FuzzCheck gives a check whatever answer the gateway, a proxy before it or a program behind
// it could give: the check ends, judges every hop in known words, asks nobody else, and
// repeats no password, no cookie, no token and no code.
func FuzzCheck(f *testing.F) {
	const planted = "pl4ntedSecretOfNobody"
	for i := range answered {
		f.Add(uint8(i), uint16(200), "", "", "")
		f.Add(uint8(i), uint16(302), "/oauth2/callback?code="+planted+"&state=s", "oauth2_proxy_kubeflow="+planted+"; Path=/", "")
	}
	f.Add(uint8(4), uint16(200), "", "", `<a href="http://other.invalid/auth/local">`)
	f.Add(uint8(5), uint16(200), "", "", `<form action="http://other.invalid/?password=">`)
	f.Add(uint8(5), uint16(200), "", "", `<form action="//other.invalid/&amp;">`)
	f.Add(uint8(3), uint16(302), "http://dex.auth.svc.cluster.local:5556/dex/auth?state="+planted, "", "")
	f.Add(uint8(8), uint16(401), "", "", "Jwt issuer is not configured: token="+planted)
	f.Add(uint8(9), uint16(200), "", "", `{"namespaces":[null]}`)
	f.Add(uint8(1), uint16(503), "%zz", "=;;", "<title>\xff</title>")
	elsewhere := make(chan string, 1)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := httputil.DumpRequest(r, true)
		select {
		case elsewhere <- string(text):
		default:
		}
		w.WriteHeader(http.StatusTeapot)
	}))
	f.Cleanup(other.Close)
	// Requests for other machines come here. What is on this machine is asked directly.
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY"} {
		f.Setenv(name, other.URL)
	}
	ground := whole(f)
	ground.Notebooks = &components.NotebookOrigin{Port: true}
	f.Fuzz(func(t *testing.T, which uint8, code uint16, location, cookie, body string) {
		// Others of this machine are not asked by a test.
		for _, local := range []string{"localhost", "127.", "[::", "::1"} {
			if strings.Contains(location+body, local) {
				return
			}
		}
		status := 100 + int(code)%500
		if status < 200 {
			status += 200
		}
		gateway := httptest.NewServer(pretence{map[string]http.HandlerFunc{answered[int(which)%len(answered)]: func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Location"], w.Header()["Set-Cookie"] = []string{clean(location)}, []string{clean(cookie)}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}}})
		defer gateway.Close()
		secret := "right" + planted
		r, err := check(t.Context(), stillSource{[]Notebook{{"kubeflow-user-example-com", "first"}}}, report.Target{}, ground, CheckOptions{
			Base: gateway.URL, Health: gateway.URL + "/healthz/ready", Through: ThroughAddress, Email: person, Password: secret, RequestTimeout: 20 * time.Second,
		})
		if err != nil {
			t.Fatal(err)
		}
		select {
		case request := <-elsewhere:
			t.Errorf("somebody else was asked:\n%s", request)
		default:
		}
		if len(r.Probes) != len(steps)-1 {
			t.Errorf("%d probes of %d", len(r.Probes), len(steps)-1)
		}
		for _, p := range r.Probes {
			if p.Outcome != report.ProbePassed && p.Outcome != report.ProbeFailed && p.Outcome != report.ProbeSkipped || p.Came == "" {
				t.Errorf("probe %+v", p)
			}
		}
		for _, c := range r.Causes {
			if c.Summary == "" || c.Remedy == "" || !known(c.Name) {
				t.Errorf("cause %+v", c)
			}
		}
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), secret) {
			t.Errorf("the password is in %s", text)
		}
		// A page says what it likes, but for what looks like a credential.
		if !strings.Contains(body, planted) && !strings.Contains(location[:len(location)-len(query(location))], planted) && strings.Contains(string(text), planted) {
			t.Errorf("the planted value is in %s", text)
		}
	})
}

// clean leaves out what no header can have.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
}

// query is what stands behind the path of a URL.
func query(s string) string {
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		return s[i:]
	}
	return ""
}

func known(name string) bool {
	for _, n := range diagnose.Names() {
		if n == name {
			return true
		}
	}
	return false
}

// FuzzGist checks what is quoted of an answer's body.
func FuzzGist(f *testing.F) {
	for _, body := range []string{"", "RBAC: access denied", "<TITLE>a\n b&lt;</title>", "<title></title>", `{"error":"x"}`, "token=pl4nted", "\xff", strings.Repeat("é", 300)} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		const planted = "pl4ntedSecretOfNobody"
		got := gist(body + "\npassword=" + planted)
		if len([]rune(got)) > gistLength+len("...") || strings.ContainsAny(got, "\n\r\t") {
			t.Errorf("%q is quoted", got)
		}
		if strings.Contains(got, planted) {
			t.Errorf("the planted value is in %q", got)
		}
	})
}
