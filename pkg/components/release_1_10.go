package components

// release110 follows upstream's release 1.10 (manifests v1.10.1).
func release110() *Release {
	const (
		upstream = "v1.10.1"
		kubeflow = "v1.10.0" // the controllers and the web app
		hub      = "ghcr.io/kubeflow/kubeflow"
		mesh     = "1.24.3"
	)
	return &Release{
		Name:      "1.10",
		ServedMin: 28, ServedMax: 37,
		TestedMin: 28, TestedMax: 31,
		Components: []Component{
			certManager("v1.16.1"),
			kubeflowIssuer(upstream),
			istioCRDs(mesh),
			istio(mesh, istioMesh{hub: "docker.io/istio", sidecarCPU: "100m", sidecarMemory: "128Mi", slimSidecarMemory: "64Mi"}),
			kubeflowNamespace(upstream),
			kubeflowRoles(upstream),
			kubeflowGateway(upstream),
			gatewayCertificate(upstream),
			podDefaults(kubeflow, hub, "admission-webhook", "webhook-certs"),
			dex("v2.41.1"),
			oauth2Proxy("v7.7.1"),
			notebookController(kubeflow, hub),
			jupyterWebApp(kubeflow, hub,
				"jupyter-scipy", "jupyter-pytorch-full", "jupyter-pytorch-cuda-full", "jupyter-pytorch-gaudi-full",
				"jupyter-tensorflow-full", "jupyter-tensorflow-cuda-full"),
			profiles(kubeflow, profileNames{
				hub: hub, kfam: "kfam", port: "kfam-http", labels: "namespace-labels-data", dashboard: "centraldashboard",
			}),
			userProfile(upstream),
			metalLB("v0.14.9"),
		},
	}
}
