package diagnose

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

func certificateSecret(u *unstructured.Unstructured) string {
	name, _, _ := unstructured.NestedString(u.Object, "spec", "secretName")
	return name
}

// issuerOf is the issuer that a certificate names.
func issuerOf(u *unstructured.Unstructured) report.Ref {
	get := func(field string) string {
		v, _, _ := unstructured.NestedString(u.Object, "spec", "issuerRef", field)
		return v
	}
	r := report.Ref{Group: get("group"), Kind: get("kind"), Name: get("name")}
	if r.Group == "" {
		r.Group = groups["Issuer"]
	}
	if r.Kind == "" {
		r.Kind = "Issuer"
	}
	if r.Kind != "ClusterIssuer" {
		r.Namespace = u.GetNamespace()
	}
	return r
}

// findCertificate explains certificates and issuers that are subjects.
func findCertificate(s *Snapshot, sub Subject) []report.Cause {
	u := s.object(sub.Ref)
	if u == nil || !strings.HasPrefix(u.GroupVersionKind().Group, "cert-manager.io") {
		return nil
	}
	switch sub.Ref.Kind {
	case "Certificate":
		return s.certificate(sub, u)
	case "Issuer", "ClusterIssuer":
		return s.issuer(sub, u)
	}
	return nil
}

func (s *Snapshot) certificate(sub Subject, u *unstructured.Unstructured) []report.Cause {
	ready := condition(u, "Ready")
	if ready != nil && ready.status == "True" {
		return nil
	}
	c := report.Cause{Severity: report.Error, Component: sub.Component, Object: sub.Ref, Remedy: describe(sub.Ref)}
	issuer := issuerOf(u)
	if s.missing(issuer) {
		c.Name, c.Summary = IssuerMissing, fmt.Sprintf("the certificate's %s does not exist", issuer)
		if ready != nil {
			c.Evidence = []string{event(ready.reason, ready.message)}
		}
		c.Remedy = fmt.Sprintf("create %s: kubectl jupyter install creates the ones it needs", issuer)
		return []report.Cause{c}
	}
	if i := s.object(issuer); i != nil {
		if causes := s.issuer(Subject{Component: sub.Component, Ref: issuer}, i); len(causes) > 0 {
			for k := range causes {
				causes[k].Also = append(causes[k].Also, sub.Ref)
			}
			return causes
		}
	}
	if ready == nil {
		return []report.Cause{s.ignored(c, u)}
	}
	c.Name, c.Summary = CertificateNotReady, fmt.Sprintf("certificate %s/%s has not been issued", sub.Ref.Namespace, sub.Ref.Name)
	c.Evidence = []string{event(ready.reason, ready.message)}
	if issuing := condition(u, "Issuing"); issuing != nil && issuing.message != "" {
		c.Evidence = append(c.Evidence, event(issuing.reason, issuing.message))
		if issuing.status == "True" {
			c.Severity = report.Delay
		}
	}
	c.Remedy = fmt.Sprintf("kubectl -n %s describe certificates,certificaterequests", sub.Ref.Namespace)
	return []report.Cause{c}
}

func (s *Snapshot) issuer(sub Subject, u *unstructured.Unstructured) []report.Cause {
	c := report.Cause{Severity: report.Error, Component: sub.Component, Object: sub.Ref, Remedy: describe(sub.Ref)}
	ready := condition(u, "Ready")
	switch {
	case ready == nil:
		return []report.Cause{s.ignored(c, u)}
	case ready.status != "True":
		c.Name, c.Summary = IssuerNotReady, fmt.Sprintf("%s cannot issue certificates", sub.Ref)
		c.Evidence = []string{event(ready.reason, ready.message)}
		return []report.Cause{c}
	}
	return nil
}

// ignored: cert-manager has not even looked at the object.
func (s *Snapshot) ignored(c report.Cause, u *unstructured.Unstructured) report.Cause {
	waited := s.Time.Sub(u.GetCreationTimestamp().Time)
	c.Name, c.Summary = CertificateIgnored, "cert-manager has not processed the object yet"
	c.Severity = report.Delay
	if waited > patience {
		c.Severity, c.Summary = report.Error, "cert-manager does not process the object: its controller may not be running"
	}
	c.Evidence = []string{fmt.Sprintf("%s: created %s ago, no conditions", cluster.RefOf(u), age(waited))}
	c.Remedy = "kubectl -n cert-manager get pods; kubectl -n cert-manager logs deployment/cert-manager --tail=20"
	return c
}
