package gateway

import (
	"slices"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

const kfamCluster = "outbound|8081||profiles-kfam.kubeflow.svc.cluster.local"

// origins loads the script that keeps notebooks from the web app's origin.
func origins(t *testing.T, host, nodePorts string) *lua.LState {
	t.Helper()
	return script(t, "kubeflow-gateway/options/notebook-origin/origins.yaml", "$(NOTEBOOK_HOST)", host, "$(NODE_PORTS)", nodePorts)
}

// request to a door of the gateway, as Envoy shows it to the script. More are further headers.
func request(door, cluster, method, authority, path string, more ...string) []string {
	return append([]string{":authority: " + authority, ":path: " + path, ":method: " + method, "x-kubectl-jupyter-door: " + door + "|" + cluster}, more...)
}

// decided is what the script answers, empty where a request goes on, and where it sends
// people.
func decided(t *testing.T, state *lua.LState, headers ...string) (code, location string) {
	t.Helper()
	for _, h := range after(t, state, "envoy_on_request", headers...) {
		if strings.HasPrefix(h, "x-kubectl-jupyter-door:") {
			t.Errorf("the next filter is told %s", h)
		}
	}
	said := func(name string) string {
		if v := state.GetGlobal(name); v != lua.LNil {
			return v.String()
		}
		return ""
	}
	return said("answered"), said("location")
}

func TestEachOriginServesItsOwnAndLeadsToTheOther(t *testing.T) {
	const app, notebooks, none = "app", "notebooks", "-"
	type want struct{ code, location string }
	goesOn := want{}
	for name, c := range map[string]struct {
		host, nodePorts                        string
		door, cluster, method, authority, path string
		want                                   want
	}{
		"the web app":                   {"", "", app, webAppCluster, "GET", "nb", "/jupyter/", goesOn},
		"a change in the web app":       {"", "", app, webAppCluster, "POST", "nb", "/jupyter/api/namespaces/ada/notebooks", goesOn},
		"Dex":                           {"", "", app, dexCluster, "POST", "nb", "/dex/auth/local/login?state=s", goesOn},
		"oauth2-proxy":                  {"", "", app, proxyCluster, "GET", "nb", "/oauth2/start?rd=%2F", goesOn},
		"KFAM, which refuses by itself": {"", "", app, kfamCluster, "GET", "nb", "/kfam/v1/bindings", goesOn},
		"what the gateway answers for the web app": {"", "", app, none, "GET", "nb", "/dashboard_lib.bundle.js?v=1", goesOn},
		"a notebook at its own port":               {"", "", notebooks, notebookCluster, "GET", "nb:8888", "/notebook/ada/first/lab", goesOn},
		"a change in a notebook":                   {"", "", notebooks, notebookCluster, "PUT", "nb:8888", "/notebook/ada/first/api/contents/a", goesOn},
		"a path without a route, at the notebooks": {"", "", notebooks, none, "GET", "nb:8888", "/nothing", goesOn},
		"Connect in the web app":                   {"", "", app, notebookCluster, "GET", "nb", "/notebook/ada/first/lab?x=/a", want{"302", "//nb:8888/notebook/ada/first/lab?x=/a"}},
		"the same by a program":                    {"", "", app, notebookCluster, "POST", "nb", "/notebook/ada/first/api/kernels", want{"307", "//nb:8888/notebook/ada/first/api/kernels"}},
		"an answer of the gateway for others":      {"", "", app, none, "GET", "nb", "/theirs", want{"302", "//nb:8888/theirs"}},
		"a route that only looks like the web app": {"", "", app, "outbound|80||jupyter-web-app-service.ada.svc.cluster.local", "GET", "nb", "/jupyter/", want{"302", "//nb:8888/jupyter/"}},
		"the web app, at the notebooks":            {"", "", notebooks, webAppCluster, "GET", "nb:8888", "/jupyter/", want{"302", "//nb/jupyter/"}},
		"its front door, at the notebooks":         {"", "", notebooks, none, "GET", "nb:8888", "/", want{"302", "//nb/"}},
		"a change in the web app, at the notebooks": {
			"", "", notebooks, webAppCluster, "DELETE", "nb:8888", "/jupyter/api/namespaces/ada/notebooks/first", want{"403", ""},
		},
		"the login, at the notebooks":            {"", "", notebooks, proxyCluster, "GET", "nb:8888", "/oauth2/start?rd=%2Fnotebook%2F", want{"302", "//nb/oauth2/start?rd=%2Fnotebook%2F"}},
		"signing out, at the notebooks":          {"", "", notebooks, proxyCluster, "GET", "nb:8888", "/oauth2/sign_out", want{"302", "//nb/oauth2/sign_out"}},
		"how the page to sign in looks":          {"", "", notebooks, proxyCluster, "GET", "nb:8888", "/oauth2/static/css/a.css", goesOn},
		"the form of Dex, at the notebooks":      {"", "", notebooks, dexCluster, "POST", "nb:8888", "/dex/auth/local/login", want{"403", ""}},
		"an IPv6 address":                        {"", "", app, notebookCluster, "GET", "[2001:db8::1]", "/notebook/", want{"302", "//[2001:db8::1]:8888/notebook/"}},
		"and back":                               {"", "", notebooks, webAppCluster, "GET", "[2001:db8::1]:8888", "/jupyter/", want{"302", "//[2001:db8::1]/jupyter/"}},
		"a forwarded port leads to the next one": {"", "", app, notebookCluster, "GET", "localhost:8080", "/notebook/", want{"302", "//localhost:8081/notebook/"}},
		"and back to the one before":             {"", "", notebooks, webAppCluster, "GET", "localhost:8081", "/jupyter/", want{"302", "//localhost:8080/jupyter/"}},
		"a node port":                            {"", "31080=32001", app, notebookCluster, "GET", "node:31080", "/notebook/", want{"302", "//node:32001/notebook/"}},
		"a node port and back":                   {"", "31080=32001", notebooks, webAppCluster, "GET", "node:32001", "/jupyter/", want{"302", "//node:31080/jupyter/"}},
		"the scheme's port by name":              {"", "", app, notebookCluster, "GET", "nb:443", "/notebook/", want{"302", "//nb:8888/notebook/"}},
		"a door that has no other side":          {"", "", notebooks, webAppCluster, "GET", "nb", "/jupyter/", want{"404", ""}},

		"a host: the web app":               {"n.j.example.com", "", app, webAppCluster, "GET", "j.example.com", "/jupyter/", goesOn},
		"a host: a notebook":                {"n.j.example.com", "", app, notebookCluster, "GET", "N.j.example.com", "/notebook/", goesOn},
		"a host: Connect":                   {"n.j.example.com", "", app, notebookCluster, "GET", "j.example.com", "/notebook/", want{"302", "//n.j.example.com/notebook/"}},
		"a host: Connect at a port":         {"n.j.example.com", "", app, notebookCluster, "GET", "j.example.com:8443", "/notebook/", want{"302", "//n.j.example.com:8443/notebook/"}},
		"a host: Connect at the address":    {"n.j.example.com", "", app, notebookCluster, "GET", "192.0.2.1", "/notebook/", want{"302", "//n.j.example.com/notebook/"}},
		"a host: the login":                 {"n.j.example.com", "", app, proxyCluster, "GET", "n.j.example.com", "/oauth2/start", want{"302", "//j.example.com/oauth2/start"}},
		"a host: the web app, at notebooks": {"n.j.example.com", "", app, webAppCluster, "GET", "n.j.example.com:8443", "/jupyter/", want{"302", "//j.example.com:8443/jupyter/"}},

		"a host for each namespace: the web app":          {"*.j.example.com", "", app, webAppCluster, "GET", "j.example.com", "/jupyter/", goesOn},
		"a host for each namespace: a notebook":           {"*.j.example.com", "", app, notebookCluster, "GET", "ada.j.example.com", "/notebook/ada/first/", goesOn},
		"a host for each namespace: Connect":              {"*.j.example.com", "", app, notebookCluster, "GET", "j.example.com", "/notebook/ada/first/lab", want{"302", "//ada.j.example.com/notebook/ada/first/lab"}},
		"a host for each namespace: another's notebook":   {"*.j.example.com", "", app, notebookCluster, "GET", "bob.j.example.com:8443", "/notebook/ada/first/", want{"302", "//ada.j.example.com:8443/notebook/ada/first/"}},
		"a host for each namespace: a kernel of another":  {"*.j.example.com", "", app, notebookCluster, "POST", "bob.j.example.com", "/notebook/ada/first/api/kernels", want{"403", ""}},
		"a host for each namespace: the login":            {"*.j.example.com", "", app, proxyCluster, "GET", "ada.j.example.com", "/oauth2/start", want{"302", "//j.example.com/oauth2/start"}},
		"a host for each namespace: a change in the app":  {"*.j.example.com", "", app, webAppCluster, "POST", "ada.j.example.com", "/jupyter/api/namespaces/ada/notebooks", want{"403", ""}},
		"a host for each namespace: a route of nobody":    {"*.j.example.com", "", app, notebookCluster, "GET", "ada.j.example.com", "/theirs", want{"302", "//routes.j.example.com/theirs"}},
		"a host for each namespace: that route":           {"*.j.example.com", "", app, notebookCluster, "GET", "routes.j.example.com", "/theirs", goesOn},
		"a host for each namespace: a host below another": {"*.j.example.com", "", app, notebookCluster, "GET", "x.ada.j.example.com", "/notebook/ada/first/", want{"302", "//ada.j.example.com/notebook/ada/first/"}},
		"a host for each namespace: a path in disguise":   {"*.j.example.com", "", app, notebookCluster, "GET", "j.example.com", "/notebook/evil.example@x/first/", want{"302", "//routes.j.example.com/notebook/evil.example@x/first/"}},
	} {
		t.Run(name, func(t *testing.T) {
			code, location := decided(t, origins(t, c.host, c.nodePorts), request(c.door, c.cluster, c.method, c.authority, c.path)...)
			if got := (want{code, location}); got != c.want {
				t.Errorf("answered %q, want %q", got, c.want)
			}
		})
	}
}

func TestTheWebAppsOriginRefusesWhatPagesOfOthersSend(t *testing.T) {
	const api = "/jupyter/api/namespaces/ada/notebooks"
	for name, c := range map[string]struct {
		method, path string
		headers      []string
		refused      bool
	}{
		"its own page reads":                         {"GET", api, []string{"sec-fetch-site: same-origin", "sec-fetch-mode: cors"}, false},
		"its own page changes something":             {"POST", api, []string{"origin: http://nb", "sec-fetch-site: same-origin"}, false},
		"behind something that ends TLS":             {"POST", api, []string{"origin: https://nb"}, false},
		"somebody types the address":                 {"GET", "/jupyter/", []string{"sec-fetch-site: none", "sec-fetch-mode: navigate", "sec-fetch-dest: document"}, false},
		"a link":                                     {"GET", "/jupyter/", []string{"sec-fetch-site: cross-site", "sec-fetch-mode: navigate", "sec-fetch-dest: document"}, false},
		"a redirect of the notebooks":                {"GET", "/oauth2/start", []string{"sec-fetch-site: same-site", "sec-fetch-mode: navigate", "sec-fetch-dest: document"}, false},
		"a program":                                  {"DELETE", api + "/a", nil, false},
		"a fetch that reads":                         {"GET", api, []string{"sec-fetch-site: same-site", "sec-fetch-mode: cors", "sec-fetch-dest: empty"}, true},
		"a fetch that reads, over plain HTTP":        {"GET", api, []string{"origin: http://nb:8888"}, true},
		"a fetch that does not want to see anything": {"GET", api, []string{"sec-fetch-site: same-site", "sec-fetch-mode: no-cors"}, true},
		"a change, over plain HTTP":                  {"POST", api, []string{"origin: http://nb:8888"}, true},
		"the question whether a header is allowed":   {"OPTIONS", api, []string{"origin: http://nb:8888", "access-control-request-headers: x-xsrf-token"}, true},
		"a sandboxed frame":                          {"POST", api, []string{"origin: null"}, true},
		"a frame":                                    {"GET", "/jupyter/", []string{"sec-fetch-site: same-site", "sec-fetch-mode: navigate", "sec-fetch-dest: iframe"}, true},
		"a form":                                     {"POST", api, []string{"sec-fetch-site: same-site", "sec-fetch-mode: navigate", "sec-fetch-dest: document"}, true},
		"a WebSocket":                                {"GET", "/jupyter/", []string{"origin: http://nb:8888", "upgrade: websocket"}, true},
		"an origin that begins alike":                {"POST", api, []string{"origin: http://nb.example.com"}, true},
		"an origin that ends alike":                  {"POST", api, []string{"origin: http://evil-nb"}, true},
		"two origins":                                {"POST", api, []string{"origin: http://nb", "origin: http://nb:8888"}, true},
		"another scheme than HTTPS":                  {"POST", api, []string{"origin: http://nb", "x-forwarded-proto: https"}, true},
		"a connector of Dex sends somebody back":     {"POST", "/dex/callback/saml?x=1", []string{"origin: https://idp.example.com", "sec-fetch-site: cross-site"}, false},
		"a path that only begins like that":          {"POST", "/dex/callbacks", []string{"origin: https://idp.example.com"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := webAppCluster
			if strings.HasPrefix(c.path, "/dex/") {
				cluster = dexCluster
			}
			code, _ := decided(t, origins(t, "", ""), request("app", cluster, c.method, "nb", c.path, c.headers...)...)
			if refused := code == "403"; refused != c.refused || !refused && code != "" {
				t.Errorf("answered %q, refused is to be %v", code, c.refused)
			}
		})
	}
}

func TestASecondSessionIsNobodys(t *testing.T) {
	for name, c := range map[string]struct {
		cluster string
		cookies []string
		want    string
	}{
		"one session":                    {webAppCluster, []string{"cookie: oauth2_proxy_kubeflow=a; XSRF-TOKEN=b"}, ""},
		"one in parts":                   {webAppCluster, []string{"cookie: oauth2_proxy_kubeflow_0=a; oauth2_proxy_kubeflow_1=b"}, ""},
		"one of a notebook before it":    {webAppCluster, []string{"cookie: oauth2_proxy_kubeflow=theirs; oauth2_proxy_kubeflow=mine"}, "400"},
		"in another header":              {webAppCluster, []string{"cookie: oauth2_proxy_kubeflow=theirs", "cookie: a=b; oauth2_proxy_kubeflow=mine"}, "400"},
		"a part twice":                   {webAppCluster, []string{"cookie: oauth2_proxy_kubeflow_0=a; oauth2_proxy_kubeflow_0=b"}, "400"},
		"signing out gets rid of one":    {proxyCluster, []string{"cookie: oauth2_proxy_kubeflow=a; oauth2_proxy_kubeflow=b"}, ""},
		"other cookies twice are theirs": {webAppCluster, []string{"cookie: a=b; a=c"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if code, _ := decided(t, origins(t, "", ""), request("app", c.cluster, "GET", "nb", "/jupyter/", c.cookies...)...); code != c.want {
				t.Errorf("answered %q, want %q", code, c.want)
			}
		})
	}
}

func TestAnswersOfTheWebAppsOriginStayThere(t *testing.T) {
	state := origins(t, "", "")
	decided(t, state, request("app", webAppCluster, "GET", "nb", "/jupyter/")...)
	got := after(t, state, "envoy_on_response", ":status: 200", "x-frame-options: ALLOWALL", "content-security-policy: default-src 'self'", "set-cookie: XSRF-TOKEN=a; Path=/jupyter")
	want := []string{
		":status: 200", "content-security-policy: default-src 'self'", "set-cookie: XSRF-TOKEN=a; Path=/jupyter", "content-security-policy: frame-ancestors 'self'",
		"x-frame-options: SAMEORIGIN", "cross-origin-resource-policy: same-origin", "cross-origin-opener-policy: same-origin",
	}
	if !slices.Equal(got, want) {
		t.Errorf("answered\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestAnswersOfNotebooksReachNothingElse(t *testing.T) {
	state := origins(t, "", "")
	decided(t, state, request("notebooks", notebookCluster, "GET", "nb:8888", "/notebook/ada/first/")...)
	got := after(t, state, "envoy_on_response", ":status: 200", "service-worker-allowed: /", "clear-site-data: \"cookies\"", "strict-transport-security: max-age=1",
		"set-cookie: _xsrf=2|a; Path=/notebook/ada/first/", "set-cookie: oauth2_proxy_kubeflow=mine; Path=/", "set-cookie:  XSRF-TOKEN = x; Path=/jupyter",
		"set-cookie: oauth2_proxy_kubeflow_csrf=y", "set-cookie: oauth2_proxy_kubeflow", "x-frame-options: DENY")
	want := []string{":status: 200", "x-frame-options: DENY", "set-cookie: _xsrf=2|a; Path=/notebook/ada/first/"}
	if !slices.Equal(got, want) {
		t.Errorf("answered\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestWithAHostTheSessionIsForNotebooksToo(t *testing.T) {
	const session = "set-cookie: oauth2_proxy_kubeflow=s; Path=/; HttpOnly"
	for name, c := range map[string]struct {
		authority, cluster string
		want               string
	}{
		"at the web app's host":         {"j.example.com", proxyCluster, session + "; Domain=j.example.com"},
		"at its port":                   {"j.example.com:8443", proxyCluster, session + "; Domain=j.example.com"},
		"at an address it cannot be":    {"192.0.2.1", proxyCluster, session},
		"of another service than login": {"j.example.com", webAppCluster, session},
	} {
		t.Run(name, func(t *testing.T) {
			state := origins(t, "n.j.example.com", "")
			if code, _ := decided(t, state, request("app", c.cluster, "GET", c.authority, "/oauth2/callback")...); code != "" {
				t.Fatalf("answered %s", code)
			}
			got := after(t, state, "envoy_on_response", ":status: 302", "set-cookie: other=a", session)
			if !slices.Contains(got, c.want) || !slices.Contains(got, "set-cookie: other=a") {
				t.Errorf("answered %q, want %q", got, c.want)
			}
		})
	}
}

func TestARequestThatIsNotToldApartGoesNowhere(t *testing.T) {
	for name, headers := range map[string][]string{
		"without what Envoy says of it": {":authority: nb", ":path: /jupyter/", ":method: GET"},
		"without a host":                {":path: /jupyter/", ":method: GET", "x-kubectl-jupyter-door: app|" + webAppCluster},
	} {
		t.Run(name, func(t *testing.T) {
			if code, _ := decided(t, origins(t, "", ""), headers...); code != "500" {
				t.Errorf("answered %q, want 500", code)
			}
		})
	}
}
