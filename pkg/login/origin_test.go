package login

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// originFilter has the shape of the real one, whose script is tried elsewhere.
func originFilter(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	f := credentialsFilter(t)
	f.SetName(OriginRef.Name)
	return f
}

func TestNotebooksShareTheOriginWithoutTheFilterThatSeparatesIt(t *testing.T) {
	for name, c := range map[string]struct {
		notebooks *components.NotebookOrigin
		filters   []*unstructured.Unstructured
		says      string // empty: nothing is wrong
	}{
		"as installed":                       {&components.NotebookOrigin{Port: true}, []*unstructured.Unstructured{originFilter(t)}, ""},
		"shared by choice":                   {&components.NotebookOrigin{}, nil, ""},
		"the settings could not be read":     {nil, nil, ""},
		"missing":                            {&components.NotebookOrigin{Port: true}, []*unstructured.Unstructured{credentialsFilter(t)}, "is missing: scripts of a notebook's page"},
		"missing, with a host":               {&components.NotebookOrigin{Host: "n.j.example.com"}, nil, "is missing"},
		"changed":                            {&components.NotebookOrigin{Port: true}, []*unstructured.Unstructured{envoyFilter(t, OriginRef.Name, "{configPatches: [{}]}")}, "differs from what this version installs"},
		"emptied":                            {&components.NotebookOrigin{Port: true}, []*unstructured.Unstructured{envoyFilter(t, OriginRef.Name, "{}")}, "has no patch"},
		"disabled by a filter of others":     {&components.NotebookOrigin{Port: true}, []*unstructured.Unstructured{originFilter(t), envoyFilter(t, "other", patch("REMOVE", OriginRef.Name))}, "EnvoyFilter other disables or replaces"},
		"a filter that is about another":     {&components.NotebookOrigin{Port: true}, []*unstructured.Unstructured{originFilter(t), envoyFilter(t, "other", patch("REMOVE", CredentialsRef.Name))}, ""},
		"a filter of another name is not it": {&components.NotebookOrigin{Port: true}, []*unstructured.Unstructured{envoyFilter(t, "mine", "{configPatches: [{}]}")}, "is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			g := &Ground{Notebooks: c.notebooks, Filters: c.filters, OriginFilter: originFilter(t)}
			wantFilterCause(t, g.OriginCauses(), diagnose.SharedOrigin, c.says)
			if links := g.originLinks(); c.says != "" && (len(links) != 1 || links[0].State == report.Ready) {
				t.Errorf("links = %+v", links)
			}
		})
	}
}

func TestTheProbeSaysWhetherPagesOfNotebooksCanActInTheWebApp(t *testing.T) {
	refusing := pretence{instead: map[string]http.HandlerFunc{"GET /oauth2/auth": func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Origin") != "" {
			says(403, "another origin")(w, r)
			return
		}
		w.WriteHeader(http.StatusUnauthorized)
	}}}
	for name, c := range map[string]struct {
		notebooks *components.NotebookOrigin
		app       http.Handler
		other     http.HandlerFunc
		outcome   report.Outcome
		cause     string
		came      string
	}{
		"separate":         {&components.NotebookOrigin{Port: true}, refusing, leads(302, "//web-app.invalid/oauth2/auth"), report.ProbePassed, "", "403, 302"},
		"shared by choice": {&components.NotebookOrigin{}, pretence{}, nil, report.ProbeSkipped, "", "shared with the web app, as chosen"},
		"the web app takes what another page sends": {
			&components.NotebookOrigin{Port: true}, pretence{}, leads(302, "//web-app.invalid/"), report.ProbeFailed, diagnose.SharedOrigin, "401",
		},
		"the login is at the notebooks' origin": {&components.NotebookOrigin{Port: true}, refusing, says(401, "{}"), report.ProbeFailed, diagnose.SharedOrigin, "401"},
		"the notebooks' origin is not reached":  {&components.NotebookOrigin{Port: true}, refusing, nil, report.ProbePassed, "", "not reachable this way"},
	} {
		t.Run(name, func(t *testing.T) {
			g := whole(t)
			g.Notebooks = c.notebooks
			g.Filters = append(g.Filters, originFilter(t))
			o := CheckOptions{}
			if c.other != nil {
				other := httptest.NewServer(c.other)
				t.Cleanup(other.Close)
				o.Notebooks = other.URL
			}
			r := walkTo(t, httptest.NewServer(c.app), g, o)
			p := r.Probes[len(r.Probes)-2]
			if p.Hop != originHop || p.Outcome != c.outcome || p.Cause != c.cause || !strings.Contains(p.Came, c.came) {
				t.Errorf("%+v", p)
			}
		})
	}
}

func TestTheNotebooksOriginIsKnownFromOutside(t *testing.T) {
	const (
		balancer = `{spec: {type: LoadBalancer, ports: [{port: 80}, {port: 443}, {port: 8888}]}, status: {loadBalancer: {ingress: [{ip: 192.0.2.7}]}}}`
		nodePort = `{spec: {type: NodePort, ports: [{port: 80, nodePort: 31080}, {port: 8888, nodePort: 31888}]}}`
		noPort   = `{spec: {ports: [{port: 80}]}, status: {loadBalancer: {ingress: [{ip: 192.0.2.7}]}}}`
	)
	for name, c := range map[string]struct {
		service, gateway string
		notebooks        *components.NotebookOrigin
		url, want        string
	}{
		"shared":                    {balancer, plainGateway, &components.NotebookOrigin{}, "http://192.0.2.7/jupyter/", ""},
		"not known":                 {balancer, plainGateway, nil, "http://192.0.2.7/jupyter/", ""},
		"a port":                    {balancer, plainGateway, &components.NotebookOrigin{Port: true}, "http://192.0.2.7/jupyter/", "http://192.0.2.7:8888"},
		"a port, at node ports":     {nodePort, plainGateway, &components.NotebookOrigin{Port: true}, "http://10.0.0.5:31080/jupyter/", "http://10.0.0.5:31888"},
		"a port that is not open":   {noPort, plainGateway, &components.NotebookOrigin{Port: true}, "http://192.0.2.7/jupyter/", ""},
		"a host":                    {balancer, plainGateway, &components.NotebookOrigin{Host: "n.j.example.com"}, "http://j.example.com/jupyter/", "http://n.j.example.com"},
		"a host for each namespace": {balancer, plainGateway, &components.NotebookOrigin{Host: "*.j.example.com"}, "http://j.example.com/jupyter/", "http://*.j.example.com"},
		"a host, at node ports":     {nodePort, plainGateway, &components.NotebookOrigin{Host: "n.j.example.com"}, "http://j.example.com:31080/jupyter/", "http://n.j.example.com:31080"},
	} {
		t.Run(name, func(t *testing.T) {
			g := &Ground{Service: parse[corev1.Service](t, c.service), Gateway: parse[Gateway](t, c.gateway), Notebooks: c.notebooks}
			g.Nodes = []corev1.Node{*parse[corev1.Node](t, `{status: {addresses: [{type: InternalIP, address: 10.0.0.5}]}}`)}
			if in := g.WayIn(); in.URL != c.url || in.Notebooks != c.want {
				t.Errorf("%s and %q, want %s and %q", in.URL, in.Notebooks, c.url, c.want)
			}
		})
	}
	if port, origin := NextPort("http://localhost:8080/jupyter/"); port != 8081 || origin != "http://localhost:8081" {
		t.Errorf("next to 8080 is %d, %s", port, origin)
	}
}
