package status

import (
	"net/url"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/login"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// ground is what the snapshot has of how people log in, and a cause for each of the
// settings that cannot be read.
func (s *Snapshot) ground() (*login.Ground, []report.Cause) {
	g := &login.Ground{Passwords: s.Passwords, Policies: s.All("security.istio.io", "RequestAuthentication")}
	var causes []report.Cause
	for _, ref := range login.SettingsRefs() {
		u := s.setting(ref)
		if u == nil {
			continue
		}
		if err := g.Configure(ref, u); err != nil {
			causes = append(causes, report.Cause{
				Name: diagnose.InvalidObject, Severity: report.Error, Component: s.Owner(ref), Object: cluster.RefOf(u),
				Summary: "the settings cannot be read", Evidence: []string{err.Error()},
				Remedy: "restore them: kubectl jupyter install --adopt",
			})
		}
	}
	return g, causes
}

// wayIn is how people get to the web app, as far as was read.
func (s *Snapshot) wayIn() report.WayIn {
	for _, ref := range []report.Ref{login.GatewayRef, gatewayRef} {
		if p := s.Presence(ref); p == Forbidden || p == Unread {
			return report.WayIn{Missing: ref.String() + " could not be read"}
		}
	}
	g, _ := s.ground() // what is wrong with the settings is told by the checks of the login
	var service corev1.Service
	if into(s.Object(login.GatewayRef), &service) {
		g.Service = &service
	}
	if u := s.Object(gatewayRef); u != nil {
		gateway, err := login.GatewayOf(u)
		if err != nil {
			return report.WayIn{Missing: gatewayRef.String() + ": " + err.Error()}
		}
		g.Gateway = gateway
	}
	for _, u := range s.All("", "Node") {
		var n corev1.Node
		if into(u, &n) {
			g.Nodes = append(g.Nodes, n)
		}
	}
	if s.Inventory != nil {
		g.FirstUser, g.Hosts, g.Notebooks = s.Inventory.Settings.UserEmail, s.Inventory.Settings.TLS.Hosts, s.notebooks()
	}
	return g.WayIn()
}

// notebooks is where the settings say that they are served; nil without settings.
func (s *Snapshot) notebooks() *components.NotebookOrigin {
	if s.Inventory == nil {
		return nil
	}
	return &s.Inventory.Settings.NotebookOrigin
}

// gatewayRef is Istio's gateway that the web app is reached through.
var gatewayRef = report.Ref{Group: "networking.istio.io", Kind: "Gateway", Namespace: "kubeflow", Name: "kubeflow-gateway"}

// base is the address at which people open the web app. Without one it is that of
// nobody, with the gateway's scheme.
func (s *Snapshot) base() (*url.URL, bool) {
	if u, err := url.Parse(s.WayIn.URL); err == nil && u.Host != "" {
		return u, true
	}
	scheme := s.WayIn.Scheme
	if scheme == "" {
		scheme = "http"
	}
	return &url.URL{Scheme: scheme, Host: "address.invalid"}, false
}
