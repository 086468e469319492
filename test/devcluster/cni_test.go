package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/images"
)

const istioCNI = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: istio-cni, namespace: kube-system}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: istio-cni}
rules: [{apiGroups: [""], resources: [pods, nodes, namespaces], verbs: [get, list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: istio-cni}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: istio-cni}
subjects: [{kind: ServiceAccount, name: istio-cni, namespace: kube-system}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: istio-cni-node, namespace: kube-system}
spec:
  selector: {matchLabels: {app: istio-cni}}
  template:
    metadata: {labels: {app: istio-cni}}
    spec:
      serviceAccountName: istio-cni
      containers:
      - name: install-cni
        image: registry.istio.io/release/install-cni:1.30.8
        imagePullPolicy: Never
        command: [install-cni]
        env:
        - {name: CHAINED_CNI_PLUGIN, value: "true"}
        - {name: EXCLUDE_NAMESPACES, value: kube-system}
        - {name: ALLOW_SWITCH_TO_HOST_NS, value: "true"}
        - {name: NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
        - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
        - {name: POD_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
        readinessProbe: {httpGet: {path: /readyz, port: 8000}, periodSeconds: 1}
        securityContext:
          capabilities: {add: [NET_ADMIN, NET_RAW, SYS_PTRACE, SYS_ADMIN, DAC_OVERRIDE], drop: [ALL]}
        volumeMounts:
        - {name: bin, mountPath: /host/opt/cni/bin}
        - {name: conf, mountPath: /host/etc/cni/net.d}
        - {name: proc, mountPath: /host/proc, readOnly: true}
        - {name: run, mountPath: /var/run/istio-cni}
      volumes:
      - {name: bin, hostPath: {path: /opt/cni/bin}}
      - {name: conf, hostPath: {path: /etc/cni/net.d}}
      - {name: proc, hostPath: {path: /proc}}
      - {name: run, hostPath: {path: /var/run/istio-cni}}
`

// meshed is a pod as Istio's injector leaves it, as far as the plugin looks at it, and one without a sidecar.
const meshed = `
apiVersion: v1
kind: Pod
metadata:
  name: meshed
  annotations: {sidecar.istio.io/status: '{"containers":["istio-proxy"]}'}
spec:
  containers:
  - {name: istio-proxy, image: "` + images.PauseImage + `", imagePullPolicy: Never, args: [proxy, sidecar]}
  - {name: app, image: "` + images.PauseImage + `", imagePullPolicy: Never}
---
apiVersion: v1
kind: Pod
metadata: {name: plain}
spec:
  containers: [{name: app, image: "` + images.PauseImage + `", imagePullPolicy: Never}]
`

// The images must be there: devcluster images build.
func TestSmokeIstioCNISetsThePodsNetworkUp(t *testing.T) {
	if *smoke && os.Geteuid() != 0 {
		t.Skip("a real node needs root")
	}
	b := newBed(t)
	b.purgeAfter()
	var before []string
	for _, d := range []string{"/opt/cni/bin", "/etc/cni/net.d"} {
		before = append(before, listing(d))
	}
	b.ok("up", "--nodes", "real", "--build-images=false", "--metrics-server=false")
	apply := func(manifest string) {
		t.Helper()
		if out, code := b.run(manifest, "kubectl", "apply", "-f", "-"); code != 0 {
			t.Fatal(out)
		}
	}
	apply(istioCNI)
	b.ok("kubectl", "rollout", "status", "daemonset/istio-cni-node", "--namespace=kube-system", "--timeout=90s")
	apply(meshed)
	b.ok("kubectl", "wait", "--for=condition=Ready", "pod", "--all", "--timeout=60s")
	for name, want := range map[string]bool{"meshed": true, "plain": false} {
		uid := b.ok("kubectl", "get", "pod", name, "-o", "jsonpath={.metadata.uid}")
		out, err := exec.Command("nsenter", "-t", processOfPod(t, uid), "-n", "iptables-save", "-t", "nat").Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(out), "--to-ports 15001"); got != want {
			t.Errorf("the traffic of pod %s is led to the proxy: %t, want %t\n%s", name, got, want, out)
		}
	}
	for i, d := range []string{"/opt/cni/bin", "/etc/cni/net.d"} {
		if got := listing(d); got != before[i] {
			t.Errorf("the bed changed the machine's %s: %s, was %s", d, got, before[i])
		}
	}
}

func listing(dir string) string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err.Error()
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// processOfPod returns the number of a process in a pod's containers, which have a mount with the pod's uid.
func processOfPod(t *testing.T, uid string) string {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		dir := filepath.Dir(f)
		line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil || !bytes.HasPrefix(line, []byte("/pause")) {
			continue
		}
		if mounts, err := os.ReadFile(f); err == nil && bytes.Contains(mounts, []byte(uid)) {
			return filepath.Base(dir)
		}
	}
	t.Fatalf("no process of the pod with uid %s", uid)
	return ""
}
