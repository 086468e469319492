package rollout

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

func TestCreateOnlyFields(t *testing.T) {
	const desired = `
kind: ValidatingWebhookConfiguration
metadata:
  name: v
  annotations: {kubectl-jupyter/create-only-fields: "webhooks[*].failurePolicy"}
webhooks:
- {name: a, failurePolicy: Ignore}
- {name: b, failurePolicy: Ignore}
`
	tests := []struct {
		name, live string
		want       []any // failurePolicy of a and b, nil where it is not sent
	}{
		{"are sent when the object is created", "", []any{"Ignore", "Ignore"}},
		{
			"are sent as long as the live value is ours, since leaving them out would remove them",
			"webhooks: [{name: a, failurePolicy: Ignore}, {name: b, failurePolicy: Ignore}]",
			[]any{"Ignore", "Ignore"},
		},
		{"are left to whoever changed them", "webhooks: [{name: b, failurePolicy: Fail}, {name: a, failurePolicy: Ignore}]", []any{"Ignore", nil}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var live *unstructured.Unstructured
			if tt.live != "" {
				live = object(t, tt.live)
			}
			want := object(t, desired)
			got := withoutForeign(want, live)
			var policies []any
			for _, w := range got.Object["webhooks"].([]any) {
				policies = append(policies, w.(map[string]any)["failurePolicy"])
			}
			if diff := cmp.Diff(tt.want, policies); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(object(t, desired), want); diff != "" {
				t.Errorf("the plan's own object was changed: %s", diff)
			}
		})
	}
}

func TestReadiness(t *testing.T) {
	tests := []struct {
		name, object string
		want         bool
	}{
		{
			"a Certificate without a condition is not ready, whatever kstatus says",
			"{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {name: x}}", false,
		},
		{
			"a Certificate is ready when its controller says so",
			"{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {name: x}, status: {conditions: [{type: Ready, status: 'True'}]}}", true,
		},
		{
			"a Deployment that was just created is not ready",
			"{apiVersion: apps/v1, kind: Deployment, metadata: {name: x, generation: 1}, spec: {replicas: 1}}", false,
		},
		{"a ConfigMap is ready when it exists", "{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, message := Readiness(object(t, tt.object)); got != tt.want {
				t.Errorf("readiness = %v (%s), want %v", got, message, tt.want)
			}
		})
	}
	if ok, _ := Readiness(nil); ok {
		t.Error("an object that does not exist is ready")
	}
}

func TestUninstallGoesBackwards(t *testing.T) {
	tests := []struct {
		name string
		key  key
		want int
	}{
		{"notebooks go first, while their controller runs", key{"kubeflow.org", "Notebook", "ns", "n"}, stepNotebooks},
		{"then profiles, which hold a finalizer of their controller", key{"kubeflow.org", "Profile", "", "p"}, stepProfiles},
		{"webhooks go before the Deployments that answer them", key{"admissionregistration.k8s.io", "MutatingWebhookConfiguration", "", "w"}, stepWebhooks},
		{"custom resources go while their definitions exist", key{"cert-manager.io", "Issuer", "ns", "i"}, stepCustom},
		{"workloads", key{"apps", "Deployment", "ns", "d"}, stepWorkloads},
		{"rights are no custom resources", key{"rbac.authorization.k8s.io", "ClusterRole", "", "c"}, stepRest},
		{"an autoscaler is no custom resource", key{"autoscaling", "HorizontalPodAutoscaler", "ns", "h"}, stepRest},
		{"definitions", key{"apiextensions.k8s.io", "CustomResourceDefinition", "", "c"}, stepDefinitions},
		{"namespaces last", key{"", "Namespace", "", "n"}, stepNamespaces},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := stepOf(tt.key); got != tt.want {
				t.Errorf("stepOf = %s, want %s", stepNames[got], stepNames[tt.want])
			}
		})
	}
}
