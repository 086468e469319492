package components

import "slices"

// Release110 follows upstream's release 1.10 (manifests v1.10.1).
//
// The order of the list is a valid order of installation, which is what `render`
// prints; install itself follows the edges and runs side by side whatever they allow.
func Release110() *Release {
	waitsForSidecar := []Need{
		{Component: "kubeflow-namespace", Condition: Accepted},
		{
			Component: "istio-crds", Condition: Established, Kinds: WorkloadKinds,
			Why: "the controllers watch Istio's kinds and do not start without them",
		},
		{
			Component: "istio", Condition: Injection, Kinds: WorkloadKinds,
			Why: "a pod created before the injector answers never gets a sidecar, and mutual TLS to it fails for good",
		},
	}
	return &Release{
		Name:      "1.10",
		ServedMin: 28, ServedMax: 37,
		TestedMin: 28, TestedMax: 31,
		Components: []Component{
			{
				Name: "cert-manager", Title: "cert-manager", Version: "v1.16.1",
				Namespaces: []string{"cert-manager", "kube-system"},
				// Started for an ACME challenge over HTTP, should somebody configure one.
				ConfigImages: []string{"quay.io/jetstack/cert-manager-acmesolver:v1.16.1"},
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
			},
			{
				Name: "kubeflow-issuer", Title: "self-signing ClusterIssuer", Version: "v1.10.1",
				NotIn: []string{ProfileSlim},
				Needs: []Need{{
					Component: "cert-manager", Condition: Admission,
					Why: "cert-manager's webhook refuses every Issuer until its certificate is in place",
				}},
			},
			{Name: "istio-crds", Title: "Istio's CRDs", Version: "1.24.3"},
			{
				Name: "istio", Title: "Istio", Version: "1.24.3",
				Namespaces: []string{"istio-system"},
				// istiod itself starts without its kinds and takes them up when they come; its
				// image can be pulled meanwhile.
				Needs:        []Need{{Component: "istio-crds", Condition: Established, Kinds: []string{"Gateway", "AuthorizationPolicy"}}},
				ConfigImages: []string{"docker.io/istio/proxyv2:1.24.3"},
				Leaves: []Leftover{
					{"", "ConfigMap", "*", "istio-ca-root-cert"},
					{"", "ConfigMap", "*", "istio-ca-crl"}, // by newer ones than 1.24
					{"", "ConfigMap", "istio-system", "istio-*"},
					{"", "Secret", "istio-system", "istio-ca-secret"},
				},
				Gates: []Gate{{
					Condition: Injection,
					Workload:  "istio-system/istiod",
					Webhooks:  []WebhookRef{{"MutatingWebhookConfiguration", "istio-sidecar-injector"}},
					Probes: []Probe{{File: "pod.yaml", Adds: []string{
						"spec.initContainers[name=istio-proxy]", "spec.containers[name=istio-proxy]",
					}}},
					Needs: []Need{{Component: "kubeflow-namespace", Condition: Accepted}},
				}},
			},
			{Name: "kubeflow-namespace", Title: "namespace kubeflow", Version: "v1.10.1", Namespaces: []string{"kubeflow"}},
			{Name: "kubeflow-roles", Title: "aggregated roles", Version: "v1.10.1"},
			{
				Name: "kubeflow-gateway", Title: "gateway kubeflow-gateway", Version: "v1.10.1",
				Namespaces: []string{"kubeflow"},
				Needs: []Need{
					{Component: "kubeflow-namespace", Condition: Accepted},
					{Component: "istio-crds", Condition: Established, Kinds: []string{"Gateway", "EnvoyFilter"}},
				},
			},
			{
				Name: CertificateComponent, Title: "gateway's own certificate", Version: "v1.10.1",
				Namespaces: []string{"istio-system"},
				OnDemand:   true,
				Needs: []Need{
					{Component: "istio", Condition: Accepted, Why: "the certificate lives in the namespace of the gateway's pods"},
					{
						Component: "cert-manager", Condition: Admission,
						Why: "cert-manager's webhook refuses every Issuer and Certificate until its own certificate is in place",
					},
				},
				// cert-manager makes them for the Certificates and keeps them when those go.
				Leaves: []Leftover{{"", "Secret", "istio-system", GatewaySecret}, {"", "Secret", "istio-system", GatewayCASecret}},
			},
			{
				Name: "poddefaults", Title: "PodDefaults webhook", Version: "v1.10.0",
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
				Leaves: []Leftover{{"", "Secret", "kubeflow", "webhook-certs"}},
				Gates: []Gate{{
					Condition: Admission,
					Workload:  "kubeflow/admission-webhook-deployment",
					Webhooks:  []WebhookRef{{"MutatingWebhookConfiguration", "admission-webhook-mutating-webhook-configuration"}},
				}},
			},
			{
				Name: "dex", Title: "Dex", Version: "v2.41.1",
				Namespaces: []string{"auth"},
				// Dex defines the kinds of its store itself when it first starts.
				Leaves: []Leftover{{"apiextensions.k8s.io", "CustomResourceDefinition", "", "*.dex.coreos.com"}},
				Needs:  []Need{{Component: "istio-crds", Condition: Established, Kinds: []string{"VirtualService"}}},
			},
			{
				Name: "oauth2-proxy", Title: "oauth2-proxy", Version: "v7.7.1",
				Namespaces: []string{"oauth2-proxy", "istio-system"},
				Needs: []Need{
					{Component: "istio-crds", Condition: Established, Kinds: []string{"VirtualService", "AuthorizationPolicy", "RequestAuthentication"}},
					{
						Component: "istio", Condition: Accepted, Kinds: []string{"AuthorizationPolicy", "RequestAuthentication"},
						Why: "the policies live in Istio's namespace",
					},
					{
						Component: "dex", Condition: Ready, Kinds: []string{"RequestAuthentication"},
						Why: "istiod caches an empty key set for a minute when Dex does not answer, and every login is a 401 until then",
					},
				},
			},
			{
				Name: "notebook-controller", Title: "notebook controller", Version: "v1.10.0",
				Namespaces: []string{"kubeflow"},
				Needs:      waitsForSidecar,
			},
			{
				Name: "jupyter-web-app", Title: "Jupyter Web App", Version: "v1.10.0",
				Namespaces: []string{"kubeflow"},
				Needs: append(slices.Clone(waitsForSidecar),
					Need{
						Component: "istio-crds", Condition: Established,
						Kinds: []string{"VirtualService", "DestinationRule", "AuthorizationPolicy"},
					}),
				ConfigImages: notebookImages,
			},
			{
				Name: "profiles", Title: "profiles and KFAM", Version: "v1.10.0",
				Namespaces: []string{"kubeflow"},
				Needs: append(slices.Clone(waitsForSidecar),
					Need{Component: "istio-crds", Condition: Established, Kinds: []string{"VirtualService", "AuthorizationPolicy"}}),
			},
			{
				Name: "user-profile", Title: "first user's Profile", Version: "v1.10.1",
				UserData: true,
				Needs: []Need{
					{Component: "profiles", Condition: Established},
					{Component: "kubeflow-roles", Condition: Accepted, Why: "the person's role binding refers to kubeflow-admin"},
				},
				Produces: []Produced{
					{"v1", "ServiceAccount", ProfileToken, "default-editor"},
					{"rbac.authorization.k8s.io/v1", "RoleBinding", ProfileToken, "default-editor"},
				},
			},
			{
				Name: "metallb", Title: "MetalLB", Version: "v0.14.9",
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
			},
		},
	}
}
