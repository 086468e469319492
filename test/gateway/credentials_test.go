package gateway

import (
	"slices"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

// credentials loads the script that keeps credentials from notebooks.
func credentials(t testing.TB) *lua.LState {
	t.Helper()
	return script(t, "oauth2-proxy/base/credentials.yaml")
}

// handedOn is what the script leaves of the headers of a request.
func handedOn(t testing.TB, state *lua.LState, headers ...string) []string {
	t.Helper()
	return after(t, state, "envoy_on_request", headers...)
}

const (
	proxyCluster    = "outbound|80||oauth2-proxy.oauth2-proxy.svc.cluster.local"
	dexCluster      = "outbound|5556||dex.auth.svc.cluster.local"
	webAppCluster   = "outbound|80||jupyter-web-app-service.kubeflow.svc.cluster.local"
	notebookCluster = "outbound|80||first.ada.svc.cluster.local"
)

func TestCredentialsAreForTheStacksOwnServicesAlone(t *testing.T) {
	const (
		to      = "x-kubectl-jupyter-cluster: "
		bearer  = "authorization: Bearer t"
		session = "oauth2_proxy_kubeflow=s"
	)
	for name, c := range map[string]struct {
		headers, want []string
	}{
		"a notebook gets no session, no token, and who it is": {
			[]string{to + notebookCluster, ":path: /x", bearer, "cookie: " + session, "kubeflow-userid: ada"},
			[]string{":path: /x", "kubeflow-userid: ada"},
		},
		"nobody else's cookies are lost": {
			[]string{to + notebookCluster, "cookie: _xsrf=2|a=b; " + session + "; username-x=\"1\""},
			[]string{`cookie: _xsrf=2|a=b; username-x="1"`},
		},
		"the parts of a long session, and the cookie of a login": {
			[]string{to + notebookCluster, "cookie: oauth2_proxy_kubeflow_0=a; b=1;oauth2_proxy_kubeflow_12=c;oauth2_proxy_kubeflow_csrf=d; oauth2_proxy_kubeflow_csrf_ab=e"},
			[]string{"cookie: b=1"},
		},
		"names that only look alike": {
			[]string{to + notebookCluster, "cookie: oauth2_proxy_kubeflow2=a; my_oauth2_proxy_kubeflow=b; oauth2_proxy_kubeflow_x=c; oauth2_proxy=d"},
			[]string{"cookie: oauth2_proxy_kubeflow2=a; my_oauth2_proxy_kubeflow=b; oauth2_proxy_kubeflow_x=c; oauth2_proxy=d"},
		},
		"cookies in several headers, and blanks": {
			[]string{to + notebookCluster, "cookie: a=1; \t oauth2_proxy_kubeflow =s", "x: y", "cookie: ;; oauth2_proxy_kubeflow_1=t;b=2"},
			[]string{"x: y", "cookie: a=1; b=2"},
		},
		"a session twice": {
			[]string{to + notebookCluster, "cookie: " + session + "; " + session + ";" + session}, nil,
		},
		"a value in quotes hides none": {
			[]string{to + notebookCluster, `cookie: a="; ` + session + `; b="`}, []string{`cookie: a="; b="`},
		},
		"headers of oauth2-proxy": {
			[]string{
				to + notebookCluster, "x-auth-request-email: a", "x-auth-request-access-token: b", "x-auth-request-user: c", "x-forwarded-access-token: d",
				"x-forwarded-user: e", "x-forwarded-email: f", "x-forwarded-groups: g", "x-forwarded-preferred-username: h", "x-forwarded-for: i", "x-forwarded-proto: j",
			},
			[]string{"x-forwarded-for: i", "x-forwarded-proto: j"},
		},
		"the token twice": {[]string{to + notebookCluster, bearer, bearer}, nil},
		"the web app gets who it is, and no more": {
			[]string{to + webAppCluster, bearer, "cookie: XSRF-TOKEN=x; " + session, "kubeflow-userid: ada", "x-auth-request-email: ada"},
			[]string{"kubeflow-userid: ada", "cookie: XSRF-TOKEN=x"},
		},
		"oauth2-proxy gets the session": {
			[]string{to + proxyCluster, bearer, "cookie: a=1; " + session, "x-auth-request-email: a"}, []string{bearer, "cookie: a=1; " + session},
		},
		"Dex gets what a client sent it": {
			[]string{to + dexCluster, "authorization: Basic c", "cookie: a=1; " + session}, []string{"authorization: Basic c", "cookie: a=1"},
		},
		"another port of oauth2-proxy":   {[]string{to + strings.Replace(proxyCluster, "80", "44180", 1), bearer}, nil},
		"a subset of oauth2-proxy":       {[]string{to + strings.Replace(proxyCluster, "||", "|v1|", 1), bearer}, nil},
		"a name that contains its name":  {[]string{to + proxyCluster + ".evil", bearer}, nil},
		"no cluster":                     {[]string{bearer, "cookie: " + session}, nil},
		"more than one cluster":          {[]string{to + proxyCluster, to + proxyCluster, bearer}, nil},
		"a cluster that is called clean": {[]string{to + "session", bearer}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := handedOn(t, credentials(t), c.headers...); !slices.Equal(got, c.want) {
				t.Errorf("handed on\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

func TestTheIdentityIsKeptForTheRouterAndNoCredentialWithIt(t *testing.T) {
	state := credentials(t)
	handedOn(t, state, "x-kubectl-jupyter-cluster: "+notebookCluster, "authorization: Bearer t", "kubeflow-userid: ada", "cookie: oauth2_proxy_kubeflow=s")
	kept := map[string]string{}
	state.GetGlobal("kept").(*lua.LTable).ForEach(func(k, v lua.LValue) { kept[k.String()] = v.String() })
	// Routes can put metadata into headers, for whom they lead to.
	if len(kept) != 2 || kept["kubectl-jupyter:userid"] != "ada" || kept["kubectl-jupyter:groups"] != "" {
		t.Errorf("kept %v, want who it is alone", kept)
	}
}

func TestAnAnswerTellsNoPageTheToken(t *testing.T) {
	got := after(t, credentials(t), "envoy_on_response", ":status: 202", "authorization: Bearer t", "x-auth-request-email: ada", "x-auth-request-access-token: t", "set-cookie: a=b", "gap-auth: ada")
	if want := []string{":status: 202", "set-cookie: a=b", "gap-auth: ada"}; !slices.Equal(got, want) {
		t.Errorf("answered %q, want %q", got, want)
	}
}

func TestAScriptThatFailsLetsNothingPass(t *testing.T) {
	state := credentials(t)
	if err := state.DoString(`
		local handle = stream({{"authorization", "Bearer t"}})
		fails = true
		envoy_on_request(handle)`); err != nil {
		t.Fatal(err)
	}
	if got := state.GetGlobal("answered").String(); got != "500" {
		t.Errorf("answered %s, want 500", got)
	}
}
