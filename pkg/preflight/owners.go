package preflight

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// product is software of the stack that somebody may have installed before.
type product struct {
	title string
	// group and kind are what its presence is known by, crd the definition's name.
	group, kind, crd string
	// components of the catalogue that bring it.
	components []string
	// controllers are label selectors, one for each way that it is commonly installed.
	controllers []string
}

var products = []product{
	{
		"cert-manager", "cert-manager.io", "Certificate", "certificates.cert-manager.io",
		[]string{"cert-manager"},
		[]string{"app.kubernetes.io/name=cert-manager,app.kubernetes.io/component=controller", "app=cert-manager"},
	},
	{
		"Istio", "networking.istio.io", "VirtualService", "virtualservices.networking.istio.io",
		[]string{"istio-crds", "istio"},
		[]string{"app=istiod"},
	},
	{
		"MetalLB", "metallb.io", "IPAddressPool", "ipaddresspools.metallb.io",
		[]string{"metallb"},
		[]string{"app=metallb,component=controller", "app.kubernetes.io/name=metallb,app.kubernetes.io/component=controller"},
	},
	{
		"Kubeflow's notebook controller", "kubeflow.org", "Notebook", "notebooks.kubeflow.org",
		[]string{"notebook-controller"},
		[]string{"app=notebook-controller"},
	},
}

// Existing is an installation of somebody else.
type Existing struct {
	Product string
	// Components of the catalogue that would bring it.
	Components []string
	CRD        string
	// ManagedBy is who looks after the definition.
	ManagedBy string
	// Controller is the Deployment that serves it, empty where only definitions are left.
	Controller report.Ref
	Version    string
	// Also are further controllers, of which there should be none.
	Also []report.Ref
}

func (e Existing) String() string {
	if e.Controller.Kind == "" {
		return fmt.Sprintf("CRDs of %s without a controller", e.Product)
	}
	return strings.TrimSpace(e.Product+" "+e.Version) + " in namespace " + e.Controller.Namespace
}

// managedBy says who looks after an object, as far as labels, annotations and field
// managers tell.
func managedBy(o metav1.Object) string {
	labels, notes := o.GetLabels(), o.GetAnnotations()
	named := func(what, namespace, name string) string {
		return strings.TrimSpace(what + " " + strings.TrimPrefix(namespace+"/"+name, "/"))
	}
	switch {
	case labels["helm.toolkit.fluxcd.io/name"] != "":
		return named("Flux HelmRelease", labels["helm.toolkit.fluxcd.io/namespace"], labels["helm.toolkit.fluxcd.io/name"])
	case labels["kustomize.toolkit.fluxcd.io/name"] != "":
		return named("Flux Kustomization", labels["kustomize.toolkit.fluxcd.io/namespace"], labels["kustomize.toolkit.fluxcd.io/name"])
	case notes["argocd.argoproj.io/tracking-id"] != "":
		app, _, _ := strings.Cut(notes["argocd.argoproj.io/tracking-id"], ":")
		return named("Argo CD application", "", app)
	case labels["argocd.argoproj.io/instance"] != "":
		return named("Argo CD application", "", labels["argocd.argoproj.io/instance"])
	case notes["meta.helm.sh/release-name"] != "":
		return named("Helm release", notes["meta.helm.sh/release-namespace"], notes["meta.helm.sh/release-name"])
	case labels["olm.owner"] != "":
		return named("OLM", labels["olm.owner.namespace"], labels["olm.owner"])
	case labels["olm.managed"] == "true":
		return "OLM"
	}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		if operator, ok := strings.CutPrefix(key, "operators.coreos.com/"); ok {
			return named("OLM", "", operator)
		}
	}
	switch {
	case labels["install.operator.istio.io/owning-resource"] != "":
		return "istioctl or its operator"
	case labels["addonmanager.kubernetes.io/mode"] != "":
		return "the cluster's addon manager"
	case labels["app.kubernetes.io/managed-by"] != "":
		return labels["app.kubernetes.io/managed-by"]
	}
	var managers []string
	for _, f := range o.GetManagedFields() {
		if f.Subresource == "" && !slices.Contains(managers, f.Manager) && !strings.HasPrefix(f.Manager, "kube-") {
			managers = append(managers, f.Manager)
		}
	}
	if len(managers) == 0 {
		return "an unknown manager"
	}
	return "field manager " + strings.Join(managers, ", ")
}

// conflictsShown bounds the objects that one cause names; a foreign Istio has hundreds.
const conflictsShown = 10

