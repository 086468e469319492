// Package login is the way of a person from a browser to the web app: what the cluster
// says about it, hop by hop, and what HTTP says when it is walked.
//
// It has three parts. A Ground is what was read of the cluster at one moment. WayInOf,
// Explain and the judgements of a check are pure functions of it. Check walks the way
// from outside, as a browser would, and names the hop that fails.
package login

import "github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"

// The objects of the way in, as every release of the manifests has named them.
const (
	istioNamespace  = "istio-system"
	gatewayService  = "istio-ingressgateway"
	stackNamespace  = "kubeflow"
	gatewayName     = "kubeflow-gateway"
	dexNamespace    = "auth"
	dexName         = "dex"
	proxyNamespace  = "oauth2-proxy"
	proxyName       = "oauth2-proxy"
	webAppService   = "jupyter-web-app-service"
	webAppWorkload  = "jupyter-web-app-deployment"
	checkPolicy     = "istio-ingressgateway-oauth2-proxy"
	requirePolicy   = "istio-ingressgateway-require-jwt"
	openPolicy      = "istio-ingressgateway"
	denyPolicy      = "global-deny-all"
	tokenPolicy     = "dex-jwt"
	webAppPath      = "/jupyter/"
	networkingGroup = "networking.istio.io"
	securityGroup   = "security.istio.io"
)

// Components that causes belong to, by their names in the catalogue.
const (
	istioComponent   = "istio"
	gatewayComponent = "kubeflow-gateway"
	dexComponent     = "dex"
	proxyComponent   = "oauth2-proxy"
	webAppComponent  = "jupyter-web-app"
	profileComponent = "profiles"
)

// GatewayRef names the Service that every request comes in by.
var GatewayRef = report.Ref{Kind: "Service", Namespace: istioNamespace, Name: gatewayService}
