//go:build e2e

package e2e

import "strings"

// forgotten makes a notebook that a controller once kept a record of, and returns the UID
// of its pod. Its controller and its server are stand-ins.
func (b *bed) forgotten(namespace string) string {
	b.t.Helper()
	b.apply(`{apiVersion: kubeflow.org/v1, kind: Notebook, metadata: {name: forgotten, namespace: ` + namespace + `,
		annotations: {notebooks.kubeflow.org/last-activity: "2026-01-01T00:00:00Z", notebooks.kubeflow.org/last_activity_check_timestamp: "2026-01-01T00:00:00Z"}},
		spec: {template: {spec: {containers: [{name: forgotten, image: "x:1", resources: {requests: {cpu: 10m, memory: 16Mi}}, volumeMounts: []}]}}}}`)
	uid := ""
	eventually(b.t, "the notebook has a pod", func() bool {
		uid = b.kubectl("-n", namespace, "get", "pods", "-l", "notebook-name=forgotten", "-o", "jsonpath={.items[*].metadata.uid}")
		return uid != ""
	})
	return uid
}

// stopsIdleAfter checks an installation that was told to stop idle notebooks after 8 hours:
// what the controller reads, that it reads it, and that nothing happens to notebooks.
func (b *bed) stopsIdleAfter(r result, namespace, pod string) {
	t := b.t
	t.Helper()
	wantSays(t, r.Stderr, "Terminals,\nVS Code and RStudio do not count", "Removed outdated records of the last activity of 1 notebook.")
	if got := b.kubectl("-n", "kubeflow", "get", "configmap", "notebook-controller-config", "-o", "jsonpath={.data.ENABLE_CULLING} {.data.CULL_IDLE_TIME}"); got != "true 480" {
		t.Errorf("the controller is told %q, want true 480", got)
	}
	if n := strings.Count(b.kubectl("-n", "kubeflow", "get", "replicasets", "-l", "app=notebook-controller", "-o", "name"), "replicaset"); n != 2 {
		t.Errorf("the controller's Deployment has %d ReplicaSets: its pod was not made anew, or more than once", n)
	}
	if got := b.kubectl("-n", namespace, "get", "notebook", "forgotten", "-o", `jsonpath={.metadata.annotations.notebooks\.kubeflow\.org/last-activity}{.metadata.annotations.notebooks\.kubeflow\.org/last_activity_check_timestamp}`); got != "" {
		t.Errorf("the controller would go by a record of long ago: %s", got)
	}
	if got := b.kubectl("-n", namespace, "get", "pods", "-l", "notebook-name=forgotten", "-o", "jsonpath={.items[*].metadata.uid}"); got != pod {
		t.Errorf("the notebook's pod was %s and is %s", pod, got)
	}
	wantSays(t, b.must("status").Stdout, "Culling:  notebooks are stopped 8h after the last activity of a kernel; terminals, VS Code and RStudio do not count")
	if got := b.must("status", "-o", "jsonpath={.culling.enabled} {.culling.idleSeconds}").Stdout; strings.TrimSpace(got) != "true 28800" {
		t.Errorf("status tells programs %q", got)
	}
}
