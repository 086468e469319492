package components_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// KFAM does what it is asked to for anybody: makes Profiles, and tells who works where.
func TestPeopleReachOneQuestionOfKFAM(t *testing.T) {
	forEachRelease(t, func(t *testing.T, release string) {
		objects := render(t, release, components.Options{}, "profiles")
		policy := find(t, objects, "AuthorizationPolicy", "kubeflow", "profiles-kfam")
		rules, _, _ := unstructured.NestedSlice(policy.Object, "spec", "rules")
		const gateway = "cluster.local/ns/istio-system/sa/istio-ingressgateway-service-account"
		var admitted []any
		for _, r := range rules {
			rule := r.(map[string]any)
			from := rule["from"].([]any)[0].(map[string]any)["source"].(map[string]any)["principals"].([]any)
			if cmp.Equal(from, []any{gateway}) {
				admitted = append(admitted, rule["to"])
			} else if len(from) != 1 {
				t.Errorf("a rule admits %v", from)
			}
		}
		want := []any{[]any{map[string]any{"operation": map[string]any{"methods": []any{"GET"}, "paths": []any{"/kfam/v1/bindings"}}}}}
		if d := cmp.Diff(want, admitted); d != "" {
			t.Errorf("what the gateway is admitted to (-want +got):\n%s", d)
		}
		// The filter that makes it a question about oneself is in the same pods as the policy.
		filter := find(t, objects, "EnvoyFilter", "kubeflow", "profiles-kfam-people")
		of, _, _ := unstructured.NestedMap(filter.Object, "spec", "workloadSelector", "labels")
		selected, _, _ := unstructured.NestedMap(policy.Object, "spec", "selector", "matchLabels")
		program := find(t, objects, "Deployment", "kubeflow", "profiles-deployment")
		labels, _, _ := unstructured.NestedMap(program.Object, "spec", "template", "metadata", "labels")
		for name, value := range of {
			if labels[name] != value {
				t.Errorf("the filter is for pods with %s=%v, KFAM's have %v", name, value, labels[name])
			}
		}
		if len(of) == 0 || !cmp.Equal(of, selected) {
			t.Errorf("the filter is for %v, the policy for %v", of, selected)
		}
	})
}

func TestOnlyWithSelfServiceDoPeopleMakeProfiles(t *testing.T) {
	forEachRelease(t, func(t *testing.T, release string) {
		for name, c := range map[string]struct {
			service components.SelfService
			table   string
			makes   bool
		}{
			"nobody":   {components.SelfService{}, "local service = nil\n", false},
			"everyone": {components.SelfService{On: true}, "local service = {domains = nil, groups = nil, quota = '{}'}\n", true},
			"some, with a quota": {
				components.SelfService{On: true, Domains: []string{"example.com", "example.org"}, Groups: []string{"students"}, Quota: map[string]string{"memory": "16Gi", "cpu": "4"}},
				`local service = {domains = {["example.com"] = true, ["example.org"] = true}, groups = {["students"] = true}, quota = '{"cpu":"4","memory":"16Gi"}'}` + "\n", true,
			},
		} {
			t.Run(name, func(t *testing.T) {
				objects := render(t, release, components.Options{SelfService: c.service}, "profiles")
				found := false
				everyString(find(t, objects, "EnvoyFilter", "kubeflow", "profiles-kfam-people").Object, func(s string) { found = found || strings.Contains(s, c.table) })
				if !found {
					t.Errorf("the filter does not have %s", c.table)
				}
				makes := false
				everyString(find(t, objects, "AuthorizationPolicy", "kubeflow", "profiles-kfam").Object, func(s string) { makes = makes || s == "/kfam/v1/profiles" })
				if makes != c.makes {
					t.Errorf("people may make Profiles: %t", makes)
				}
			})
		}
	})
}

func TestSelfServiceTakesOnlyWhatNeedsNoQuotes(t *testing.T) {
	for name, c := range map[string]struct {
		service components.SelfService
		want    string
	}{
		"a domain and a group":       {components.SelfService{On: true, Domains: []string{"cs.example.com"}, Groups: []string{"org:team", "CN=students,DC=example"}}, ""},
		"a quota":                    {components.SelfService{On: true, Quota: map[string]string{"requests.nvidia.com/gpu": "1"}}, ""},
		"a domain with an at":        {components.SelfService{On: true, Domains: []string{"@example.com"}}, "--allow-domain"},
		"a domain in capitals":       {components.SelfService{On: true, Domains: []string{"Example.com"}}, "--allow-domain"},
		"a group that ends a string": {components.SelfService{On: true, Groups: []string{`a"] = true} os.exit() --`}}, "--allow-group"},
		"no group":                   {components.SelfService{On: true, Groups: []string{""}}, "--allow-group"},
		"a quota that is none":       {components.SelfService{On: true, Quota: map[string]string{"cpu": "'}"}}, "--default-quota"},
		"a quota of nothing":         {components.SelfService{On: true, Quota: map[string]string{`"},"x":{`: "1"}}, "--default-quota"},
		"a quota in short":           {components.SelfService{On: true, Quota: map[string]string{"gpu": "1"}}, "requests.nvidia.com/gpu=1"},
	} {
		t.Run(name, func(t *testing.T) {
			err := components.Options{SelfService: c.service}.Validate()
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
