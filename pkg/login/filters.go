package login

import (
	"fmt"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// duty is what an EnvoyFilter of the installation is for.
type duty struct {
	ref report.Ref
	// cause is what is told where it does not do it, component what brings it back, without
	// what happens meanwhile.
	cause, component, without string
	// expected is the filter as it is installed; nil where that is not known.
	expected *unstructured.Unstructured
}

// filterCauses name what keeps a filter from its duty.
func (g *Ground) filterCauses(d duty) []report.Cause {
	if g.listFailed(d.ref.Kind, istioNamespace) {
		return nil
	}
	c := report.Cause{
		Name: d.cause, Severity: report.Fatal, Component: d.component, Object: d.ref,
		Remedy: "kubectl jupyter install --only " + d.component,
	}
	f := g.filterNamed(d.ref.Name)
	if f == nil {
		c.Summary = fmt.Sprintf("%s %s is missing: %s", d.ref.Kind, d.ref.Name, d.without)
		c.Evidence = []string{d.ref.String() + ": not found"}
		return []report.Cause{c}
	}
	if wrong := g.filterWrong(f, d); wrong != "" {
		c.Summary = fmt.Sprintf("%s %s %s: %s", d.ref.Kind, d.ref.Name, wrong, d.without)
		c.Evidence = []string{d.ref.String() + ": " + wrong}
		c.Remedy += " --adopt"
		return []report.Cause{c}
	}
	for _, other := range g.Filters {
		if other != f && interferes(other, d.ref.Name) {
			ref := report.Ref{Group: networkingGroup, Kind: other.GetKind(), Namespace: other.GetNamespace(), Name: other.GetName()}
			c.Object, c.Component = ref, ""
			c.Summary = fmt.Sprintf("EnvoyFilter %s disables or replaces %s: %s", other.GetName(), d.ref.Name, d.without)
			c.Evidence = []string{ref.String() + ": a patch is for filters of " + d.ref.String()}
			c.Remedy = fmt.Sprintf("kubectl -n %s get envoyfilter %s -o yaml   shows it", other.GetNamespace(), other.GetName())
			return []report.Cause{c}
		}
	}
	return nil
}

// filterNamed is a filter in the cluster; nil where there is none.
func (g *Ground) filterNamed(name string) *unstructured.Unstructured {
	for _, f := range g.Filters {
		if f.GetName() == name && f.GetNamespace() == istioNamespace {
			return f
		}
	}
	return nil
}

// filterWrong says what a filter does not do that it must. Whatever differs from what is
// installed is taken for wrong: what a script does can be told only by running it.
func (g *Ground) filterWrong(f *unstructured.Unstructured, d duty) string {
	if f.GetDeletionTimestamp() != nil {
		return "is being deleted"
	}
	labels, _, _ := unstructured.NestedStringMap(f.Object, "spec", "workloadSelector", "labels")
	if s := g.selectsOthers(labels); s != "" {
		return s
	}
	if n := len(patches(f)); n == 0 {
		return "has no patch: it does nothing"
	}
	if d.expected != nil && !reflect.DeepEqual(normal(f.Object["spec"]), normal(d.expected.Object["spec"])) {
		return "differs from what this version installs"
	}
	if cookie := g.Proxy["cookie_name"]; cookie != "" && !strings.Contains(scripts(f), fmt.Sprintf("%q", cookie)) {
		return fmt.Sprintf("does not remove the cookie %s, which oauth2-proxy is told to use", cookie)
	}
	return ""
}

// normal makes numbers of one type of those that were read and those that were rendered.
func normal(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			out[key] = normal(value)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = normal(v[i])
		}
		return out
	case int64:
		return float64(v)
	}
	return v
}

func patches(f *unstructured.Unstructured) []map[string]any {
	all, _, _ := unstructured.NestedSlice(f.Object, "spec", "configPatches")
	var out []map[string]any
	for _, p := range all {
		if m, ok := p.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

// scripts of a filter's patches.
func scripts(f *unstructured.Unstructured) string {
	var out string
	for _, p := range patches(f) {
		text, _, _ := unstructured.NestedString(p, "patch", "value", "typed_config", "default_source_code", "inline_string")
		out += text
	}
	return out
}

// interferes tells of another filter of the mesh's root namespace that it takes one of ours
// out or replaces it: its patch is for a filter of that name, or for all of them.
func interferes(f *unstructured.Unstructured, with string) bool {
	for _, p := range patches(f) {
		applies, _, _ := unstructured.NestedString(p, "applyTo")
		operation, _, _ := unstructured.NestedString(p, "patch", "operation")
		of, named, _ := unstructured.NestedString(p, "match", "listener", "filterChain", "filter", "subFilter", "name")
		if applies != "HTTP_FILTER" || operation != "REMOVE" && operation != "REPLACE" && operation != "MERGE" {
			continue
		}
		if strings.HasPrefix(of, with) || !named && operation == "REMOVE" {
			return true
		}
	}
	return false
}

// filterLink is a filter on the way of a request.
func (g *Ground) filterLink(ref report.Ref, does, without string, causes []report.Cause) report.Link {
	l := report.Link{Object: ref, State: report.Ready, Says: does}
	switch {
	case g.listFailed(ref.Kind, istioNamespace):
		l.State, l.Problem = report.Unknown, "could not be read"
	case g.filterNamed(ref.Name) == nil:
		l.State, l.Says, l.Problem = report.Missing, "", without
	case len(causes) > 0:
		l.State, l.Problem = report.Failed, causes[0].Summary
	}
	return l
}
