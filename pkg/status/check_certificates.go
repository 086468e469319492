package status

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

const (
	// soon is when the end of a certificate begins to matter.
	soon = 30 * 24 * time.Hour
	// late is how long after the time of renewal nobody need worry: cert-manager tries
	// again after failures.
	late = time.Hour
)

// checkCertificates: certificates of the stack that end, although somebody should have
// renewed them. That one is not Ready is a subject.
func checkCertificates(s *Snapshot) []report.Cause {
	var causes []report.Cause
	for _, u := range s.All("cert-manager.io", "Certificate") {
		end, ok := when(u, "notAfter")
		if !ok {
			continue
		}
		left := end.Sub(s.Time.Time)
		renewal, planned := when(u, "renewalTime")
		if left > soon || planned && s.Time.Sub(renewal) < late {
			continue
		}
		ref := cluster.RefOf(u)
		secret, _, _ := unstructured.NestedString(u.Object, "spec", "secretName")
		c := report.Cause{
			Name: diagnose.CertificateExpiring, Severity: report.Warning, Component: s.Owner(ref), Object: ref,
			Summary:  "a certificate expires soon and has not been renewed",
			Evidence: []string{fmt.Sprintf("%s (Secret %s): expires %s", ref, secret, end.UTC().Format(time.RFC3339))},
			Remedy:   "have it reissued: " + command("delete", report.Ref{Kind: "Secret", Namespace: ref.Namespace, Name: secret}),
		}
		if planned {
			c.Evidence = append(c.Evidence, "renewal was due "+renewal.UTC().Format(time.RFC3339))
		}
		switch {
		case left <= 0:
			c.Severity, c.Summary = report.Error, "a certificate has expired"
		case left < 24*time.Hour:
			c.Severity = report.Error
		}
		causes = append(causes, c)
	}
	return causes
}

func when(u *unstructured.Unstructured, field string) (time.Time, bool) {
	text, _, _ := unstructured.NestedString(u.Object, "status", field)
	t, err := time.Parse(time.RFC3339, text)
	return t, err == nil
}
