//go:build e2e

package e2e

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

var (
	refusedRole    = regexp.MustCompile(`((?:cluster)?roles)\.rbac\.authorization\.k8s\.io "probe-([^"]+)" is forbidden`)
	refusedBinding = regexp.MustCompile(`((?:cluster)?rolebindings)\.rbac\.authorization\.k8s\.io "probe-([^"]+)" is forbidden`)
	// This one names the role.
	unknownRole = regexp.MustCompile(`(?:cluster)?rolebindings\.rbac\.authorization\.k8s\.io "([^"]+)" not found`)
)

// mayGrant compares what the role may escalate and bind, by name, with what the server of
// an empty cluster refuses to somebody who has all of the role but that. A binding to a
// role that is not there yet is refused too: roles and their bindings are sent side by side.
func (b *bed) mayGrant(t *testing.T, role rbacv1.ClusterRole) {
	granted := map[string]bool{}
	plain := role.DeepCopy()
	plain.Name = "without-granting"
	plain.Rules = slices.DeleteFunc(plain.Rules, func(rule rbacv1.PolicyRule) bool {
		if !slices.ContainsFunc(rule.Verbs, func(v string) bool { return slices.Contains(granting, v) }) {
			return false
		}
		for _, verb := range rule.Verbs {
			for _, resource := range rule.Resources {
				if len(rule.ResourceNames) == 0 {
					t.Errorf("the role may %s every one of %s", verb, resource)
				}
				for _, name := range rule.ResourceNames {
					granted[verb+" "+resource+" "+name] = true
				}
			}
		}
		return true
	})
	b.bind(*plain, "eve")
	var probes []string
	bound, kinds := map[string]string{}, map[string]string{} // binding -> role, role -> kind
	for _, object := range strings.Split(b.must("render").Stdout+b.must("render", "metallb").Stdout, "---\n") {
		var o struct {
			Kind     string
			Metadata struct{ Name, Namespace string }
			RoleRef  rbacv1.RoleRef
		}
		if err := yaml.Unmarshal([]byte(object), &o); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains([]string{"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"}, o.Kind) {
			continue
		}
		probe := strings.Replace(object, "\n  name: "+o.Metadata.Name+"\n", "\n  name: probe-"+o.Metadata.Name+"\n", 1)
		if o.Metadata.Namespace != "" {
			probe = strings.Replace(probe, "\n  namespace: "+o.Metadata.Namespace+"\n", "\n  namespace: default\n", 1)
		}
		probes = append(probes, probe)
		if o.RoleRef.Name != "" {
			kind := strings.ToLower(o.RoleRef.Kind) + "s"
			bound[strings.ToLower(o.Kind)+"s "+o.Metadata.Name] = kind + " " + o.RoleRef.Name
			kinds[o.RoleRef.Name] = kind
		}
	}
	_, err := b.tryKubectl(strings.Join(probes, "---\n"), "create", "--dry-run=server", "--as=eve", "-f", "-")
	if err == nil {
		t.Fatal("nothing was refused: the check has nothing to check")
	}
	// What `user share` binds is in no manifest.
	needed := map[string]bool{"bind clusterroles kubeflow-edit": true, "bind clusterroles kubeflow-view": true}
	for line := range strings.Lines(err.Error()) {
		if m := refusedRole.FindStringSubmatch(line); m != nil {
			needed["escalate "+m[1]+" "+m[2]] = true
		} else if m := refusedBinding.FindStringSubmatch(line); m != nil {
			needed["bind "+bound[m[1]+" "+m[2]]] = true
		} else if m := unknownRole.FindStringSubmatch(line); m != nil {
			needed["bind "+kinds[m[1]]+" "+m[1]] = true
		} else if strings.HasPrefix(line, "Error") {
			t.Errorf("kubectl: %s", line)
		}
	}
	for _, n := range slices.Sorted(maps.Keys(needed)) {
		if !granted[n] {
			t.Errorf("needed, and not in the role: %s", n)
		}
	}
	for _, g := range slices.Sorted(maps.Keys(granted)) {
		if !needed[g] {
			t.Errorf("in the role, and not needed: %s", g)
		}
	}
}
