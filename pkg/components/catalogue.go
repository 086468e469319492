package components

import (
	"fmt"
	"strings"
)

// The components of a release, with what all releases have in common; what differs is an
// argument, or is set by the release's own file (release_*.go). The order of a release's
// list is a valid order of installation, which is what `render` prints; install itself
// follows the edges and runs side by side whatever they allow.

// waitsForSidecar is what every component needs whose pods must have one.
func waitsForSidecar(more ...Need) []Need {
	return append([]Need{
		{Component: "kubeflow-namespace", Condition: Accepted},
		{
			Component: "istio-crds", Condition: Established, Kinds: WorkloadKinds,
			Why: "the controllers watch Istio's kinds and do not start without them",
		},
		{
			Component: "istio", Condition: Injection, Kinds: WorkloadKinds,
			Why: "a pod created before the injector answers never gets a sidecar, and mutual TLS to it fails permanently",
		},
	}, more...)
}

func certManager(version string) Component {
	return Component{
		Name: "cert-manager", Title: "cert-manager", Version: version,
		Namespaces: []string{"cert-manager", "kube-system"},
		// Started for an ACME challenge over HTTP, should somebody configure one.
		ConfigImages: []string{"quay.io/jetstack/cert-manager-acmesolver:" + version},
		Leaves: []Leftover{
			{"", "Secret", "cert-manager", "cert-manager-webhook-ca"},
			{"coordination.k8s.io", "Lease", "kube-system", "cert-manager-*"},
		},
		Gates: []Gate{{
			Condition: Admission,
			Workload:  "cert-manager/cert-manager-webhook",
			Webhooks: []WebhookRef{
				{"MutatingWebhookConfiguration", "cert-manager-webhook"},
				{"ValidatingWebhookConfiguration", "cert-manager-webhook"},
			},
			Probes: []Probe{
				{File: "certificaterequest-valid.yaml", Adds: []string{"spec.username"}},
				{File: "certificate-valid.yaml"},
				{File: "certificate-invalid.yaml", RefusedBy: "webhook.cert-manager.io"},
			},
		}},
	}
}

func kubeflowIssuer(version string) Component {
	return Component{
		Name: "kubeflow-issuer", Title: "self-signed ClusterIssuer", Version: version,
		NotIn: []string{ProfileSlim},
		Needs: []Need{{
			Component: "cert-manager", Condition: Admission,
			Why: "cert-manager's webhook refuses every Issuer until its certificate is in place",
		}},
	}
}

func istioCRDs(version string) Component {
	return Component{Name: "istio-crds", Title: "Istio's CRDs", Version: version}
}

// istio is the same in all releases but for what mesh says, and for the sidecar's size.
func istio(version string, mesh istioMesh) Component {
	c := Component{
		Name: "istio", Title: "Istio", Version: version,
		Values: map[string]string{
			"ISTIO_HUB": mesh.hub, CNIValue: fmt.Sprint(mesh.cni),
			"SIDECAR_CPU": mesh.sidecarCPU, "SIDECAR_MEMORY": mesh.sidecarMemory, "SLIM_SIDECAR_MEMORY": mesh.slimSidecarMemory,
		},
		Namespaces: []string{"istio-system"},
		// istiod itself starts without its kinds and takes them up when they come; its
		// image can be pulled meanwhile.
		Needs:        []Need{{Component: "istio-crds", Condition: Established, Kinds: []string{"Gateway", "AuthorizationPolicy"}}},
		ConfigImages: []string{mesh.hub + "/proxyv2:" + version},
		Leaves: []Leftover{
			{"", "ConfigMap", "*", "istio-ca-root-cert"},
			{"", "ConfigMap", "*", "istio-ca-crl"}, // by newer ones than 1.24
			{"", "ConfigMap", "istio-system", "istio-*"},
			{"", "Secret", "istio-system", "istio-ca-secret"},
		},
		// The injector labels the pods that it gives a sidecar. Their certificates are of this
		// key, and the gateway does not accept them with another one.
		Trust: &Trust{Pods: "security.istio.io/tlsMode=istio", Objects: []Leftover{
			{"", "ConfigMap", "*", "istio-ca-root-cert"},
			{"", "ConfigMap", "*", "istio-ca-crl"},
			{"", "Secret", "istio-system", "istio-ca-secret"},
		}},
		Gates: []Gate{{
			Condition: Injection,
			Workload:  "istio-system/istiod",
			Webhooks:  []WebhookRef{{"MutatingWebhookConfiguration", "istio-sidecar-injector"}},
			Probes: []Probe{{File: "pod.yaml", Adds: []string{
				"spec.initContainers[name=istio-proxy]", "spec.containers[name=istio-proxy]",
			}}},
			Needs: []Need{{Component: "kubeflow-namespace", Condition: Accepted}},
		}},
	}
	if !mesh.cni {
		return c
	}
	c.Gates[0].Agent = "kube-system/istio-cni-node"
	c.Namespaces = append(c.Namespaces, "kube-system", "kubeflow")
	c.Needs = append(c.Needs,
		Need{Component: "istio-crds", Condition: Established, Kinds: []string{"Sidecar"}},
		Need{Component: "kubeflow-namespace", Condition: Accepted, Kinds: []string{"Sidecar"}, Why: "the Sidecar of the notebook controller is in its namespace"})
	return c
}

