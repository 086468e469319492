package status

import (
	appsv1 "k8s.io/api/apps/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/login"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// checkCredentials: notebooks get what lets them act as whoever opens them. An installation
// that was made before there was a filter against it lacks it too. What an installation of
// somebody else has in its place is not known.
func checkCredentials(s *Snapshot) []report.Cause {
	if s.Component("oauth2-proxy") == nil || s.Foreign() {
		return nil
	}
	g := s.filters(login.CredentialsRef)
	if g == nil {
		return nil
	}
	causes := g.CredentialsCauses()
	if s.Release.Clone != nil && g.Filter == nil {
		// Somebody's clone that was installed without one, which was said then: as it is, or
		// with a proxy that does not know what the filter uses.
		for i := range causes {
			causes[i].Severity = report.Warning
			causes[i].Remedy = "replace the clone with a newer one, without --as-is, or with a release: kubectl jupyter upgrade"
		}
	}
	return causes
}

// checkOrigin: notebooks are to have an origin of their own, and have not.
func checkOrigin(s *Snapshot) []report.Cause {
	if g := s.filters(login.OriginRef); g != nil {
		g.Notebooks = s.notebooks()
		return g.OriginCauses()
	}
	return nil
}

// filters is what is known of the gateway's filters; nil where one could not be read, which
// is told of all that could not.
func (s *Snapshot) filters(ref report.Ref) *login.Ground {
	if p := s.Presence(ref); p != Present && p != Absent {
		return nil
	}
	g, _ := s.ground() // what is wrong with the settings is told by checkLogin
	g.Filters = s.All(ref.Group, ref.Kind)
	var gateway appsv1.Deployment
	if into(s.Object(report.Ref{Group: "apps", Kind: "Deployment", Namespace: login.GatewayRef.Namespace, Name: login.GatewayRef.Name}), &gateway) {
		g.Deployments = append(g.Deployments, gateway)
	}
	g.Expect(components.ObjectsOf(s.Expected))
	return g
}
