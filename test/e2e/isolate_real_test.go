//go:build e2e_real

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"
)

// Addresses that the bed's node answers at in these tests, as a cloud answers at the first,
// and somebody on the internet at the second (RFC 5737).
const (
	metadataAddress = "169.254.169.254"
	internetAddress = "203.0.113.10"
)

// target is somewhere that a notebook tries to reach.
type target struct {
	name, url string
	// open tells that it is reached without isolation: in release 26.03 the stack's own
	// policies keep pods of people from some of it.
	open bool
	// closed tells that it is not reached with isolation.
	closed bool
}

// isolation opens two people's notebooks and has each try what it can reach.
func isolation(t *testing.T, b *bed, image string) {
	const eve, hers = "eve@example.com", "kubeflow-eve-example-com"
	for _, a := range []string{metadataAddress, internetAddress} {
		if out, err := exec.Command(programs(t).Devcluster, "exec", "--dir", b.Dir, "--", "ip", "route", "add", "local", a+"/32", "dev", "lo").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	// The node itself, and whoever has those addresses.
	b.apply(`{apiVersion: v1, kind: Pod, metadata: {name: node-server, namespace: default}, spec: {hostNetwork: true, containers: [{name: c, image: "` + image + `", env: [{name: NB_PREFIX, value: /}]}]}}`)
	b.run(t.Context(), "correct horse\n", nil, "user", "add", eve, "--password-stdin", "--isolate=false")
	start := func(namespace, name string) {
		b.apply(fmt.Sprintf(`{apiVersion: kubeflow.org/v1, kind: Notebook, metadata: {name: %[2]s, namespace: %[1]s},
			spec: {template: {spec: {serviceAccountName: default-editor, containers: [{name: %[2]s, image: "%[3]s"}]}}}}`, namespace, name, image))
		b.kubectl("-n", namespace, "wait", "notebook/"+name, "--for=jsonpath={.status.readyReplicas}=1", "--timeout=3m")
	}
	start(profileNamespace, "one")
	start(profileNamespace, "two")
	start(hers, "other")
	b.kubectl("-n", "default", "wait", "pod/node-server", "--for=condition=Ready", "--timeout=2m")
	podIP := func(namespace, name string) string {
		return b.kubectl("-n", namespace, "get", "pod", name, "-o", "jsonpath={.status.podIP}")
	}
	node := b.kubectl("get", "node", "-l", "devcluster.test/node=real", "-o", `jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}`)
	notebook := func(namespace, name string) string { return "/notebook/" + namespace + "/" + name }
	targets := []target{
		{"another notebook of the namespace", "http://two." + profileNamespace + notebook(profileNamespace, "two") + "/api", true, false},
		{"another notebook of the namespace, by its pod", "http://" + podIP(profileNamespace, "two-0") + ":8888" + notebook(profileNamespace, "two") + "/api", true, false},
		{"the internet", "http://" + internetAddress + ":8888/api", true, false},
		{"somebody else's notebook", "http://other." + hers + notebook(hers, "other") + "/api", true, true},
		{"somebody else's notebook, by its pod", "http://" + podIP(hers, "other-0") + ":8888" + notebook(hers, "other") + "/api", true, true},
		{"the web app", "http://jupyter-web-app-service.kubeflow/", false, true},
		{"Dex", "http://dex.auth:5556/dex/healthz", false, true},
		{"oauth2-proxy", "http://oauth2-proxy.oauth2-proxy/ping", false, true},
		{"the gateway", "http://istio-ingressgateway.istio-system/dex/healthz", false, true},
		{"istiod's port for everybody", "http://istiod.istio-system:15014/version", false, true},
		{"istiod's port without a certificate", "http://istiod.istio-system:15010/", false, true},
		{"the API server", "https://kubernetes.default/version", true, true},
		{"a port of the node", "http://" + node + ":8888/api", true, true},
		{"the kubelet", "https://" + node + ":10250/healthz", true, true},
		{"the metadata of a cloud", "http://" + metadataAddress + ":8888/api", true, true},
	}
	person := b.signsIn(t, gateway, nil, loginUser, loginPassword, profileNamespace)
	stranger := b.signsIn(t, gateway, nil, eve, "correct horse", hers)
	all := func(t *testing.T, isolated bool) {
		for _, target := range targets {
			want := !isolated && target.open || isolated && !target.closed
			if !isolated && !target.open {
				continue
			}
			t.Run(target.name, func(t *testing.T) {
				b.wantReach(t, person, notebook(profileNamespace, "one"), target.name, target.url, want)
			})
		}
		looked := b.reach(t, person, notebook(profileNamespace, "one"), "host", "kubernetes.default.svc.cluster.local")
		if len(looked.Addresses) == 0 {
			t.Errorf("DNS: %s", looked.Error)
		}
		b.wantReach(t, stranger, notebook(hers, "other"), "a notebook of the namespace, from another one", "http://"+podIP(profileNamespace, "one-0")+":8888"+notebook(profileNamespace, "one")+"/api", !isolated)
	}
	t.Run("without isolation a notebook reaches nearly everything", func(t *testing.T) { all(t, false) })
	t.Run("with isolation it reaches its namespace, DNS and the internet", func(t *testing.T) {
		b.must("user", "isolate", loginUser)
		wantSays(t, b.must("user", "list", "-o", "wide").Stdout, "ISOLATED")
		all(t, true)
	})
	t.Run("a notebook that starts in an isolated namespace gets its sidecar, and is opened", func(t *testing.T) {
		start(profileNamespace, "three")
		person := *person
		person.t = t
		eventually(t, "the gateway knows the new notebook", func() bool { return person.get(notebook(profileNamespace, "three")+"/api").code == http.StatusOK })
		b.wantReach(t, &person, notebook(profileNamespace, "three"), "the metadata of a cloud", "http://"+metadataAddress+":8888/api", false)
		if r := b.jupyter("status"); strings.Contains(r.Stdout, "NotebookUnreachable") || r.Code != 0 {
			t.Errorf("status: %s", r)
		}
	})
	t.Run("undone, it reaches the others again", func(t *testing.T) {
		b.must("user", "isolate", loginUser, "--undo")
		all(t, false)
	})
}

type reached struct {
	Code      int
	Error     string
	Addresses []string
}

// reach has a notebook ask somebody, through its page.
func (b *bed) reach(t *testing.T, w *browser, notebook, what, of string) reached {
	t.Helper()
	person := *w
	person.t = t
	p := person.get(notebook + "/reach?" + what + "=" + url.QueryEscape(of))
	var out reached
	if p.code != http.StatusOK || json.Unmarshal([]byte(p.body), &out) != nil {
		t.Fatalf("%s does not answer: %d %.300s", notebook, p.code, p.body)
	}
	return out
}

// wantReach waits until a notebook reaches somebody, or does not any more: a policy takes a
// moment. A sidecar accepts every connection, and answers 503 where it cannot make its own.
func (b *bed) wantReach(t *testing.T, w *browser, notebook, name, address string, want bool) {
	t.Helper()
	var last reached
	eventually(t, fmt.Sprintf("%s: reached %t", name, want), func() bool {
		last = b.reach(t, w, notebook, "url", address)
		return (last.Error == "" && last.Code != http.StatusServiceUnavailable && last.Code != http.StatusGatewayTimeout) == want
	}, func() { t.Logf("%s (%s) answers %d %s", name, address, last.Code, last.Error) })
}