// CNIValue is "true" where Istio's CNI plugin is on the nodes.
const CNIValue = "ISTIO_CNI"

// istioMesh is what differs between Istio's versions beside the version itself.
type istioMesh struct {
	// hub is where its images are.
	hub string
	// cni: its CNI plugin redirects traffic, and not an init container of each pod.
	cni bool
	// What a sidecar requests.
	sidecarCPU, sidecarMemory, slimSidecarMemory string
}

func kubeflowNamespace(version string) Component {
	return Component{Name: "kubeflow-namespace", Title: "namespace kubeflow", Version: version, Namespaces: []string{"kubeflow"}}
}

func kubeflowRoles(version string) Component {
	return Component{Name: "kubeflow-roles", Title: "aggregated roles", Version: version}
}

func kubeflowGateway(version string) Component {
	return Component{
		Name: "kubeflow-gateway", Title: "gateway kubeflow-gateway", Version: version,
		Namespaces: []string{"kubeflow"},
		Needs: []Need{
			{Component: "kubeflow-namespace", Condition: Accepted},
			{Component: "istio-crds", Condition: Established, Kinds: []string{"Gateway", "EnvoyFilter"}},
		},
	}
}

func gatewayCertificate(version string) Component {
	return Component{
		Name: CertificateComponent, Title: "gateway certificate", Version: version,
		Namespaces: []string{"istio-system"},
		OnDemand:   true,
		Needs: []Need{
			{Component: "istio", Condition: Accepted, Why: "the certificate is in the namespace of the gateway's pods"},
			{
				Component: "cert-manager", Condition: Admission,
				Why: "cert-manager's webhook refuses every Issuer and Certificate until its own certificate is in place",
			},
		},
		// cert-manager makes them for the Certificates and keeps them when those go.
		Leaves: []Leftover{{"", "Secret", "istio-system", GatewaySecret}, {"", "Secret", "istio-system", GatewayCASecret}},
	}
}

// podDefaults takes what its objects are named after, and the Secret of its certificate.
func podDefaults(version, hub, name, secret string) Component {
	return Component{
		Name: "poddefaults", Title: "PodDefaults webhook", Version: version,
		Values:     map[string]string{"HUB": hub, "NAME": name, "SECRET": secret},
		Namespaces: []string{"kubeflow"},
		Needs: []Need{
			{Component: "kubeflow-namespace", Condition: Accepted},
			// The Deployment waits too: its pod mounts the certificate's Secret, and a kubelet
			// that finds none tries again later and later.
			{
				Component: "cert-manager", Condition: Admission, Kinds: []string{"Issuer", "Certificate", "Deployment"},
				Why: "cert-manager's webhook refuses every Certificate until its own certificate is in place",
			},
		},
		// cert-manager makes it for the Certificate and keeps it when the Certificate goes.
		Leaves: []Leftover{{"", "Secret", "kubeflow", secret}},
		Gates: []Gate{{
			Condition: Admission,
			Workload:  "kubeflow/" + name + "-deployment",
			Webhooks:  []WebhookRef{{"MutatingWebhookConfiguration", name + "-mutating-webhook-configuration"}},
			// It writes an annotation for each PodDefault that it applies.
			Handled: `has(object.metadata.annotations) && object.metadata.annotations.exists(k, k.startsWith("poddefault.admission.kubeflow.org/"))`,
		}},
	}
}

func dex(version string) Component {
	return Component{
		Name: "dex", Title: "Dex", Version: version,
		Namespaces: []string{"auth"},
		// Dex defines the kinds of its store itself when it first starts.
		Leaves: []Leftover{{"apiextensions.k8s.io", "CustomResourceDefinition", "", "*.dex.coreos.com"}},
		Needs:  []Need{{Component: "istio-crds", Condition: Established, Kinds: []string{"VirtualService"}}},
	}
}

