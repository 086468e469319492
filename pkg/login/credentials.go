package login

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// CredentialsRef names the filter that keeps people's credentials from notebooks.
var CredentialsRef = report.Ref{Group: networkingGroup, Kind: "EnvoyFilter", Namespace: istioNamespace, Name: "istio-ingressgateway-credentials"}

// credentialsDoes is what it is for, credentialsWithout what happens without it.
const (
	credentialsDoes    = "removes the session cookie and the token before other services than the stack's own get a request"
	credentialsWithout = "notebooks get the session cookie and the token of everyone who opens them, and can act as them"
)

// CredentialsCauses name what keeps the filter from doing what it is for. It reads Filters,
// Filter and oauth2-proxy's settings; what could not be read proves nothing.
func (g *Ground) CredentialsCauses() []report.Cause {
	if g.credentialsUnread() {
		return nil
	}
	c := report.Cause{
		Name: diagnose.CredentialsForwarded, Severity: report.Fatal, Component: proxyComponent, Object: CredentialsRef,
		Remedy: "kubectl jupyter install --only " + proxyComponent,
	}
	f := g.filter()
	if f == nil {
		c.Summary = fmt.Sprintf("%s %s is missing: %s", CredentialsRef.Kind, CredentialsRef.Name, credentialsWithout)
		c.Evidence = []string{CredentialsRef.String() + ": not found"}
		return []report.Cause{c}
	}
	if wrong := g.filterWrong(f); wrong != "" {
		c.Summary = fmt.Sprintf("%s %s %s: %s", CredentialsRef.Kind, CredentialsRef.Name, wrong, credentialsWithout)
		c.Evidence = []string{CredentialsRef.String() + ": " + wrong}
		c.Remedy += " --adopt"
		return []report.Cause{c}
	}
	for _, other := range g.Filters {
		if other != f && interferes(other) {
			ref := report.Ref{Group: networkingGroup, Kind: other.GetKind(), Namespace: other.GetNamespace(), Name: other.GetName()}
			c.Object, c.Component = ref, ""
			c.Summary = fmt.Sprintf("EnvoyFilter %s disables or replaces %s: %s", other.GetName(), CredentialsRef.Name, credentialsWithout)
			c.Evidence = []string{ref.String() + ": a patch is for filters of " + CredentialsRef.String()}
			c.Remedy = fmt.Sprintf("kubectl -n %s get envoyfilter %s -o yaml   shows it", other.GetNamespace(), other.GetName())
			return []report.Cause{c}
		}
	}
	return nil
}

func (g *Ground) credentialsUnread() bool { return g.listFailed(CredentialsRef.Kind, istioNamespace) }

// filter is the one in the cluster; nil where there is none.
func (g *Ground) filter() *unstructured.Unstructured {
	for _, f := range g.Filters {
		if f.GetName() == CredentialsRef.Name && f.GetNamespace() == istioNamespace {
			return f
		}
	}
	return nil
}

// filterWrong says what the filter does not do that it must. Whatever differs from what is
// installed is taken for wrong: what a script removes can be told only by running it.
func (g *Ground) filterWrong(f *unstructured.Unstructured) string {
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
	if g.Filter != nil && !reflect.DeepEqual(normal(f.Object["spec"]), normal(g.Filter.Object["spec"])) {
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

// interferes tells of another filter of the mesh's root namespace that it takes ours out or
// replaces it: its patch is for a filter of that name, or for all of them.
func interferes(f *unstructured.Unstructured) bool {
	for _, p := range patches(f) {
		applies, _, _ := unstructured.NestedString(p, "applyTo")
		operation, _, _ := unstructured.NestedString(p, "patch", "operation")
		of, named, _ := unstructured.NestedString(p, "match", "listener", "filterChain", "filter", "subFilter", "name")
		if applies != "HTTP_FILTER" || operation != "REMOVE" && operation != "REPLACE" && operation != "MERGE" {
			continue
		}
		if strings.HasPrefix(of, CredentialsRef.Name) || !named && operation == "REMOVE" {
			return true
		}
	}
	return false
}

// credentials tells that notebooks are not handed what lets them act as their visitors. What
// a notebook gets is seen by the notebook alone, so this probe reads the filter as it was
// applied, and the route of a notebook that runs.
func (w *walk) credentials(ctx context.Context) verdict {
	v := verdict{asked: "get " + CredentialsRef.String()}
	if w.g.credentialsUnread() {
		return skip("the EnvoyFilters of " + istioNamespace + " could not be read")
	}
	if v.causes = w.g.CredentialsCauses(); len(v.causes) > 0 {
		v.outcome, v.came = report.ProbeFailed, "handed on: the EnvoyFilter is missing, changed or disabled"
		return v
	}
	v.outcome = report.ProbePassed
	v.came = "removed, as the EnvoyFilter in the cluster says; from outside it cannot be seen"
	if profile := w.g.profileOf(w.o.Email); profile != nil && w.stopped == "" {
		if running, err := w.source.notebooks(ctx, profile.Name); err == nil && len(running) > 0 {
			if to := w.source.destination(ctx, running[0]); to != "" {
				v.came += fmt.Sprintf(" (the route of notebook %s leads to %s)", running[0].Name, to)
			}
		}
	}
	return v
}

// credentialsLink is the filter on the way of a request.
func (g *Ground) credentialsLink() report.Link {
	l := report.Link{Object: CredentialsRef, State: report.Ready, Says: credentialsDoes}
	causes := g.CredentialsCauses()
	switch {
	case g.credentialsUnread():
		l.State, l.Problem = report.Unknown, "could not be read"
	case g.filter() == nil:
		l.State, l.Says, l.Problem = report.Missing, "", credentialsWithout
	case len(causes) > 0:
		l.State, l.Problem = report.Failed, causes[0].Summary
	}
	return l
}
