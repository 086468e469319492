//go:build e2e_real

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// notebooksURL is where notebooks are with a port of their own.
const notebooksURL = "http://" + gatewayAddress + ":8888"

// appHost is the name of the web app where notebooks have names below it.
const appHost = "jupyter.example.test"

const originFilter = "kubeflow-gateway-origins"

// TestRealNotebookOrigin has a notebook serve a page that tries to list, create and delete
// notebooks of its visitor, in Chromium: with one origin it does, with another it does not.
// Envoy, istiod, Dex and oauth2-proxy are themselves; notebook and web app are stand-ins
// with the cookies and checks of the real ones.
func TestRealNotebookOrigin(t *testing.T) { notebookOrigin(t, nil, "--network-policies") }

// TestReleaseNotebookOrigin is the same for the other release.
func TestReleaseNotebookOrigin(t *testing.T) {
	if !*otherReleases {
		t.Skip("make e2e-releases runs it")
	}
	notebookOrigin(t, []string{"--release", "1.10"})
}

func notebookOrigin(t *testing.T, release []string, flags ...string) {
	if os.Geteuid() != 0 {
		t.Fatal("a real node needs root: run it with sudo")
	}
	images := realImages(t, release...)
	if !realProxy(images) {
		t.Skip("the proxy is a stand-in, which knows no filter: see the list above for why")
	}
	b := newBed(t, slices.Concat([]string{"--nodes", "real"}, release, flags)...)
	if r := b.run(context.Background(), loginPassword, nil, slices.Concat([]string{"install"}, release, []string{"--password-stdin", "--timeout", "5m"})...); r.Code != 0 {
		t.Fatalf("install: %s", r)
	}
	b.throughProxy(t)
	b.kubectl("-n", "istio-system", "patch", "service", "istio-ingressgateway", "-p", `{"spec":{"externalIPs":["`+gatewayAddress+`"]}}`)
	image := echoImage(t, images)
	notebooks := func(b *bed) {
		for _, name := range []string{"first", "mine"} {
			b.apply(fmt.Sprintf(`
apiVersion: kubeflow.org/v1
kind: Notebook
metadata: {name: %[1]s, namespace: %[2]s}
spec: {template: {spec: {serviceAccountName: default-editor, containers: [{name: %[1]s, image: %[3]q}]}}}
`, name, profileNamespace, image))
		}
		b.kubectl("-n", profileNamespace, "wait", "notebook/first", "--for=jsonpath={.status.readyReplicas}=1", "--timeout=2m")
	}
	notebooks(b)
	b.healthy(t)

	t.Run("at the web app's origin a page of a notebook does what its visitor can do", func(t *testing.T) {
		b := b.in(t)
		if s := b.separate(t, webAppURL, image); !strings.HasPrefix(s.Tried["lists"], "200") || !strings.HasPrefix(s.Tried["acts in a frame"], "200") ||
			!strings.HasPrefix(s.Tried["deletes"], "200") || !slices.Contains(s.After, "by-a-fetch") {
			t.Errorf("the hostile page is harmless, so that it proves nothing: %+v", s)
		}
		wantSays(t, b.run(context.Background(), loginPassword, nil, "login-url", "--check", "--user-email", loginUser, "--password-stdin").Stderr, "shared with the web app, as chosen")
		b.kubectl("-n", profileNamespace, "delete", "notebook", "by-a-fetch", "by-own-origin")
		b.kubectl("-n", profileNamespace, "wait", "notebook/mine", "--for=delete", "--timeout=1m")
		notebooks(b)
	})
	t.Run("a port for notebooks is chosen", func(t *testing.T) {
		b := b.in(t)
		wantSays(t, b.must("expose", "--type", "ClusterIP", "--notebook-origin", "port").Stderr, "Notebooks are served at port 8888 of the gateway.")
		b.healthy(t)
		passed := false
		c := b.checkLogin(t, loginPassword)
		for _, p := range c.Probes {
			passed = passed || p.Hop == "notebook origin" && p.Outcome == "Passed" && p.Came == "403, 302"
		}
		if !passed {
			t.Errorf("probes %+v", c.Probes)
		}
		if c = b.checkLogin(t, loginPassword, "--port-forward"); c.Code != 0 {
			t.Errorf("through a port-forward: %s", c.result)
		}
		wantSays(t, b.must("status").Stdout, "Notebooks: "+notebooksURL)
		if r := b.must("expose", "--type", "ClusterIP", "--notebook-origin", "port"); !strings.Contains(r.Stderr, "Nothing to change") {
			t.Errorf("again: %s", r)
		}
	})
	t.Run("it does none of that any more, and notebooks work", func(t *testing.T) {
		b := b.in(t)
		s := b.separate(t, webAppURL, image)
		s.isHarmless(t, notebooksURL)
		s.isNobodys(t)
	})
	t.Run("two sessions, of which a notebook may have set one, are nobody's", func(t *testing.T) {
		b := b.in(t)
		person := b.signsIn(t, "http://"+gatewayAddress, nil, loginUser, loginPassword, profileNamespace)
		session := sessionCookie + "=" + person.cookie("/", sessionCookie)
		visitor := b.at(t, "http://"+gatewayAddress, nil)
		for cookies, want := range map[string]int{session: http.StatusOK, session + "; " + session: http.StatusBadRequest} {
			if p := visitor.do(http.MethodGet, "/jupyter/api/config", "", map[string]string{"Cookie": cookies}); p.code != want {
				t.Errorf("GET /jupyter/api/config = %d, want %d: %.300s", p.code, want, p.body)
			}
		}
	})
	t.Run("a notebook's Service that is another name of the web app's leads nowhere", func(t *testing.T) {
		b := b.in(t)
		b.apply(nameOfTheWebApp("x-kubectl-jupyter-door: app"))
		person := b.signsIn(t, "http://"+gatewayAddress, nil, loginUser, loginPassword, profileNamespace)
		var p page
		// Nothing can be watched that tells when Envoy has its configuration.
		eventually(t, "the route is there", func() bool {
			p = person.get(notebooksURL + "/evil/api/config")
			return p.code != http.StatusNotFound
		})
		// Newer versions of istiod take the name for the web app's own, older ones for another.
		if p.code != http.StatusForbidden && (p.code != http.StatusFound || !strings.HasPrefix(p.location, "//"+gatewayAddress+"/")) {
			t.Errorf("GET = %d to %q: %.300s", p.code, p.location, p.body)
		}
		if p = person.do(http.MethodPost, notebooksURL+"/evil/api/config/"+profileNamespace+"/notebooks", "{}", nil); p.code != http.StatusForbidden || strings.Contains(p.body, "XSRF") {
			t.Errorf("POST = %d, want 403 of the gateway: %.300s", p.code, p.body)
		}
		b.kubectl("-n", profileNamespace, "delete", "virtualservice/evil", "service/evil")
	})
	t.Run("without the filter it is told", func(t *testing.T) {
		b := b.in(t)
		b.kubectl("-n", "istio-system", "delete", "envoyfilter", originFilter)
		r := b.jupyter("status")
		if r.Code == 0 {
			t.Error("status: exit code 0")
		}
		wantSays(t, r.Stdout+r.Stderr, "SharedOrigin", originFilter+" is missing")
		eventually(t, "the check tells it", func() bool {
			return b.checkLogin(t, loginPassword).at("notebook origin") == "SharedOrigin"
		})
		b.must("install", "--only", "kubeflow-gateway", "--timeout", "3m")
		b.healthy(t)
	})
	t.Run("over HTTPS it is the same", func(t *testing.T) {
		b := b.in(t)
		b.must("expose", "--type", "ClusterIP", "--tls", "self-signed")
		// The gateway may still ask a pod of oauth2-proxy that has ended.
		for range 3 {
			b.healthy(t)
		}
		s := b.separate(t, "https://"+gatewayAddress+"/jupyter/", image)
		s.isHarmless(t, "https://"+gatewayAddress+":8888")
		s.isNobodys(t)
		b.must("expose", "--type", "ClusterIP", "--tls", "off")
		b.healthy(t)
	})
	b.kubectl("-n", "istio-system", "annotate", "service", "istio-ingressgateway", "external-dns.alpha.kubernetes.io/hostname="+appHost+",*."+appHost)
	for _, chosen := range []struct{ origin, at string }{
		{"host=notebooks." + appHost, "https://notebooks." + appHost},
		{"host=*." + appHost, "https://" + profileNamespace + "." + appHost},
	} {
		t.Run("with "+chosen.origin+" over HTTPS it does none of that either, and notebooks work", func(t *testing.T) {
			b := b.in(t)
			b.must("expose", "--type", "ClusterIP", "--tls", "self-signed", "--notebook-origin", chosen.origin)
			for range 3 {
				b.healthy(t)
			}
			wantSays(t, b.must("status").Stdout, "https://"+appHost)
			s := b.separate(t, "https://"+appHost+"/jupyter/", image)
			s.isHarmless(t, chosen.at)
		})
	}
	t.Run("the origin is shared again when that is chosen", func(t *testing.T) {
		b := b.in(t)
		b.must("expose", "--type", "ClusterIP", "--notebook-origin", "shared", "--tls", "off")
		person := b.signsIn(t, "http://"+gatewayAddress, nil, loginUser, loginPassword, profileNamespace)
		eventually(t, "notebooks are at the web app's origin", func() bool {
			return person.get("/notebook/"+profileNamespace+"/first/").code == http.StatusOK
		})
		if ports := b.kubectl("-n", "istio-system", "get", "service", "istio-ingressgateway", "-o", "jsonpath={.spec.ports[*].port}"); strings.Contains(ports, "8888") {
			t.Errorf("the gateway keeps the ports %s", ports)
		}
		b.healthy(t)
	})
}

