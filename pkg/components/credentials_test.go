package components_test

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// credentialsFilter is what keeps credentials from notebooks, with its script.
func credentialsFilter(t *testing.T, objects []*unstructured.Unstructured) (filter *unstructured.Unstructured, script string) {
	t.Helper()
	filter = find(t, objects, "EnvoyFilter", "istio-system", "istio-ingressgateway-credentials")
	everyString(filter.Object, func(s string) {
		if strings.Contains(s, "envoy_on_request") {
			script = s
		}
	})
	if script == "" {
		t.Fatal("the filter has no script")
	}
	return filter, script
}

func TestOnlyTheLoginsOwnServicesGetCredentials(t *testing.T) {
	forEachVariant(t, func(t *testing.T, objects []*unstructured.Unstructured) {
		_, script := credentialsFilter(t, objects)
		if session := proxySetting(t, objects, "cookie_name"); !strings.Contains(script, fmt.Sprintf("local session = %q\n", session)) {
			t.Errorf("the script does not know the session cookie %s", session)
		}
		// The clusters that istiod makes of the Services which the stack's routes lead to.
		want := map[string]bool{}
		for _, service := range []struct{ namespace, name string }{{"oauth2-proxy", "oauth2-proxy"}, {"auth", "dex"}} {
			ports, _, err := unstructured.NestedSlice(find(t, objects, "Service", service.namespace, service.name).Object, "spec", "ports")
			if err != nil || len(ports) != 1 {
				t.Fatalf("Service %s has the ports %v (%v), want one", service.name, ports, err)
			}
			want[fmt.Sprintf("outbound|%v||%s.%s.svc.cluster.local", ports[0].(map[string]any)["port"], service.name, service.namespace)] = true
		}
		got := map[string]bool{}
		for _, found := range regexp.MustCompile(`\["([^"]+)"\] = \{(session|authorization)`).FindAllStringSubmatch(script, -1) {
			got[found[1]] = true
		}
		if !maps.Equal(got, want) {
			t.Errorf("credentials are for %v, want %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
		}
	})
}

func TestTheIdentityIsSetAfterAllRoutesHaveHadTheirSay(t *testing.T) {
	forEachVariant(t, func(t *testing.T, objects []*unstructured.Unstructured) {
		filter, script := credentialsFilter(t, objects)
		rules, _, err := unstructured.NestedSlice(find(t, objects, "RequestAuthentication", "istio-system", "dex-jwt").Object, "spec", "jwtRules")
		if err != nil {
			t.Fatal(err)
		}
		claims, _, err := unstructured.NestedSlice(rules[0].(map[string]any), "outputClaimToHeaders")
		if err != nil || len(claims) == 0 {
			t.Fatalf("the token makes no headers: %v", err)
		}
		patches, _, err := unstructured.NestedSlice(filter.Object, "spec", "configPatches")
		if err != nil {
			t.Fatal(err)
		}
		last := patches[len(patches)-1].(map[string]any)
		if last["applyTo"] != "ROUTE_CONFIGURATION" {
			t.Fatalf("the last patch is for %v", last["applyTo"])
		}
		value, _, _ := unstructured.NestedMap(last, "patch", "value")
		for _, c := range claims {
			header := c.(map[string]any)["header"].(string)
			if removed, _, _ := unstructured.NestedStringSlice(value, "request_headers_to_remove"); !slices.Contains(removed, header) {
				t.Errorf("a route's own %s would stay", header)
			}
			if !strings.Contains(fmt.Sprint(value["request_headers_to_add"]), "key:"+header) || !strings.Contains(script, fmt.Sprintf("headers:get(%q)", header)) {
				t.Errorf("%s is not that of the token", header)
			}
		}
	})
}

func TestTheFilterForCredentialsIsTheSameInAllVariants(t *testing.T) {
	var first map[string]any
	forEachVariant(t, func(t *testing.T, objects []*unstructured.Unstructured) {
		filter, _ := credentialsFilter(t, objects)
		if first == nil {
			first = filter.Object
		}
		// `login-url` compares the one in a cluster with it, whatever was chosen there.
		if !reflect.DeepEqual(filter.Object, first) {
			t.Error("it differs")
		}
	})
}
