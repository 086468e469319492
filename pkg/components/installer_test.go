package components_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/component-helpers/auth/rbac/validation"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// installerRoles are what docs/rbac has for whoever installs a release, the common one first.
var installerRoles = map[string][]string{
	"1.10":  {"installer.yaml", "installer-1.10.yaml"},
	"26.03": {"installer.yaml"},
}

// may is what a role allows: rules, and which roles it may make and bind beyond its own.
type may struct {
	rules  []rbacv1.PolicyRule
	grants []string // VERB RESOURCE NAME
}

func readRole(t *testing.T, file string) may {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "docs", "rbac", file))
	if err != nil {
		t.Fatal(err)
	}
	var role rbacv1.ClusterRole
	if err := yaml.UnmarshalStrict(data, &role); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	var m may
	for _, rule := range role.Rules {
		if !slices.Contains(rule.Verbs, "escalate") && !slices.Contains(rule.Verbs, "bind") {
			m.rules = append(m.rules, rule)
			continue
		}
		for _, name := range rule.ResourceNames {
			m.grants = append(m.grants, rule.Verbs[0]+" "+rule.Resources[0]+" "+name)
		}
	}
	return m
}

// sharing is what `user share` binds, in namespaces of people.
var sharing = []string{"bind clusterroles kubeflow-edit", "bind clusterroles kubeflow-view"}

// granting lists what the server demands for the roles and bindings among the objects of
// somebody who has these rules.
func granting(t *testing.T, objects []*unstructured.Unstructured, rules []rbacv1.PolicyRule) []string {
	t.Helper()
	var needed []string
	for _, u := range ofKind(objects, "ClusterRole", "Role") {
		resource := strings.ToLower(u.GetKind()) + "s"
		// Both kinds look alike but for the aggregation.
		role := &rbacv1.ClusterRole{}
		data, err := u.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(data, role); err != nil {
			t.Fatal(err)
		}
		ok, _ := validation.Covers(rules, role.Rules)
		if !ok || role.AggregationRule != nil {
			needed = append(needed, "escalate "+resource+" "+u.GetName())
		}
	}
	for _, u := range ofKind(objects, "ClusterRoleBinding", "RoleBinding") {
		// A role that is not there yet, which is how it is while roles and bindings are
		// sent side by side, may not be bound either.
		needed = append(needed, "bind "+strings.ToLower(text(t, u, "roleRef", "kind"))+"s "+text(t, u, "roleRef", "name"))
	}
	slices.Sort(needed)
	return slices.Compact(needed)
}

// plural is what the API calls objects of a kind.
func plural(kind string) string {
	kind = strings.ToLower(kind)
	if stem, ok := strings.CutSuffix(kind, "y"); ok && !strings.HasSuffix(stem, "a") {
		return stem + "ies"
	}
	return kind + "s"
}

func TestTheInstallersRoleIsWhatAReleaseTakes(t *testing.T) {
	forEachRelease(t, func(t *testing.T, release string) {
		objects := render(t, release, components.Options{})
		var have may
		for i, file := range installerRoles[release] {
			role := readRole(t, file)
			for _, grant := range role.grants {
				if i > 0 && slices.Contains(have.grants, grant) {
					t.Errorf("%s has %s again", file, grant)
				}
			}
			have.rules, have.grants = append(have.rules, role.rules...), append(have.grants, role.grants...)
		}
		for _, u := range objects {
			group, resource := u.GroupVersionKind().Group, plural(u.GetKind())
			send := []rbacv1.PolicyRule{{APIGroups: []string{group}, Resources: []string{resource}, Verbs: []string{"get", "create", "patch", "delete"}}}
			if ok, lacking := validation.Covers(have.rules, send); !ok {
				t.Errorf("%s: the role lacks %v of %s %q", id(u), lacking, resource, group)
			}
		}
		needed := append(granting(t, objects, have.rules), sharing...)
		var lacking, idle []string
		for _, n := range needed {
			if !slices.Contains(have.grants, n) {
				lacking = append(lacking, n)
			}
		}
		for _, g := range have.grants {
			// What another release needs of the common role is idle here.
			if !slices.Contains(needed, g) && (len(installerRoles[release]) == 1 || !slices.Contains(readRole(t, installerRoles[release][0]).grants, g)) {
				idle = append(idle, g)
			}
		}
		if d := cmp.Diff([]string(nil), lacking); d != "" {
			t.Errorf("the role may not make or bind (+):\n%s", d)
		}
		if d := cmp.Diff([]string(nil), idle); d != "" {
			t.Errorf("the role may make or bind what needs no such right (+):\n%s", d)
		}
	})
}
