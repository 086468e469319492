package images

const kubeflow = "ghcr.io/kubeflow/kubeflow/"

// images110 lists the images of release 1.10, the node's own first.
func images110() []Image {
	all := append(nodeImages(), certManagerImages("v1.16.1", "cert-manager")...)
	all = append(all,
		Image{
			Name: "ghcr.io/dexidp/dex:v2.41.1", Kind: Real, From: "github.com/dexidp/dex at v2.41.1 (43956db7fd75)",
			Note:       "behind a launcher that lets it find the API server when built with Go 1.26",
			entrypoint: []string{"/usr/local/bin/dex"}, user: "1001:1001",
			files: []file{{"dex-launcher", "/usr/local/bin/dex"}, {"dex", "/usr/local/bin/dex.real"}},
		},
		Image{
			Name: "quay.io/oauth2-proxy/oauth2-proxy:v7.7.1", Kind: Real, From: "github.com/oauth2-proxy/oauth2-proxy/v7 v7.8.1",
			Note:       "v7.8.1 stands for v7.7.1, which the Go checksum database does not have",
			entrypoint: []string{"/bin/oauth2-proxy"}, user: "65532:65532", files: []file{{"oauth2-proxy", "/bin/oauth2-proxy"}},
		},
		Image{
			Name: "docker.io/istio/pilot:1.24.3", Aliases: []string{"gcr.io/istio-release/pilot:1.24.3"}, Kind: Real,
			From: "istio.io/istio at eed52ebb66ad (August 2026)",
			Note: "far newer than 1.24.3, of which no module is published; told to send proxies none of Istio's own filters",
			// Upstream Envoy refuses a configuration that names filters of Istio's build of it.
			env:        []string{"PILOT_ENABLE_METADATA_EXCHANGE=false", "PILOT_ENABLE_ALPN_FILTER=false"},
			entrypoint: []string{"/usr/local/bin/pilot-discovery"}, user: "1337:1337", files: []file{{"pilot-discovery", "/usr/local/bin/pilot-discovery"}},
		},
	)
	all = append(all, metalLBImages()...)
	all = append(all, proxy())
	for _, s := range []struct{ name, program, note string }{
		{"profile-controller:v1.10.0", "profile-controller", "makes namespace, ServiceAccounts, RoleBindings and status of a Profile"},
		{"kfam:v1.10.0", "kfam", "answers health checks, lists bindings and makes Profiles"},
		{"poddefaults-webhook:v1.10.0", "poddefaults-webhook", "adds the environment, volumes and labels of matching PodDefaults"},
		{"notebook-controller:v1.10.0", "notebook-controller", "makes StatefulSet, Service, VirtualService and status of a Notebook"},
		{"jupyter-web-app:v1.10.0", "jupyter-web-app", "the web app's API with its CSRF rule; a plain page in the place of the front end"},
	} {
		all = append(all, standIn(kubeflow+s.name, s.program, s.note))
	}
	const notebook = kubeflow + "notebook-servers/jupyter-scipy:v1.10.0"
	return append(all, notebookImage(notebook, standIn(notebook, "notebook", "")), echoImage())
}

// proxy is Istio's agent.
func proxy() Image {
	const name, alias = "docker.io/istio/proxyv2:1.24.3", "gcr.io/istio-release/proxyv2:1.24.3"
	return agentImage(name, alias, "istio.io/istio at eed52ebb66ad (August 2026)", "far newer than 1.24.3", "",
		standIn(name, "pilot-agent", agentInstead, alias))
}