// findOwners: what the installation would write over, and what is there beside it.
func findOwners(f *Facts) (string, []report.Cause) {
	causes := conflictCauses(f.Conflicts, f.Existing, f.CanSkip)
	inTheWay := map[string]bool{}
	for _, c := range f.Conflicts {
		inTheWay[c.Component] = true
	}
	var beside []string
	for _, e := range f.Existing {
		if slices.ContainsFunc(e.Components, func(n string) bool { return inTheWay[n] }) {
			continue // told with what is in the way
		}
		beside = append(beside, e.String())
		causes = append(causes, f.beside(e))
	}
	switch {
	case len(f.Conflicts) > 0:
		return fmt.Sprintf("%s to another owner", belong(len(f.Conflicts))), causes
	case len(beside) > 0:
		return strings.Join(beside, "; "), causes
	}
	return "no conflicts with objects of other owners", nil
}

func belong(n int) string {
	if n == 1 {
		return "1 object belongs"
	}
	return fmt.Sprintf("%d objects belong", n)
}

// beside is an existing installation that no object of ours collides with.
func (f *Facts) beside(e Existing) report.Cause {
	c := report.Cause{
		Name: diagnose.ExistingInstallation, Severity: report.Info, Component: e.Components[0], Object: e.Controller,
		Also: e.Also, Summary: e.String(), Evidence: e.evidence(), Remedy: "none: it is used as it is, and its owner remains responsible for it",
	}
	if c.Object.Kind == "" {
		c.Object = report.Ref{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition", Name: e.CRD}
	}
	last := e.Components[len(e.Components)-1]
	uses := slices.Contains(f.UseExisting, last)
	switch {
	case uses && e.Controller.Kind == "":
		c.Severity = report.Warning
		c.Summary = fmt.Sprintf("--use-existing names %s, but only its CRDs exist", last)
		c.Remedy = "omit the flag, so that it is installed; the CRDs then need --adopt"
	case uses:
		if want, err := f.Release.Component(last); err == nil && e.Version != "" && strings.TrimPrefix(e.Version, "v") != strings.TrimPrefix(want.Version, "v") {
			c.Evidence = append(c.Evidence, fmt.Sprintf("the release uses %s", want.Version))
		}
	case !slices.Contains(f.Planned, last):
		c.Remedy = "none: it is not part of the stack"
	}
	return c
}

func (e Existing) evidence() []string {
	lines := []string{fmt.Sprintf("CustomResourceDefinition %s: managed by %s", e.CRD, e.ManagedBy)}
	if e.Controller.Kind != "" {
		lines = append(lines, fmt.Sprintf("%s: version %s", e.Controller, cmp.Or(e.Version, "unknown")))
	}
	return lines
}

// conflictCauses says of each component what is in its way, whose it is, and what can be
// chosen. canSkip tells whether components can be left out.
func conflictCauses(conflicts []rollout.Conflict, existing []Existing, canSkip func([]string) bool) []report.Cause {
	var names []string
	for _, c := range conflicts {
		if !slices.Contains(names, c.Component) {
			names = append(names, c.Component)
		}
	}
	var causes []report.Cause
	for _, name := range names {
		cause := report.Cause{Name: diagnose.BelongsToOthers, Severity: report.Fatal, Component: name}
		var lines, edited []string
		for _, c := range conflicts {
			if c.Component != name {
				continue
			}
			if cause.Object.Kind == "" {
				cause.Object = c.Ref
			} else {
				cause.Also = append(cause.Also, c.Ref)
			}
			lines = append(lines, c.String())
			if len(c.Fields) > 0 {
				edited = append(edited, c.Ref.String())
			}
		}
		var known string
		for _, e := range existing {
			if slices.Contains(e.Components, name) {
				known = e.String()
				cause.Evidence = append(cause.Evidence, e.evidence()...)
			}
		}
		cause.Evidence = append(cause.Evidence, bounded(lines, conflictsShown, "object")...)
		choices := []string{"--use-existing " + strings.Join(names, ","), "--adopt"}
		switch {
		case len(edited) == len(lines):
			cause.Summary = fmt.Sprintf("%s of component %s edited by another owner", report.Count(len(lines), "object"), name)
			cause.Remedy = "choose: --adopt (reset the fields), or change them with your own kustomization (-k DIR)"
			causes = append(causes, cause)
			continue
		case known != "":
			cause.Summary = fmt.Sprintf("%s to another owner, of component %s: %s", belong(len(lines)), name, known)
		default:
			cause.Summary = fmt.Sprintf("%s to another owner, of component %s", belong(len(lines)), name)
		}
		cause.Remedy = fmt.Sprintf("choose: %s (use what exists) or %s (take it over)", choices[0], choices[1])
		if canSkip != nil && canSkip(names) {
			cause.Remedy += ", or skip it: --skip " + strings.Join(names, ",")
		}
		causes = append(causes, cause)
	}
	return causes
}
