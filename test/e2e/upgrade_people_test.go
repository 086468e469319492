//go:build e2e || e2e_real

package e2e

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// The releases of the tests: the oldest and the newest.
var olderRelease, newerRelease = components.ReleaseNames()[0], components.ReleaseNames()[len(components.ReleaseNames())-1]

// peoplesHome is the first user's namespace, and adasHome that of a second one.
const (
	peoplesHome = "kubeflow-user-example-com"
	adasHome    = "kubeflow-ada-example-com"
)

// people fills a cluster with what people would miss: a second user with a quota, a
// contributor, a notebook of an image with its volume, a PodDefault.
func (b *bed) people(image string) {
	b.t.Helper()
	// Dex creates the kind once it runs.
	b.kubectl("wait", "--for=create", "customresourcedefinition/passwords.dex.coreos.com", "--timeout=1m")
	b.kubectl("wait", "--for=condition=Established", "customresourcedefinition/passwords.dex.coreos.com", "--timeout=1m")
	if r := b.run(context.Background(), "a password of Ada\n", nil, "user", "add", "ada@example.com", "--cpu", "4", "--password-stdin"); r.Code != 0 {
		b.t.Fatal(r)
	}
	b.apply(`{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding,
  metadata: {name: user-ada-example-com-clusterrole-edit, namespace: ` + peoplesHome + `, annotations: {role: edit, user: ada@example.com}},
  roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: kubeflow-edit},
  subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: ada@example.com}]}`)
	b.apply(`{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: work, namespace: ` + peoplesHome + `},
  spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}`)
	b.apply(`{apiVersion: kubeflow.org/v1, kind: Notebook, metadata: {name: book, namespace: ` + peoplesHome + `},
  spec: {template: {spec: {containers: [{name: book, image: ` + image + `, volumeMounts: [{name: work, mountPath: /home/jovyan}]}],
    volumes: [{name: work, persistentVolumeClaim: {claimName: work}}]}}}}`)
	b.apply(`{apiVersion: kubeflow.org/v1alpha1, kind: PodDefault, metadata: {name: hello, namespace: ` + peoplesHome + `},
  spec: {selector: {matchLabels: {hello: "true"}}, env: [{name: HELLO, value: world}], tolerations: [{key: hello, operator: Exists}]}}`)
	eventually(b.t, "the notebook runs", func() bool {
		out, err := b.tryKubectl("", "-n", peoplesHome, "get", "pod", "book-0", "-o", "jsonpath={.status.phase}")
		return err == nil && out == "Running"
	})
}

// peoples is what people have, by object: specifications and data, without what a
// controller of the stack writes anew in each release.
func (b *bed) peoples() map[string]string {
	b.t.Helper()
	out := map[string]string{}
	for _, what := range [][]string{
		{"profiles", "-o", `jsonpath={range .items[*]}{.metadata.name} {.metadata.uid} {.spec}{"\n"}{end}`},
		{"notebooks,persistentvolumeclaims,poddefaults,resourcequotas", "-A", "-o", `jsonpath={range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name} {.metadata.uid} {.spec}{"\n"}{end}`},
		{"pods", "-n", peoplesHome, "-o", `jsonpath={range .items[*]}{.metadata.name} {.metadata.uid} {.status.startTime}{"\n"}{end}`},
		{"rolebindings", "-n", peoplesHome, "-o", `jsonpath={range .items[*]}{.metadata.name} {.metadata.uid} {.roleRef.name} {.subjects}{"\n"}{end}`},
		{"passwords.dex.coreos.com", "-n", "auth", "-o", `jsonpath={range .items[*]}{.email} {.hash} {.userID}{"\n"}{end}`},
		{"secrets", "-n", "auth", "-o", `jsonpath={range .items[*]}{.metadata.name} {.metadata.uid} {.data}{"\n"}{end}`},
		{"secrets", "-n", "oauth2-proxy", "-o", `jsonpath={range .items[*]}{.metadata.name} {.metadata.uid} {.data}{"\n"}{end}`},
		{"namespaces", peoplesHome, adasHome, "kubeflow", "istio-system", "-o", `jsonpath={range .items[*]}{.metadata.name} {.metadata.uid}{"\n"}{end}`},
		{"services", "-n", "istio-system", "istio-ingressgateway", "-o", `jsonpath={.metadata.uid} {.spec.type} {.spec.clusterIP} {.spec.ports[*].nodePort}`},
		{"customresourcedefinitions", "-o", `jsonpath={range .items[*]}{.metadata.name} {.metadata.uid}{"\n"}{end}`},
	} {
		for _, line := range strings.Split(strings.TrimSpace(b.kubectl(append([]string{"get"}, what...)...)), "\n") {
			name, rest, _ := strings.Cut(line, " ")
			if strings.HasSuffix(name, ".istio.io") && strings.HasPrefix(name, "trafficextensions") {
				continue // new in the newer release
			}
			out[what[0]+" "+name+" "+rest] = ""
		}
	}
	return out
}

// wantUpgraded checks that nothing of the older release is left and that all is well.
func (b *bed) wantUpgraded(t *testing.T) {
	t.Helper()
	var said report.Report
	status := b.jupyter("status", "-o", "json")
	if err := json.Unmarshal([]byte(status.Stdout), &said); err != nil || said.State != report.Ready || said.Release != newerRelease || said.Newer != "" {
		t.Errorf("status: %v\n%s", err, status)
	}
	if slices.ContainsFunc(said.Causes, func(c report.Cause) bool { return c.Name == diagnose.UpgradeIncomplete }) {
		t.Errorf("status says that the upgrade is not complete: %s", status)
	}
	if got := strings.Fields(b.kubectl("get", "mutatingwebhookconfigurations", "-o", "jsonpath={.items[*].metadata.name}")); slices.Contains(got, "admission-webhook-mutating-webhook-configuration") {
		t.Errorf("two webhooks for PodDefaults: %v", got)
	}
	if got := b.kubectl("get", "mutatingwebhookconfigurations", "poddefaults-webhook-mutating-webhook-configuration", "-o", "jsonpath={.webhooks[*].matchConditions}"); got != "" {
		t.Errorf("the condition of the take-over is left: %s", got)
	}
	for what, args := range map[string][]string{
		"ReplicaSets of replaced Deployments": {"replicasets", "-A", "-l", memberSelector, "-o", "name"},
		"the copy of a policy":                {"authorizationpolicies", "-n", "kubeflow", "profiles-kfam-before-upgrade", "-o", "name", "--ignore-not-found"},
		"the older webhook's certificate":     {"secrets", "-n", "kubeflow", "webhook-certs", "-o", "name", "--ignore-not-found"},
		"the older webhook's Deployment":      {"deployments", "-n", "kubeflow", "admission-webhook-deployment", "-o", "name", "--ignore-not-found"},
	} {
		if left := b.kubectl(append([]string{"get"}, args...)...); left != "" {
			t.Errorf("left: %s: %s", what, left)
		}
	}
	if got := b.kubectl("get", "namespace", "kubeflow", "-o", `jsonpath={.metadata.labels.pod-security\.kubernetes\.io/enforce}`); got != "restricted" {
		t.Errorf("namespace kubeflow enforces %q", got)
	}
}