func oauth2Proxy(version string) Component {
	return Component{
		Name: "oauth2-proxy", Title: "oauth2-proxy", Version: version,
		Namespaces: []string{"oauth2-proxy", "istio-system"},
		Needs: []Need{
			{Component: "istio-crds", Condition: Established, Kinds: []string{"VirtualService", "AuthorizationPolicy", "RequestAuthentication", "EnvoyFilter"}},
			{
				Component: "istio", Condition: Accepted, Kinds: []string{"AuthorizationPolicy", "RequestAuthentication", "EnvoyFilter"},
				Why: "the policies are in Istio's namespace",
			},
			{
				Component: "dex", Condition: Ready, Kinds: []string{"RequestAuthentication"},
				Why: "istiod caches an empty key set for a minute when Dex does not answer, and every login is a 401 until then",
			},
		},
	}
}

func notebookController(version, hub string) Component {
	return Component{
		Name: "notebook-controller", Title: "notebook controller", Version: version,
		Values:     map[string]string{"HUB": hub},
		Namespaces: []string{"kubeflow"},
		Needs:      waitsForSidecar(),
	}
}

// jupyterWebApp takes the images of Jupyter that the spawner's form offers, the first one
// chosen unless a person chooses another. Nodes pull them when a notebook starts.
func jupyterWebApp(version, hub string, jupyter ...string) Component {
	var images []string
	for _, name := range append(jupyter, "codeserver-python", "rstudio-tidyverse") {
		images = append(images, "ghcr.io/kubeflow/kubeflow/notebook-servers/"+name+":"+version)
	}
	return Component{
		Name: "jupyter-web-app", Title: "Jupyter Web App", Version: version,
		// A list inside of a document inside of an object: indented as it stands there.
		Values:     map[string]string{"HUB": hub, "JUPYTER_IMAGES": "- " + strings.Join(images[:len(jupyter)], "\n    - ")},
		Namespaces: []string{"kubeflow"},
		Needs: waitsForSidecar(
			Need{Component: "istio-crds", Condition: Established, Kinds: []string{"VirtualService", "DestinationRule", "AuthorizationPolicy"}}),
		ConfigImages: images,
	}
}

// profiles takes what is called differently from release to release.
func profiles(version string, names profileNames) Component {
	return Component{
		Name: "profiles", Title: "profiles and KFAM", Version: version,
		Values: map[string]string{
			"HUB": names.hub, "KFAM": names.kfam, "KFAM_PORT": names.port, "LABELS": names.labels, "DASHBOARD": names.dashboard,
		},
		Namespaces: []string{"kubeflow"},
		Needs: waitsForSidecar(
			Need{Component: "istio-crds", Condition: Established, Kinds: []string{"VirtualService", "AuthorizationPolicy"}}),
	}
}

// profileNames are names in the profiles component.
type profileNames struct {
	// hub is where its images are.
	hub string
	// kfam is KFAM's container and image, port its port.
	kfam, port string
	// labels is the ConfigMap with the labels of people's namespaces.
	labels string
	// dashboard is the account of Kubeflow's dashboard, which KFAM answers.
	dashboard string
}

func userProfile(version string) Component {
	return Component{
		Name: "user-profile", Title: "first user's Profile", Version: version,
		UserData: true,
		Needs: []Need{
			{Component: "profiles", Condition: Established},
			{Component: "kubeflow-roles", Condition: Accepted, Why: "the user's RoleBinding refers to kubeflow-admin"},
		},
		Produces: []Produced{
			{"v1", "ServiceAccount", ProfileToken, "default-editor"},
			{"rbac.authorization.k8s.io/v1", "RoleBinding", ProfileToken, "default-editor"},
		},
	}
}

func metalLB(version string) Component {
	return Component{
		Name: "metallb", Title: "MetalLB", Version: version,
		Namespaces: []string{"metallb-system"},
		OnDemand:   true,
		Gates: []Gate{{
			Condition: Admission,
			Workload:  "metallb-system/controller",
			Webhooks:  []WebhookRef{{"ValidatingWebhookConfiguration", "metallb-webhook-configuration"}},
			Probes: []Probe{
				{File: "ipaddresspool-valid.yaml"},
				{File: "ipaddresspool-invalid.yaml", RefusedBy: "ipaddresspoolvalidationwebhook.metallb.io"},
			},
		}},
	}
}
