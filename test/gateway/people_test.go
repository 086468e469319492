package gateway

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

// people loads the script by which KFAM tells people about themselves alone.
func people(t testing.TB) *lua.LState {
	t.Helper()
	return peopleWith(t, "nil")
}

func peopleWith(t testing.TB, service string) *lua.LState {
	t.Helper()
	return script(t, "profiles/base/people.yaml", "$(DASHBOARD)", "dashboard", "$(SELF_SERVICE)", service)
}

const (
	gatewayPeer   = "spiffe://cluster.local/ns/istio-system/sa/istio-ingressgateway-service-account"
	dashboardPeer = "spiffe://cluster.local/ns/kubeflow/sa/dashboard"
)

func TestAPersonAsksKFAMAboutThemselves(t *testing.T) {
	const mine = ":path: /kfam/v1/bindings?user=ada%40example.com"
	for name, c := range map[string]struct {
		peer    string
		headers []string
		want    string // the path, or the answer
	}{
		"without naming anybody":            {gatewayPeer, []string{":method: GET", ":path: /kfam/v1/bindings", "kubeflow-userid: ada@example.com"}, mine},
		"naming somebody else":              {gatewayPeer, []string{":method: GET", ":path: /kfam/v1/bindings?user=eve@example.com", "kubeflow-userid: ada@example.com"}, mine},
		"naming a namespace":                {gatewayPeer, []string{":method: GET", ":path: /kfam/v1/bindings?namespace=eves", "kubeflow-userid: ada@example.com"}, mine},
		"naming nobody, for everybody":      {gatewayPeer, []string{":method: GET", ":path: /kfam/v1/bindings?user=", "kubeflow-userid: ada@example.com"}, mine},
		"below another path":                {gatewayPeer, []string{":method: GET", ":path: /kfam/v1/role/clusteradmin?user=eve", "kubeflow-userid: ada@example.com"}, mine},
		"with an address that is a query":   {gatewayPeer, []string{":method: GET", ":path: /kfam/v1/bindings", "kubeflow-userid: a&user=eve@example.com#?"}, ":path: /kfam/v1/bindings?user=a%26user%3Deve%40example.com%23%3F"},
		"as nobody":                         {gatewayPeer, []string{":method: GET", ":path: /kfam/v1/bindings"}, "403"},
		"as an empty address":               {gatewayPeer, []string{":method: GET", ":path: /kfam/v1/bindings?user=eve", "kubeflow-userid: "}, "403"},
		"by making a Profile":               {gatewayPeer, []string{":method: POST", ":path: /kfam/v1/profiles", "kubeflow-userid: ada@example.com"}, "403"},
		"at the notebooks' origin":          {gatewayPeer, []string{":method: GET", ":path: /kfam/v1/bindings", "kubeflow-userid: ada@example.com", "x-kubectl-jupyter-door: notebooks"}, "403"},
		"at the web app's own origin":       {gatewayPeer, []string{":method: GET", ":path: /kfam/v1/bindings", "kubeflow-userid: ada@example.com", "x-kubectl-jupyter-door: app"}, mine},
		"from a pod without a certificate":  {"", []string{":method: GET", ":path: /kfam/v1/bindings?user=eve", "kubeflow-userid: ada@example.com"}, mine},
		"from a pod that is called alike":   {"spiffe://cluster.local/ns/eve/sa/dashboard", []string{":method: GET", ":path: /kfam/v1/bindings?user=eve", "kubeflow-userid: ada@example.com"}, mine},
		"and the dashboard asks about all":  {dashboardPeer, []string{":method: GET", ":path: /kfam/v1/bindings?user=eve", "kubeflow-userid: ada@example.com"}, ":path: /kfam/v1/bindings?user=eve"},
		"and probes are let alone":          {"", []string{":method: GET", ":path: /metrics"}, ":path: /metrics"},
		"and so is what has no path at all": {"", []string{":method: GET"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			state := people(t)
			state.SetGlobal("peer", lua.LString(c.peer))
			left := after(t, state, "envoy_on_request", c.headers...)
			got := ""
			for _, h := range left {
				if strings.HasPrefix(h, ":path: ") {
					got += h
				}
			}
			if answered := state.GetGlobal("answered"); answered != lua.LNil {
				got = answered.String()
			}
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// made is the Profile that KFAM is sent, or the answer to who asks for one.
func made(t testing.TB, state *lua.LState, headers ...string) (path, profile string) {
	t.Helper()
	state.SetGlobal("peer", lua.LString(gatewayPeer))
	state.SetGlobal("sent", lua.LString(`{"metadata":{"name":"eves"},"spec":{"owner":{"kind":"User","name":"eve@example.com"}}}`))
	left := after(t, state, "envoy_on_request", append([]string{":method: POST", "content-length: 3"}, headers...)...)
	if answered := state.GetGlobal("answered"); answered != lua.LNil {
		return answered.String(), state.GetGlobal("said").String()
	}
	profile = state.GetGlobal("sent").String()
	if !slices.Contains(left, fmt.Sprintf("content-length: %d", len(profile))) {
		t.Errorf("the length of %q is not among %q", profile, left)
	}
	for _, h := range left {
		if p, is := strings.CutPrefix(h, ":path: "); is {
			path += p
		}
	}
	return path, profile
}

// list is a claim of groups as Envoy hands it on.
func list(groups string) string { return base64.RawURLEncoding.EncodeToString([]byte(groups)) }

func TestAPersonMakesTheirOwnProfileAndNoOther(t *testing.T) {
	const (
		all     = `{domains = nil, groups = nil, quota = '{"cpu":"4"}'}`
		some    = `{domains = {["example.com"] = true}, groups = {["students"] = true, ["a b"] = true}, quota = '{}'}`
		hers    = `{"apiVersion":"kubeflow.org/v1","kind":"Profile","metadata":{"name":"kubeflow-ada-example-com","labels":{"app.kubernetes.io/managed-by":"kubectl-jupyter-self-service"}},"spec":{"owner":{"kind":"User","name":"ada@example.com"},"resourceQuotaSpec":{"hard":{"cpu":"4"}}}}`
		refused = "403"
		to      = "/kfam/v1/profiles"
	)
	for name, c := range map[string]struct {
		service string
		headers []string
		path    string
		profile string // empty: not looked at
	}{
		"whatever was sent":                  {all, []string{":path: /kfam/v1/profiles", "kubeflow-userid: ada@example.com"}, to, hers},
		"whatever the query says":            {all, []string{":path: /kfam/v1/profiles?x=y", "kubeflow-userid: ada@example.com"}, to, hers},
		"not where nobody may":               {"nil", []string{":path: /kfam/v1/profiles", "kubeflow-userid: ada@example.com"}, refused, ""},
		"not without being logged in":        {all, []string{":path: /kfam/v1/profiles"}, refused, ""},
		"not by way of another request":      {all, []string{":path: /kfam/v1/bindings", "kubeflow-userid: ada@example.com"}, refused, ""},
		"not with an address that is a text": {all, []string{":path: /kfam/v1/profiles", `kubeflow-userid: a"},"x":"@example.com`}, refused, ""},
		"not with two addresses":             {all, []string{":path: /kfam/v1/profiles", "kubeflow-userid: ada@example.com", "kubeflow-userid: eve@example.com"}, refused, ""},
		"not with an address without domain": {all, []string{":path: /kfam/v1/profiles", "kubeflow-userid: ada"}, refused, ""},
		"not with a name that is too long":   {all, []string{":path: /kfam/v1/profiles", "kubeflow-userid: " + strings.Repeat("a", 50) + "@example.com"}, refused, ""},
		"in a domain and a group":            {some, []string{":path: /kfam/v1/profiles", "kubeflow-userid: ada@example.com", "kubeflow-groups: " + list(`["staff","students"]`)}, to, ""},
		"in a domain in capitals":            {some, []string{":path: /kfam/v1/profiles", "kubeflow-userid: ada@Example.COM", "kubeflow-groups: " + list(`["a b"]`)}, to, ""},
		"in a group that is a text":          {some, []string{":path: /kfam/v1/profiles", "kubeflow-userid: ada@example.com", "kubeflow-groups: students"}, to, ""},
		"in a list that is plain":            {some, []string{":path: /kfam/v1/profiles", "kubeflow-userid: ada@example.com", `kubeflow-groups: ["students"]`}, to, ""},
		"not in another domain":              {some, []string{":path: /kfam/v1/profiles", "kubeflow-userid: ada@evil.com", "kubeflow-groups: " + list(`["students"]`)}, refused, ""},
		"not in a domain that ends alike":    {some, []string{":path: /kfam/v1/profiles", "kubeflow-userid: ada@evil-example.com", "kubeflow-groups: " + list(`["students"]`)}, refused, ""},
		"not with a domain in the name":      {some, []string{":path: /kfam/v1/profiles", "kubeflow-userid: ada@example.com@evil.com", "kubeflow-groups: " + list(`["students"]`)}, refused, ""},
		"not in another group":               {some, []string{":path: /kfam/v1/profiles", "kubeflow-userid: ada@example.com", "kubeflow-groups: " + list(`["staff"]`)}, refused, ""},
		"not in a group that holds a name":   {some, []string{":path: /kfam/v1/profiles", "kubeflow-userid: ada@example.com", "kubeflow-groups: " + list(`["x\\"students\\""]`)}, refused, ""},
		"not in no group":                    {some, []string{":path: /kfam/v1/profiles", "kubeflow-userid: ada@example.com"}, refused, ""},
	} {
		t.Run(name, func(t *testing.T) {
			path, profile := made(t, peopleWith(t, c.service), c.headers...)
			if path != c.path || c.profile != "" && profile != c.profile {
				t.Errorf("%s %s\nwant %s %s", path, profile, c.path, c.profile)
			}
		})
	}
}

// FuzzProfiles names people in whatever way an identity provider could: the Profile that KFAM
// is sent belongs to them, and is called after them, as Go reads it.
func FuzzProfiles(f *testing.F) {
	for _, person := range []string{"ada@example.com", "Ada@Example.com", `a"@b`, "a@b\\", "-@-", "a@@b", "a+b.c%d_e-f@g-h.i", "ä@example.com"} {
		f.Add(person)
	}
	f.Fuzz(func(t *testing.T, person string) {
		if person == "" || strings.ContainsAny(person, "\r\n\x00") {
			t.Skip("no header has these")
		}
		path, text := made(t, peopleWith(t, `{domains = nil, groups = nil, quota = '{}'}`), ":path: /kfam/v1/profiles", "kubeflow-userid: "+person)
		if path == "403" {
			return
		}
		var profile struct {
			Metadata struct{ Name string }
			Spec     struct{ Owner struct{ Kind, Name string } }
		}
		if err := json.Unmarshal([]byte(text), &profile); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if profile.Spec.Owner.Name != person || !strings.HasPrefix(profile.Metadata.Name, "kubeflow-") || strings.Count(text, `"name"`) != 2 {
			t.Errorf("%q makes %s", person, text)
		}
	})
}

func TestAQuestionThatCannotBeCheckedIsNotAsked(t *testing.T) {
	state := people(t)
	if err := state.DoString(`
		local handle = stream({{":path", "/kfam/v1/bindings"}})
		fails = true
		envoy_on_request(handle)`); err != nil {
		t.Fatal(err)
	}
	if got := state.GetGlobal("answered").String(); got != "500" {
		t.Errorf("answered %s, want 500", got)
	}
}

// FuzzPeople names people in whatever way an identity provider could, and asks whatever a
// client could: KFAM is asked about that person alone, as Go reads the question.
func FuzzPeople(f *testing.F) {
	for _, c := range [][2]string{
		{"ada@example.com", "user=eve"}, {"a&user=b", "namespace=x"}, {"a%26", "%75ser=eve"}, {"ä@example.com", ";user=eve"}, {" ", "#"}, {"a,b", "user=eve&user=ada"},
	} {
		f.Add(c[0], c[1])
	}
	f.Fuzz(func(t *testing.T, person, query string) {
		if person == "" || strings.ContainsAny(person+query, "\r\n\x00") {
			t.Skip("no header has these")
		}
		state := people(t)
		state.SetGlobal("peer", lua.LString(gatewayPeer))
		left := after(t, state, "envoy_on_request", ":method: GET", ":path: /kfam/v1/bindings?"+query, "kubeflow-userid: "+person)
		i := slices.IndexFunc(left, func(h string) bool { return strings.HasPrefix(h, ":path: ") })
		if i < 0 {
			t.Fatalf("no path is left: %q", left)
		}
		asked, err := url.Parse(strings.TrimPrefix(left[i], ":path: "))
		if err != nil {
			t.Fatal(err)
		}
		if got := asked.Query(); asked.Path != "/kfam/v1/bindings" || len(got) != 1 || !slices.Equal(got["user"], []string{person}) {
			t.Errorf("KFAM is asked %s", asked)
		}
	})
}
