// Package exposure brings the ingress gateway an address that answers from outside of
// the cluster: who gives addresses here, from which pools, what has to be written so
// that the gateway gets one, and why it does not.
//
// Read makes a bounded number of requests into a Snapshot. Detect, Plan and Causes are
// pure functions of it. Applier writes what a plan says.
package exposure

import "github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"

const (
	// Namespace and ServiceName are the gateway's Service.
	Namespace   = "istio-system"
	ServiceName = "istio-ingressgateway"

	// FieldManager owns what is set on the gateway's Service. It is not the one of the
	// installation, so that a later install leaves those fields alone.
	FieldManager = "kubectl-jupyter-expose"

	// PoolName is the pool, and its advertisement, that this program makes.
	PoolName = "kubectl-jupyter"

	// metalLBNamespace is where MetalLB is put, and looked for where nothing says otherwise.
	metalLBNamespace = "metallb-system"
)

// ServiceRef is the gateway's Service.
var ServiceRef = report.Ref{Kind: "Service", Namespace: Namespace, Name: ServiceName}

// Provider is what gives Services of type LoadBalancer their addresses.
type Provider string

const (
	// None: nothing that is known.
	None Provider = "None"
	// MetalLB configured by custom resources, from 0.13 on.
	MetalLB Provider = "MetalLB"
	// MetalLBConfigMap: MetalLB up to 0.12, configured by a ConfigMap.
	MetalLBConfigMap Provider = "MetalLBConfigMap"
	// MetalLBMixed: both ways at once, of which one has no effect.
	MetalLBMixed Provider = "MetalLBMixed"
	// ServiceLB is the one of k3s: it gives the nodes' own addresses.
	ServiceLB Provider = "ServiceLB"
	// Cilium with its LB IPAM.
	Cilium Provider = "Cilium"
	// CloudProviderKind runs outside of a kind cluster.
	CloudProviderKind Provider = "CloudProviderKind"
	// MinikubeTunnel runs outside of a minikube cluster.
	MinikubeTunnel Provider = "MinikubeTunnel"
	// Cloud is the controller of the cloud that the nodes are of.
	Cloud Provider = "Cloud"
	// Other is one that gives addresses and needs nothing of us.
	Other Provider = "Other"
)

// Platform is what the cluster runs on, as far as it matters for its addresses.
type Platform string

const (
	// PlatformMinikube is minikube with any driver.
	PlatformMinikube Platform = "minikube"
	// PlatformKind is kind on Docker or Podman.
	PlatformKind Platform = "kind"
	// PlatformOther is anything else: nothing about its network can be taken for granted.
	PlatformOther Platform = ""
)
