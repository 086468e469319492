package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/images"
)

const server = `
apiVersion: v1
kind: Pod
metadata: {name: server, labels: {app: server}}
spec:
  containers:
  - name: server
    image: devcluster.test/notebook-echo:v1
    imagePullPolicy: Never
    readinessProbe: {httpGet: {path: /api, port: 8888}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: server}
spec: {selector: {app: server}, ports: [{port: 80, targetPort: 8888}]}
`

// client is a pod with this program in it: its kubectl can fetch a URL.
const client = `
apiVersion: v1
kind: Pod
metadata: {name: NAME, labels: {app: NAME}}
spec:
  containers:
  - name: client
    image: ` + images.PauseImage + `
    imagePullPolicy: Never
    volumeMounts: [{name: tools, mountPath: /tools, readOnly: true}]
  volumes: [{name: tools, hostPath: {path: TOOLS, type: Directory}}]
`

const onlyFriends = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: only-friends}
spec:
  podSelector: {matchLabels: {app: server}}
  ingress: [{from: [{podSelector: {matchLabels: {app: friend}}}]}]
`

const nothingOut = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: nothing-out}
spec: {podSelector: {matchLabels: {app: friend}}, policyTypes: [Egress]}
`

func TestSmokeNetworkPoliciesAreEnforced(t *testing.T) {
	if *smoke && os.Geteuid() != 0 {
		t.Skip("a real node needs root")
	}
	b := newBed(t)
	b.purgeAfter()
	tools := t.TempDir()
	program, err := os.ReadFile(b.bin)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"devcluster": program, "kubeconfig": nil} {
		if err := os.WriteFile(filepath.Join(tools, name), data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b.ok("up", "--nodes", "real", "--network-policies", "--metrics-server=false")
	apply := func(manifest string) {
		t.Helper()
		if out, code := b.run(manifest, "kubectl", "apply", "-f", "-"); code != 0 {
			t.Fatal(out)
		}
	}
	apply(server)
	for _, name := range []string{"friend", "stranger"} {
		apply(strings.NewReplacer("NAME", name, "TOOLS", tools).Replace(client))
	}
	b.ok("kubectl", "wait", "--for=condition=Ready", "pod", "--all", "--timeout=60s")

	// want waits until a client reaches the server, or does not any more: a policy takes a moment.
	want := func(name, url string, reaches bool) {
		t.Helper()
		var out string
		for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
			var code int
			out, code = b.run("", "kubectl", "exec", name, "--", "/tools/devcluster", "kubectl", "--dir=/tools", "--",
				"--server="+url, "--request-timeout=2s", "get", "--raw", "/api")
			if (code == 0) != strings.Contains(out, "stand-in") {
				t.Fatalf("%s: exit code %d\n%s", name, code, out)
			}
			if (code == 0) == reaches {
				return
			}
		}
		t.Errorf("%s reaches %s: %t, want %t\n%s", name, url, !reaches, reaches, out)
	}
	ip := b.ok("kubectl", "get", "pod", "server", "-o", "jsonpath={.status.podIP}")
	byService, byPod := "http://server", "http://"+ip+":8888"
	want("friend", byService, true)
	want("stranger", byService, true)
	apply(onlyFriends)
	want("stranger", byService, false)
	want("stranger", byPod, false)
	want("friend", byService, true)
	want("friend", byPod, true)
	if out := b.ok("kubectl", "get", "pod", "server", "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status}`); out != "True" {
		t.Errorf("the kubelet's probe of the server: Ready is %s", out)
	}
	apply(nothingOut)
	want("friend", byPod, false)
	b.ok("kubectl", "delete", "networkpolicy", "--all")
	want("friend", byPod, true)
	want("stranger", byService, true)
}
