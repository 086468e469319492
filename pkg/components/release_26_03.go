package components

// release2603 follows upstream's release 26.03 (its patch release 26.03.1), with the newest
// patch releases of what it takes from other projects.
func release2603() *Release {
	const (
		upstream  = "26.03.1"
		notebooks = "v1.11.0" // the notebook controller and the web app
		notebook  = "ghcr.io/kubeflow/notebooks"
		dashboard = "v2.0.0" // profiles and PodDefaults
		hub       = "ghcr.io/kubeflow/dashboard"
		mesh      = "1.30.8"
	)
	return &Release{
		Name: "26.03",
		// Istio 1.30 and cert-manager 1.20 name no older server.
		ServedMin: 32, ServedMax: 37,
		TestedMin: 32, TestedMax: 36,
		NoWayBack: "release 26.03 lets the namespaces of users enforce the Pod Security level baseline, which refuses the sidecars of older releases, and Istio does not support sidecars that are newer than its control plane",
		Components: []Component{
			certManager("v1.20.3"),
			kubeflowIssuer(upstream),
			istioCRDs(mesh),
			kubeflowNamespace(upstream), // one of Istio's Sidecars is in it
			istio(mesh, istioMesh{
				hub: "registry.istio.io/release", cni: true,
				sidecarCPU: "10m", sidecarMemory: "40Mi", slimSidecarMemory: "40Mi",
			}),
			kubeflowRoles(upstream),
			kubeflowGateway(upstream),
			gatewayCertificate(upstream),
			podDefaults(dashboard, hub, "poddefaults-webhook", "poddefaults-webhook-certs"),
			dex("v2.45.1"),
			oauth2Proxy("v7.15.6"),
			notebookController(notebooks, notebook),
			jupyterWebApp(notebooks, notebook,
				"jupyter-scipy", "jupyter-pytorch-full", "jupyter-pytorch-cuda-full",
				"jupyter-tensorflow-full", "jupyter-tensorflow-cuda-full"),
			profiles(dashboard, profileNames{
				hub: hub, kfam: "access-management", port: "http-kfam", labels: "profiles-namespace-labels-data", dashboard: "dashboard",
			}),
			userProfile(upstream),
			metalLB("v0.14.9"),
		},
	}
}
