// Package clones makes a release of somebody's clone of kubeflow/manifests: it finds out by
// which version the directory is laid out, renders its pieces in memory, replaces the
// credentials that it ships, and adds what upstream's stack lacks without its dashboard.
package clones

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// layout is how versions of kubeflow/manifests are laid out. A clone says nowhere which
// version it is: its README calls every one "master", and lists versions that it does not
// install.
type layout struct {
	// version is the last one of upstream that has the layout.
	version string
	// marker is a path that no earlier layout has.
	marker string
	// programs are the minor versions of components' programs in that version. A clone with
	// newer ones is of a later version; patches may be somebody's own.
	programs map[string]string
	// pieces are the kustomizations of a component. The last one is what --overlay replaces.
	pieces map[string][]string
}

// layouts of the versions that can be installed, the latest first: the first whose marker
// exists is the one.
var layouts = []layout{
	{"26.03.1", "applications/notebooks-v1", programs("1.20", "1.30", "2.45"), with(since1102, map[string][]string{
		"cert-manager":        {"common/cert-manager/base"},
		"kubeflow-issuer":     {"common/cert-manager/overlays/kubeflow"},
		"poddefaults":         {"applications/dashboard/upstream/poddefaults-webhooks/overlays/cert-manager"},
		"notebook-controller": {"applications/notebooks-v1/upstream/notebook-controller/overlays/kubeflow"},
		"jupyter-web-app":     {"applications/notebooks-v1/upstream/jupyter-web-app/overlays/istio"},
		"profiles":            {"applications/dashboard/upstream/profile-controller/overlays/kubeflow-pss"},
	})},
	{"26.03", "common/cert-manager/overlays/kubeflow", programs("1.19", "1.28", "2.45"), with(since1102, map[string][]string{
		// This one has cert-manager in it, which is left to its own component.
		"kubeflow-issuer": {"common/cert-manager/overlays/kubeflow"},
	})},
	{"v1.11.0", "common/istio/istio-install/components/ambient-mode", programs("1.16", "1.28", "2.44"), since1102},
	{"v1.10.2", "applications/profiles/pss", programs("1.16", "1.26", "2.41"), since1102},
	{"v1.10.1", "common/istio-1-24", programs("1.16", "1.24", "2.41"), with(pieces("common/istio-1-24", "apps"), nil)},
	{"v1.9.1", "common/oauth2-proxy", programs("1.14", "1.22", "2.39"), with(pieces("common/istio-1-22", "apps"), map[string][]string{
		"cert-manager": {"common/cert-manager/cert-manager/base"},
	})},
}

func programs(certManager, istio, dex string) map[string]string {
	return map[string]string{"cert-manager": certManager, "istio": istio, "dex": dex}
}

// since1102 are the pieces since v1.10.2.
var since1102 = with(pieces("common/istio", "applications"), map[string][]string{
	"profiles": {"applications/profiles/pss"},
})

// tooOld are layouts before the first one that can be installed, by a marker.
var tooOld = []layout{
	{version: "v1.9.0", marker: "common/oidc-client/oauth2-proxy"},
	{version: "v1.8 or earlier", marker: "common/oidc-client/oidc-authservice"},
	{version: "v1.8 or earlier", marker: "common/oidc-authservice"},
}

// pieces are where most versions have them.
func pieces(istio, apps string) map[string][]string {
	return map[string][]string{
		"cert-manager":        {"common/cert-manager/base"},
		"kubeflow-issuer":     {"common/cert-manager/kubeflow-issuer/base"},
		"istio-crds":          {istio + "/istio-crds/base"},
		"kubeflow-namespace":  {"common/kubeflow-namespace/base"},
		"istio":               {istio + "/istio-namespace/base", istio + "/istio-install/overlays/oauth2-proxy"},
		"kubeflow-roles":      {"common/kubeflow-roles/base"},
		"kubeflow-gateway":    {istio + "/kubeflow-istio-resources/base"},
		"poddefaults":         {apps + "/admission-webhook/upstream/overlays/cert-manager"},
		"dex":                 {"common/dex/overlays/oauth2-proxy"},
		"oauth2-proxy":        {"common/oauth2-proxy/overlays/m2m-dex-only"},
		"notebook-controller": {apps + "/jupyter/notebook-controller/upstream/overlays/kubeflow"},
		"jupyter-web-app":     {apps + "/jupyter/jupyter-web-app/upstream/overlays/istio"},
		"profiles":            {apps + "/profiles/upstream/overlays/kubeflow"},
		"user-profile":        {"common/user-namespace/base"},
	}
}

func with(base, changed map[string][]string) map[string][]string {
	out := map[string][]string{}
	for _, m := range []map[string][]string{base, changed} {
		for name, paths := range m {
			out[name] = paths
		}
	}
	return out
}

// Supported is the range of upstream's versions, for messages.
func Supported() string {
	return fmt.Sprintf("%s to %s", layouts[len(layouts)-1].version, layouts[0].version)
}

// layoutOf finds the layout of a clone.
func layoutOf(dir string) (*layout, error) {
	for i := range layouts {
		if exists(dir, layouts[i].marker) {
			return &layouts[i], nil
		}
	}
	for _, old := range tooOld {
		if exists(dir, old.marker) {
			return nil, fmt.Errorf("--manifests %s: the clone has the layout of kubeflow/manifests %s (there is %s): versions %s can be installed", dir, old.version, old.marker, Supported())
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "--manifests %s: not a clone of kubeflow/manifests %s: none of these exists in it:", dir, Supported())
	for _, l := range layouts {
		fmt.Fprintf(&b, "\n  %s (since %s)", l.marker, l.since())
	}
	if up := filepath.Dir(dir); up != dir && slices.ContainsFunc(layouts, func(l layout) bool { return exists(up, l.marker) }) {
		fmt.Fprintf(&b, "\nthe directory above it is one: --manifests %s", up)
	}
	return nil, fmt.Errorf("%s", b.String())
}

// since is the first version that has the layout.
func (l layout) since() string {
	if l.version == "v1.10.1" {
		return "v1.10.0"
	}
	return l.version
}

func exists(dir, path string) bool {
	_, err := os.Stat(filepath.Join(dir, filepath.FromSlash(path)))
	return err == nil
}
