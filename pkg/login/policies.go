package login

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// hop is a policy of the gateway, in the order in which they are asked.
type hop struct {
	kind, name string
	// does is what it is for.
	does string
	// without is what happens when it is missing.
	without string
	// wrong says what a policy says that it must not, or not what it must.
	wrong func(*Ground, *unstructured.Unstructured) string
}

func (h hop) ref() report.Ref {
	return report.Ref{Group: securityGroup, Kind: h.kind, Namespace: istioNamespace, Name: h.name}
}

var policyHops = []hop{
	{
		"AuthorizationPolicy", checkPolicy, "asks oauth2-proxy whether the user is logged in",
		"no one gets the sign-in page", checkPolicyWrong,
	},
	{
		"RequestAuthentication", tokenPolicy, "validates Dex's token and sets the header kubeflow-userid from it",
		"a forged kubeflow-userid header is not replaced", tokenPolicyWrong,
	},
	{
		"AuthorizationPolicy", requirePolicy, "denies requests without a valid token",
		"a request with any Authorization header bypasses oauth2-proxy", requirePolicyWrong,
	},
	{
		"AuthorizationPolicy", openPolicy, "allows requests to the gateway that no policy denied",
		"the gateway denies everything", openPolicyWrong,
	},
	{
		"AuthorizationPolicy", denyPolicy, "denies requests in the mesh that no policy allows",
		"pods of the mesh can use the web app as any user", nil,
	},
}

// policyCauses names every policy that is missing or does not say what it must. What
// could not be read proves nothing.
func (g *Ground) policyCauses() []report.Cause {
	var causes []report.Cause
	for _, h := range policyHops {
		if g.policyUnread(h.kind) {
			continue
		}
		component := proxyComponent
		if h.name == openPolicy || h.name == denyPolicy {
			component = istioComponent
		}
		remedy := "kubectl jupyter install --only " + component
		p := g.policy(h.kind, h.name)
		if p == nil {
			causes = append(causes, report.Cause{
				Name: diagnose.PolicyMissing, Severity: report.Error, Component: component, Object: h.ref(),
				Summary: fmt.Sprintf("%s %s is missing: %s", h.kind, h.name, h.without), Remedy: remedy,
			})
			continue
		}
		if h.wrong == nil {
			continue
		}
		if wrong := h.wrong(g, p); wrong != "" {
			causes = append(causes, report.Cause{
				Name: diagnose.PolicyChanged, Severity: report.Error, Component: component, Object: h.ref(),
				Summary: fmt.Sprintf("%s %s %s", h.kind, h.name, wrong), Remedy: remedy + " --adopt",
			})
		}
	}
	return causes
}

func (g *Ground) policyUnread(kind string) bool { return g.listFailed(kind, istioNamespace) }

// listFailed tells that the objects of a kind in a namespace could not be read.
func (g *Ground) listFailed(kind, namespace string) bool {
	return slices.ContainsFunc(g.failed, func(f readError) bool { return f.what == kind+" of "+namespace })
}

// loginPaths are open to everybody: nobody is logged in when the login begins.
var loginPaths = []string{"/dex/*", "/dex/**", "/oauth2/*"}

func checkPolicyWrong(g *Ground, p *unstructured.Unstructured) string {
	if a := text(p, "spec", "action"); a != "CUSTOM" {
		return fmt.Sprintf("has the action %q instead of CUSTOM: oauth2-proxy is not consulted", a)
	}
	if provider := text(p, "spec", "provider", "name"); provider == "" {
		return "has no provider"
	}
	return g.narrowed(p, "when")
}

func requirePolicyWrong(g *Ground, p *unstructured.Unstructured) string {
	if a := text(p, "spec", "action"); a != "DENY" {
		return fmt.Sprintf("has the action %q instead of DENY: it denies nothing", a)
	}
	return g.narrowed(p, "from")
}

