package status

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
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
	if p := s.Presence(login.CredentialsRef); p != Present && p != Absent {
		return nil // it could not be read, which is told of all that could not
	}
	g, _ := s.ground() // what is wrong with the settings is told by checkLogin
	g.Filters = s.All(login.CredentialsRef.Group, login.CredentialsRef.Kind)
	var gateway appsv1.Deployment
	if into(s.Object(report.Ref{Group: "apps", Kind: "Deployment", Namespace: login.GatewayRef.Namespace, Name: login.GatewayRef.Name}), &gateway) {
		g.Deployments = append(g.Deployments, gateway)
	}
	for _, r := range s.Expected {
		i := slices.IndexFunc(r.Objects, func(u *unstructured.Unstructured) bool { return cluster.RefOf(u) == login.CredentialsRef })
		if i >= 0 {
			g.Filter = r.Objects[i]
		}
	}
	return g.CredentialsCauses()
}
