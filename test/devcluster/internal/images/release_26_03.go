package images

// programs2603 are the programs of release 26.03 that are not those of 1.10.
var programs2603 = []program{
	// The stand-ins with the flags of 26.03's controllers.
	{name: "standin-26.03", dir: ".", pkg: "./cmd/standin", tags: "release2603", ldflags: strip, local: true},
	{
		name: "cert-manager-1.20", dir: "images/26.03/cert-manager", also: "images/cert-manager", minutes: 2,
		pkg: "github.com/cert-manager/cert-manager/devcluster", tags: "certmanager_1_20",
		ldflags: strip + " -X github.com/cert-manager/cert-manager/pkg/util.AppVersion=v1.20.3",
	},
	{
		name: "oauth2-proxy-7.15", dir: "images/26.03/oauth2-proxy", pkg: "github.com/oauth2-proxy/oauth2-proxy/v7", minutes: 1,
		ldflags: strip + " -X github.com/oauth2-proxy/oauth2-proxy/v7/pkg/version.VERSION=v7.15.6",
	},
	{
		name: "dex-2.45", dir: "images/26.03/dex", pkg: "github.com/dexidp/dex/cmd/dex", minutes: 3,
		ldflags: strip + " -X main.version=v2.45.1",
	},
	{name: "pilot-discovery-1.30", dir: istio2603, pkg: "istio.io/istio/pilot/cmd/pilot-discovery", ldflags: istioVersion2603, minutes: 8},
	{name: "pilot-agent-1.30", dir: istio2603, pkg: "istio.io/istio/pilot/cmd/pilot-agent", ldflags: istioVersion2603, minutes: 1},
	{name: "envoy-bootstrap-1.30", dir: istio2603, pkg: "istio.io/istio", copy: "tools/packaging/common/envoy_bootstrap.json"},
	{name: "install-cni-1.30", dir: istio2603, pkg: "istio.io/istio/cni/cmd/install-cni", ldflags: istioVersion2603, minutes: 0.5},
	{name: "istio-cni-1.30", dir: istio2603, pkg: "istio.io/istio/cni/cmd/istio-cni", ldflags: istioVersion2603, minutes: 0.5},
}

const (
	istio2603        = "images/26.03/istio"
	istioVersion2603 = strip + " -X istio.io/istio/pkg/version.buildVersion=1.30-b01690e6db7d"
	istioFrom2603    = "istio.io/istio at b01690e6db7d (April 2026)"
	istioNote2603    = "a commit shortly before 1.30.0 stands for 1.30.8, of which no module is published"
)

// images2603 lists the images of release 26.03, the node's own first.
func images2603() []Image {
	all := append(nodeImages(), certManagerImages("v1.20.3", "cert-manager-1.20")...)
	all = append(all,
		Image{
			Name: "ghcr.io/dexidp/dex:v2.45.1", Kind: Real, From: "github.com/dexidp/dex at v2.45.1 (11d2eeb52b42)",
			Note:       "without SQLite, which needs cgo",
			entrypoint: []string{"/usr/local/bin/dex"}, user: "1001:1001", files: []file{{"dex-2.45", "/usr/local/bin/dex"}},
		},
		Image{
			Name: "quay.io/oauth2-proxy/oauth2-proxy:v7.15.6", Kind: Real, From: "github.com/oauth2-proxy/oauth2-proxy/v7 v7.15.6",
			entrypoint: []string{"/bin/oauth2-proxy"}, user: "65532:65532", files: []file{{"oauth2-proxy-7.15", "/bin/oauth2-proxy"}},
		},
		Image{
			Name: istioHub2603 + "pilot:1.30.8", Aliases: []string{"docker.io/istio/pilot:1.30.8"}, Kind: Real,
			From: istioFrom2603, Note: istioNote2603 + "; told to send proxies none of Istio's own filters",
			// Upstream Envoy refuses a configuration that names filters of Istio's build of it.
			env:        []string{"PILOT_ENABLE_METADATA_EXCHANGE=false", "PILOT_ENABLE_ALPN_FILTER=false"},
			entrypoint: []string{"/usr/local/bin/pilot-discovery"}, user: "1337:1337",
			files: []file{{"pilot-discovery-1.30", "/usr/local/bin/pilot-discovery"}},
		},
		proxy2603(),
		// It copies the plugin from its own directory into the node's.
		Image{
			Name: istioHub2603 + "install-cni:1.30.8", Aliases: []string{"docker.io/istio/install-cni:1.30.8"}, Kind: Real,
			From: istioFrom2603 + ", iptables of this machine", Note: istioNote2603,
			entrypoint: []string{"/usr/local/bin/install-cni"},
			files:      []file{{"install-cni-1.30", "/usr/local/bin/install-cni"}, {"istio-cni-1.30", "/opt/cni/bin/istio-cni"}},
			host:       true,
		},
	)
	all = append(all, metalLBImages()...)
	for _, s := range []struct{ name, program, note string }{
		{"dashboard/profile-controller:v2.0.0", "profile-controller", "makes namespace, ServiceAccounts, RoleBindings and status of a Profile"},
		{"dashboard/access-management:v2.0.0", "kfam", "answers health checks, lists bindings and makes Profiles"},
		{"dashboard/poddefaults-webhook:v2.0.0", "poddefaults-webhook", "adds the environment, volumes and labels of matching PodDefaults"},
		{"notebooks/notebook-controller:v1.11.0", "notebook-controller", "makes StatefulSet, Service, VirtualService and status of a Notebook"},
		{"notebooks/jupyter-web-app:v1.11.0", "jupyter-web-app", "the web app's API with its CSRF rule; a plain page in the place of the front end"},
	} {
		all = append(all, standIn2603("ghcr.io/kubeflow/"+s.name, s.program, s.note))
	}
	const notebook = kubeflow + "notebook-servers/jupyter-scipy:v1.11.0"
	return append(all, notebookImage(notebook, standIn2603(notebook, "notebook", "")), echoImage())
}

const istioHub2603 = "registry.istio.io/release/"

// proxy2603 is Istio's agent.
func proxy2603() Image {
	const name, alias = istioHub2603 + "proxyv2:1.30.8", "docker.io/istio/proxyv2:1.30.8"
	return agentImage(name, alias, istioFrom2603, istioNote2603, "-1.30", standIn2603(name, "pilot-agent", agentInstead, alias))
}

func standIn2603(name, part, note string, aliases ...string) Image {
	i := standIn(name, part, note, aliases...)
	for f := range i.files {
		i.files[f].program = "standin-26.03"
	}
	return i
}
