//go:build e2e_real

package e2e

import (
	"context"
	"net/http"
	"strings"
	"testing"
)

// people is about who else may see, share and make namespaces: Dex, oauth2-proxy, istiod, Envoy
// and JupyterLab are themselves; KFAM, the web app and the profile controller are stand-ins. The
// stand-in for KFAM tells anybody about all, and makes any Profile, as the original does: what
// keeps people from that is Envoy's.
func (s *shell) people(t *testing.T) {
	b := s.in(t)
	b.throughProxy(t)
	const bob, eve, bobs, eves, secret = "bob@example.com", "eve@example.com", "kubeflow-bob-example-com", "kubeflow-eve-example-com", "an analytical engine"
	for _, email := range []string{bob, eve} {
		if r := b.run(context.Background(), secret+"\n", nil, "user", "add", email, "--password-stdin"); r.Code != 0 {
			t.Fatal(r)
		}
	}
	person := b.signsIn(t, "http://"+gatewayAddress, nil, bob, secret, bobs)
	lab := "/notebook/" + s.namespace + "/" + s.name
	json := map[string]string{"Content-Type": "application/json"}

	t.Run("KFAM tells a person about themselves, whatever is asked", func(t *testing.T) {
		person := person.of(t)
		for _, path := range []string{
			"/api/namespaces", "/api/namespaces?user=" + s.user, "/api/namespaces?user=", "/api/namespaces?namespace=" + s.namespace, "/kfam/v1/bindings?user=" + s.user,
			"/kfam/v1/bindings", "/kfam/v1/bindings?user=" + s.user + "&user=" + bob, "/api/namespaces?x=%0A&user=" + s.user,
		} {
			p := person.do(http.MethodGet, path, "", map[string]string{"kubeflow-userid": s.user})
			if p.code != http.StatusOK || !strings.Contains(p.body, bobs) || strings.Contains(p.body, s.namespace) || strings.Contains(p.body, s.user) {
				t.Errorf("GET %s = %d: %.300s", path, p.code, p.body)
			}
		}
		for _, path := range []string{"/kfam/v1/role/clusteradmin?user=" + bob, "/kfam/v1/bindings/", "/kfam/v1/profiles/" + s.namespace, "/kfam/metrics", "/jupyter/api/namespaces"} {
			if p := person.get(path); p.code != http.StatusForbidden {
				t.Errorf("GET %s = %d, want 403: %.300s", path, p.code, p.body)
			}
		}
		const others = `{"apiVersion":"kubeflow.org/v1","kind":"Profile","metadata":{"name":"others"},"spec":{"owner":{"kind":"User","name":"others@example.com"}}}`
		for path, body := range map[string]string{
			"/kfam/v1/profiles": others, "/api/namespaces": others,
			"/kfam/v1/bindings": `{"user":{"kind":"User","name":"` + bob + `"},"referredNamespace":"` + s.namespace + `","roleRef":{"kind":"ClusterRole","name":"edit"}}`,
		} {
			for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
				if p := person.do(method, path, body, json); p.code != http.StatusForbidden {
					t.Errorf("%s %s = %d, want 403: %.300s", method, path, p.code, p.body)
				}
			}
		}
	})
	t.Run("a notebook that is not shared is closed", func(t *testing.T) {
		person.of(t).want(lab+"/lab", http.StatusForbidden, "RBAC")
	})
	owner := &jupyterServer{}
	t.Run("a viewer sees files, and runs and changes nothing", func(t *testing.T) {
		person := person.of(t)
		owner = b.signsIn(t, "http://"+gatewayAddress, nil, s.user, loginPassword, s.namespace).server(t, lab)
		kernel := owner.kernel(t)
		if got := owner.run(t, kernel, "open('seen.txt', 'w').write('seen')\nprint(6 * 7)", true); strings.TrimSpace(got) != "42" {
			t.Fatalf("the owner's cell printed %q", got)
		}
		b.must("user", "share", s.namespace, bob, "--role", "view")
		// Nothing can be watched that tells when Envoy has its policies.
		eventually(t, "the viewer is let in", func() bool { return person.get(lab+"/api/contents/seen.txt").code == http.StatusOK })
		person.want("/api/namespaces", http.StatusOK, s.namespace)
		person.want("/jupyter/api/namespaces/"+s.namespace+"/notebooks", http.StatusOK, s.name)
		person.want(lab+"/lab", http.StatusOK, "JupyterLab")
		person.want(lab+"/api/contents/seen.txt", http.StatusOK, "seen")
		person.want(lab+"/files/seen.txt", http.StatusOK, "seen")
		person.want(lab+"/api/kernels", http.StatusOK, kernel)
		viewer := person.server(t, lab)
		if _, a, err := viewer.dial(t, kernel); err == nil || a == nil || a.StatusCode != http.StatusForbidden {
			t.Errorf("the viewer opens the owner's kernel: %v, %v", a, err)
		}
		for _, c := range [][2]string{
			{http.MethodPost, "/api/kernels"},
			{http.MethodPost, "/api/kernels/" + kernel + "/interrupt"},
			{http.MethodDelete, "/api/kernels/" + kernel},
			{http.MethodPost, "/api/terminals"},
			{http.MethodPut, "/api/contents/seen.txt"},
			{http.MethodDelete, "/api/contents/seen.txt"},
			{http.MethodPatch, "/api/contents/seen.txt"},
			{http.MethodPost, "/api/contents"},
			{http.MethodPost, "/api/shutdown"},
			{http.MethodPost, "/api/sessions"},
			{http.MethodGet, "/terminals/websocket/1"},
			{http.MethodGet, "/api/kernels/" + kernel + "/channels"},
			{http.MethodGet, "/api/contents/../kernels/" + kernel + "/channels"},
			{http.MethodGet, "/api/contents/%2e%2e/kernels/" + kernel + "/channels"},
			{http.MethodGet, "/proxy/8080/"},
		} {
			if p := person.do(c[0], lab+c[1], "{}", json); p.code != http.StatusForbidden || !strings.Contains(p.body, "RBAC") {
				t.Errorf("%s %s = %d, want 403 of the sidecar: %.200s", c[0], c[1], p.code, p.body)
			}
		}
		csrf := map[string]string{"Content-Type": "application/json", "X-XSRF-TOKEN": person.cookie("/jupyter/", "XSRF-TOKEN")}
		notebook := "/jupyter/api/namespaces/" + s.namespace + "/notebooks"
		for _, c := range [][3]string{{http.MethodPatch, "/" + s.name, `{"stopped":true}`}, {http.MethodDelete, "/" + s.name, ""}, {http.MethodPost, "", `{"name":"x"}`}} {
			if p := person.do(c[0], notebook+c[1], c[2], csrf); p.code != http.StatusForbidden || !strings.Contains(p.body, "not authorized") {
				t.Errorf("%s of a notebook by a viewer = %d, want 403 of the web app: %.200s", c[0], p.code, p.body)
			}
		}
		if got := owner.run(t, kernel, "print(open('seen.txt').read())", true); strings.TrimSpace(got) != "seen" {
			t.Errorf("afterwards the file is %q", got)
		}
	})
	t.Run("who may edit runs a cell, and after unshare nothing", func(t *testing.T) {
		person := person.of(t)
		b.must("user", "share", s.namespace, bob, "--role", "edit")
		server := person.server(t, lab)
		eventually(t, "the contributor may start a kernel", func() bool {
			return server.page(t.Context()) == nil && server.ask(t.Context(), http.MethodPost, "api/kernels", map[string]string{"name": "python3"}, nil) == nil
		})
		if got := server.run(t, server.kernel(t), "print(6 * 7)", true); strings.TrimSpace(got) != "42" {
			t.Errorf("the cell printed %q", got)
		}
		b.must("user", "unshare", s.namespace, bob)
		eventually(t, "the notebook is closed again", func() bool { return person.get(lab+"/lab").code == http.StatusForbidden })
		if p := person.get("/api/namespaces"); strings.Contains(p.body, s.namespace) {
			t.Errorf("the list still has the namespace: %s", p.body)
		}
	})
	t.Run("a program calls with a token, and with no other", func(t *testing.T) {
		r := b.run(context.Background(), secret+"\n", nil, "user", "token", bob, "--password-stdin")
		if r.Code != 0 || strings.Count(r.Stdout, ".") != 2 {
			t.Fatal(r.Stderr)
		}
		wantSays(t, r.Stderr, "is valid until", "(24h0m0s)")
		token := strings.TrimSpace(r.Stdout)
		program := b.at(t, "http://"+gatewayAddress, nil)
		header := map[string]string{"Authorization": "Bearer " + token, "Content-Type": "application/json", "Cookie": "XSRF-TOKEN=x", "X-XSRF-TOKEN": "x"}
		for _, path := range []string{"/api/namespaces", "/jupyter/api/namespaces/" + bobs + "/notebooks"} {
			if p := program.do(http.MethodGet, path, "", header); p.code != http.StatusOK {
				t.Errorf("GET %s with the token = %d: %.300s", path, p.code, p.body)
			}
		}
		if p := program.do(http.MethodPost, "/jupyter/api/namespaces/"+bobs+"/notebooks", "{}", header); p.code != http.StatusBadRequest || !strings.Contains(p.body, "'name'") {
			t.Errorf("POST with the token = %d, want 400 for want of a name: %.300s", p.code, p.body)
		}
		if p := program.do(http.MethodGet, "/jupyter/api/namespaces/"+s.namespace+"/notebooks", "", header); p.code != http.StatusForbidden {
			t.Errorf("somebody else's notebooks with the token = %d", p.code)
		}
		header["Authorization"] = "Bearer " + token[:len(token)-4] + "AAAA"
		if p := program.do(http.MethodGet, "/api/namespaces", "", header); p.code != http.StatusUnauthorized {
			t.Errorf("with another signature = %d, want 401", p.code)
		}
		if r := b.run(context.Background(), "wrong\n", nil, "user", "token", bob, "--password-stdin"); r.Code != 1 || !strings.Contains(r.Stderr, "rejects the password") || r.Stdout != "" {
			t.Errorf("with a wrong password: %s", r)
		}
	})
	t.Run("with --self-service who has no namespace gets one, their own", func(t *testing.T) {
		person := b.signsIn(t, "http://"+gatewayAddress, nil, eve, secret, eves)
		b.kubectl("delete", "profile", eves)
		b.kubectl("wait", "namespace/"+eves, "--for=delete", "--timeout=2m")
		const others = `{"apiVersion":"kubeflow.org/v1","kind":"Profile","metadata":{"name":"others"},"spec":{"owner":{"kind":"User","name":"others@example.com"}}}`
		ask := func() page { return person.do(http.MethodPost, "/api/namespaces", others, json) }
		if p := person.get("/api/namespaces"); p.code != http.StatusOK || strings.Contains(p.body, "kubeflow-") {
			t.Errorf("without a namespace the list is %d %s", p.code, p.body)
		}
		if p := ask(); p.code != http.StatusForbidden {
			t.Errorf("without --self-service = %d, want 403: %s", p.code, p.body)
		}
		b.must("install", "--self-service", "--allow-domain", "example.org", "--timeout", "5m")
		eventually(t, "the filter says who is admitted", func() bool {
			p := ask()
			return p.code == http.StatusForbidden && strings.Contains(p.body, "for others only")
		})
		b.must("install", "--allow-domain", "example.com,example.org", "--default-quota", "cpu=4,gpu=1", "--timeout", "5m")
		eventually(t, "a namespace is made", func() bool { return ask().code == http.StatusOK })
		if got, want := b.kubectl("get", "profile", eves, "-o", "jsonpath={.spec.owner.name} {.spec.resourceQuotaSpec.hard}"), eve+` {"cpu":"4","requests.nvidia.com/gpu":"1"}`; got != want {
			t.Errorf("the Profile is %s, want %s", got, want)
		}
		if out, err := b.tryKubectl("", "get", "profile", "others"); err == nil {
			t.Errorf("there is another Profile: %s", out)
		}
		eventually(t, "the list has it", func() bool { return strings.Contains(person.get("/api/namespaces").body, eves) })
		b.must("install", "--self-service=false", "--timeout", "5m")
		eventually(t, "nobody gets one any more", func() bool { return ask().code == http.StatusForbidden })
	})
	for _, email := range []string{bob, eve} {
		b.must("user", "remove", email, "--delete-namespace", "--yes")
	}
}

// of is the same browser in another test.
func (w *browser) of(t *testing.T) *browser {
	other := *w
	other.t = t
	return &other
}

// server is a client of a notebook's server with the session of the browser.
func (w *browser) server(t *testing.T, path string) *jupyterServer {
	t.Helper()
	transport, ok := w.client.Transport.(*http.Transport)
	if !ok {
		t.Fatalf("the browser's transport is %T", w.client.Transport)
	}
	s := newJupyterServer(t, w.base+path, transport)
	s.client.Jar, s.dialer.Jar = w.client.Jar, w.client.Jar
	return s
}
