package node

import (
	"embed"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/network"
)

//go:embed templates
var templateFS embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{"join": network.Join[netip.Prefix]}).ParseFS(templateFS, "templates/*"))

// layout is where a node keeps its things, all of it below the bed's directory.
type layout struct {
	dir   string
	cache string
}

func (l layout) path(elem ...string) string {
	return filepath.Join(append([]string{l.dir}, elem...)...)
}

func (l layout) socket() string          { return l.path("containerd.sock") }
func (l layout) sysctls() string         { return l.path("sysctls.json") }
func (l layout) containerdRoot() string  { return filepath.Join(l.cache, "containerd") }
func (l layout) containerdState() string { return l.path("containerd") }
func (l layout) imported() string        { return filepath.Join(l.cache, "imported") }

// values are what the templates speak of.
type values struct {
	Dir, Socket, ContainerdRoot, PluginDir string
	ClientCA, ResolvConf                   string
	Kubeconfig, Name                       string
	PauseImage, Certs                      string
	Network                                *network.Network
}

// write renders one template into the node's directory, under its own name
// unless another is given.
func (l layout) write(name string, v values, elem ...string) error {
	if len(elem) == 0 {
		elem = []string{name}
	}
	file := l.path(elem...)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	var b strings.Builder
	if err := templates.ExecuteTemplate(&b, name, v); err != nil {
		return fmt.Errorf("%s of the node: %w", name, err)
	}
	return os.WriteFile(file, []byte(b.String()), 0o600)
}

func (l layout) writeAll(v values) error {
	for _, f := range []struct{ name, dir string }{
		{"containerd.toml", ""},
		{"kubelet.yaml", ""},
		{"kube-proxy.yaml", ""},
		{"resolv.conf", ""},
		{"10-pods.conflist", "cni"},
	} {
		if err := l.write(f.name, v, f.dir, f.name); err != nil {
			return err
		}
	}
	for _, d := range []string{"manifests", "kubelet", "volumes", "pods-logs"} {
		if err := os.MkdirAll(l.path(d), 0o755); err != nil {
			return err
		}
	}
	return os.MkdirAll(l.containerdRoot(), 0o700)
}
