package status

import (
	"fmt"
	"strings"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// checkProofs: a webhook that answers and does not do its work. One that does not
// answer is a subject: what is behind it has to be looked at.
func checkProofs(s *Snapshot) []report.Cause {
	var causes []report.Cause
	for _, p := range s.Proofs {
		if p.OK || p.Impossible || s.Component(p.Component) == nil {
			continue
		}
		c := report.Cause{
			Component: p.Component, Object: p.Object, Severity: report.Error,
			Evidence: []string{fmt.Sprintf("%s (dry run): %s", p.Object, p.Why)},
		}
		switch {
		case p.Forbidden:
			c.Name, c.Severity = diagnose.Forbidden, report.Warning
			c.Summary = "the webhooks could not be tried: that requires permission to create what they check, although nothing is created"
			c.Remedy = "request the permission: kubectl auth can-i create " + plural(p.Object.Kind) + " -n " + p.Object.Namespace
		case p.RefusedBy != "" && p.Accepted:
			c.Name, c.Summary = diagnose.WebhookNotRefusing, "webhook "+p.RefusedBy+" admits an invalid object"
			c.Remedy = "restore its configuration: kubectl jupyter install --adopt"
			if p.Advisory {
				c.Severity = report.Warning
			}
		case p.Accepted:
			c.Name, c.Summary = diagnose.InjectorNotInjecting, "a new pod of namespace "+p.Object.Namespace+" would get no sidecar"
			c.Remedy = "restore the namespace's label and the injector's configuration: kubectl jupyter install --adopt"
		default:
			continue
		}
		causes = append(causes, c)
	}
	return causes
}

// checkCABundles: the API server calls no webhook whose CA it does not know.
func checkCABundles(s *Snapshot) []report.Cause {
	var causes []report.Cause
	for _, r := range s.Expected {
		for _, u := range r.Objects {
			ref := cluster.RefOf(u)
			live := s.Object(ref)
			if live == nil || ref.Group != "admissionregistration.k8s.io" {
				continue
			}
			if without := rollout.WithoutCA(live); without != "" {
				causes = append(causes, report.Cause{
					Name: diagnose.WebhookCABundleMissing, Severity: report.Error, Component: r.Component.Name, Object: ref,
					Summary:  "the API server cannot verify a webhook: it has no caBundle",
					Evidence: []string{fmt.Sprintf("%s: no clientConfig.caBundle for %s", ref, without)},
					Remedy:   caRemedy(r.Component.Name),
				})
			}
		}
	}
	return causes
}

func caRemedy(component string) string {
	if component == "istio" {
		return "istiod writes it when it starts: kubectl -n istio-system rollout restart deployment istiod"
	}
	return "cert-manager's cainjector writes it: kubectl -n cert-manager rollout restart deployment cert-manager-cainjector"
}

// plural is good for the kinds that probes have.
func plural(kind string) string {
	switch kind {
	case "Pod":
		return "pods"
	case "Gateway":
		return "gateways.networking.istio.io"
	case "IPAddressPool":
		return "ipaddresspools.metallb.io"
	}
	return strings.ToLower(kind) + "s.cert-manager.io"
}