// separation is what Chromium has seen of a notebook and of its hostile page.
type separation struct {
	Notebook, Out, Again struct{ URL, Title, Text string }
	Works, Tried         map[string]string
	Framed               []string
	Before, After        []string
	Tossed               int
}

// separate has a notebook serve a page that acts in the web app as its visitor if it can.
func (b *bed) separate(t *testing.T, at, image string) separation {
	t.Helper()
	chromium, pictures := chromium(t)
	cmd := exec.CommandContext(t.Context(), filepath.Join(programs(t).Bin, "browser"), "-chromium", chromium, "-proxy", os.Getenv("HTTP_PROXY"), "-any-certificate",
		"-url", at, "-user", loginUser, "-namespace", profileNamespace, "-out", pictures, "-notebook", "first", "-victim", "mine", "-image", image)
	cmd.Stdin = strings.NewReader(loginPassword)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	t.Logf("%s", stdout.String())
	var s separation
	if err := json.Unmarshal(stdout.Bytes(), &s); err != nil {
		t.Fatalf("%v: %s", err, stdout.String())
	}
	return s
}

// isHarmless tells that the page has done nothing, and that its notebook works at its origin.
func (s *separation) isHarmless(t *testing.T, origin string) {
	t.Helper()
	notebook := origin + "/notebook/" + profileNamespace + "/first/"
	if s.Notebook.URL != notebook || s.Again.URL != notebook {
		t.Errorf("the notebook is at %s, after another login at %s, want %s", s.Notebook.URL, s.Again.URL, notebook)
	}
	for what, want := range map[string]string{
		"a kernel's WebSocket": "open", "its API": "200", "saving": "200", "reading it back": "x = 1", "a download": "saved", "a cookie of its own": "mine=1",
	} {
		if s.Works[what] != want {
			t.Errorf("%s: %q, want %q", what, s.Works[what], want)
		}
	}
	if len(s.Tried) < 11 {
		t.Errorf("the page has tried %v", s.Tried)
	}
	for what, came := range s.Tried {
		if !strings.HasPrefix(came, "refused: ") && !strings.HasPrefix(came, "403 that is at ") {
			t.Errorf("a page of a notebook %s: %s", what, came)
		}
	}
	if len(s.Framed) > 0 {
		t.Errorf("it shows %v in frames", s.Framed)
	}
	if want := []string{"first", "mine"}; !slices.Equal(s.Before, want) || !slices.Equal(s.After, want) {
		t.Errorf("notebooks before %v, after %v, want %v", s.Before, s.After, want)
	}
	if !strings.Contains(s.Out.Text, "Sign in with") || strings.HasPrefix(s.Out.URL, origin+"/") {
		t.Errorf("after signing out at the notebooks' origin: %s: %s", s.Out.URL, s.Out.Text)
	}
}

// isNobodys tells that a session which a page has set for the web app's paths is none: with
// two ports of a host, cookies of one are the other's.
func (s *separation) isNobodys(t *testing.T) {
	t.Helper()
	if s.Tossed == http.StatusOK {
		t.Error("the web app takes a session that a page has set for its paths")
	}
}