// narrowed says what a policy leaves open beside the login: it must be for the gateway's
// pods, and have one rule that leaves nothing out but the paths of the login. Field is
// the part of the rule that says whom it is for.
func (g *Ground) narrowed(p *unstructured.Unstructured, field string) string {
	if s := g.selectsNot(p); s != "" {
		return s
	}
	rules, _, _ := unstructured.NestedSlice(p.Object, "spec", "rules")
	if len(rules) == 0 {
		return "has no rule: it applies to nothing"
	}
	for _, r := range rules {
		rule, _ := r.(map[string]any)
		open, covers := openPaths(rule)
		if !covers {
			continue
		}
		if len(open) > 0 {
			return "leaves " + strings.Join(open, ", ") + " open to everyone"
		}
		for key := range rule {
			if key != "to" && key != field {
				return fmt.Sprintf("applies only to some requests: its rule has %q", key)
			}
		}
		return ""
	}
	return "has no rule for the paths of the web app"
}

// openPaths are those that a rule leaves out, beside those of the login. Covers is false for
// a rule that is for some paths, methods or hosts only.
func openPaths(rule map[string]any) (open []string, covers bool) {
	to, _, _ := unstructured.NestedSlice(rule, "to")
	if len(to) == 0 {
		return nil, true
	}
	for _, t := range to {
		operation, _, _ := unstructured.NestedMap(t.(map[string]any), "operation")
		not, _, _ := unstructured.NestedStringSlice(operation, "notPaths")
		if len(operation) > 1 || (len(operation) == 1 && not == nil) {
			continue
		}
		for _, p := range not {
			if !slices.Contains(loginPaths, p) {
				open = append(open, p)
			}
		}
		return open, true
	}
	return nil, false
}

func openPolicyWrong(g *Ground, p *unstructured.Unstructured) string {
	if a := text(p, "spec", "action"); a != "" && a != "ALLOW" {
		return fmt.Sprintf("has the action %q instead of ALLOW", a)
	}
	return g.selectsNot(p)
}

func tokenPolicyWrong(g *Ground, p *unstructured.Unstructured) string {
	if s := g.selectsNot(p); s != "" {
		return s
	}
	rules, _, _ := unstructured.NestedSlice(p.Object, "spec", "jwtRules")
	for _, r := range rules {
		rule, _ := r.(map[string]any)
		headers, _, _ := unstructured.NestedSlice(rule, "outputClaimToHeaders")
		for _, h := range headers {
			if m, _ := h.(map[string]any); m["header"] == "kubeflow-userid" {
				return ""
			}
		}
	}
	return "does not set the header kubeflow-userid: a forged one is accepted"
}

// selectsNot says that a policy is not for the pods of the gateway.
func (g *Ground) selectsNot(p *unstructured.Unstructured) string {
	selector, _, _ := unstructured.NestedStringMap(p.Object, "spec", "selector", "matchLabels")
	return g.selectsOthers(selector)
}

// selectsOthers says that a selector is not for the pods of the gateway. One without labels
// is for all pods of the mesh's root namespace.
func (g *Ground) selectsOthers(selector map[string]string) string {
	d := g.deployment(istioNamespace, gatewayService)
	if d == nil {
		return ""
	}
	for k, v := range selector {
		if got := d.Spec.Template.Labels[k]; got != v {
			return fmt.Sprintf("selects pods with the label %s=%s, which the gateway's pods do not have", k, v)
		}
	}
	return ""
}

// issuers that the gateway accepts tokens of.
func (g *Ground) issuers() []string {
	p := g.policy("RequestAuthentication", tokenPolicy)
	if p == nil {
		return nil
	}
	rules, _, _ := unstructured.NestedSlice(p.Object, "spec", "jwtRules")
	var out []string
	for _, r := range rules {
		if rule, _ := r.(map[string]any); rule["issuer"] != nil {
			out = append(out, fmt.Sprint(rule["issuer"]))
		}
	}
	return out
}

// provider that the gateway asks, by the name in the policy; the Service behind it.
func (g *Ground) provider() (name string, service report.Ref, known bool) {
	name = proxyName
	if p := g.policy("AuthorizationPolicy", checkPolicy); p != nil {
		name = text(p, "spec", "provider", "name")
	}
	for _, p := range g.Providers {
		if p.Name == name && p.HTTP != nil {
			return name, serviceOf(p.HTTP.Service, istioNamespace), true
		}
	}
	return name, report.Ref{}, false
}

func text(u *unstructured.Unstructured, path ...string) string {
	s, _, _ := unstructured.NestedString(u.Object, path...)
	return s
}
