package components_test

import (
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// forPeople is what the label of a role begins with that a Profile binds to people and to
// the account of their notebooks.
const forPeople = "rbac.authorization.kubeflow.org/aggregate-to-kubeflow-"

// writing are the verbs that change something.
var writing = []string{"create", "update", "patch", "delete", "deletecollection"}

// TestPeopleGetNoRightThatReachesBeyondTheirNamespace looks at every rule that ends up in
// kubeflow-admin, -edit or -view.
func TestPeopleGetNoRightThatReachesBeyondTheirNamespace(t *testing.T) {
	tests := []struct {
		why       string
		verbs     []string
		resources []string
	}{
		{"impersonating takes somebody else's identity", []string{"impersonate"}, nil},
		{"escalating and binding grant rights that one does not have", []string{"escalate", "bind"}, nil},
		{"a wildcard grants what nobody has thought of", []string{"*"}, nil},
		{"endpoints lead what trusts a Service to other namespaces (CVE-2021-25740)", writing, []string{"endpoints", "endpointslices"}},
		{"a token of an account outlives the pod and leaves no trace of who uses it", writing, []string{"serviceaccounts/token"}},
		{"routes and policies of the mesh decide what the gateway does", writing, []string{"virtualservices", "gateways", "envoyfilters", "authorizationpolicies"}},
	}
	for _, test := range tests {
		t.Run(test.why, func(t *testing.T) {
			forEachVariant(t, func(t *testing.T, objects []*unstructured.Unstructured) {
				checked := 0
				for _, u := range ofKind(objects, "ClusterRole") {
					if !forPeopleBound(u) {
						continue
					}
					for _, rule := range typed[rbacv1.ClusterRole](t, u).Rules {
						checked++
						for _, verb := range test.verbs {
							if !slices.Contains(rule.Verbs, verb) && !slices.Contains(rule.Verbs, "*") {
								continue
							}
							if test.resources == nil {
								t.Errorf("%s may %s %v", id(u), verb, rule.Resources)
							}
							for _, resource := range test.resources {
								if slices.Contains(rule.Resources, resource) || slices.Contains(rule.Resources, "*") {
									t.Errorf("%s may %s %s", id(u), verb, resource)
								}
							}
						}
					}
				}
				if checked == 0 {
					t.Error("no role of people was rendered")
				}
			})
		})
	}
}

// TestNobodyPutsRoutesOnTheGatewayWithAnIngress: people may create Ingresses.
func TestNobodyPutsRoutesOnTheGatewayWithAnIngress(t *testing.T) {
	forEachVariant(t, func(t *testing.T, objects []*unstructured.Unstructured) {
		var mesh struct{ IngressControllerMode string }
		if err := yaml.Unmarshal([]byte(text(t, find(t, objects, "ConfigMap", "istio-system", "istio"), "data", "mesh")), &mesh); err != nil {
			t.Fatal(err)
		}
		if mesh.IngressControllerMode != "OFF" {
			t.Errorf("ingressControllerMode is %q: istiod takes Ingresses for routes of the gateway", mesh.IngressControllerMode)
		}
	})
}

func forPeopleBound(role *unstructured.Unstructured) bool {
	for label := range role.GetLabels() {
		if strings.HasPrefix(label, forPeople) {
			return true
		}
	}
	return false
}
