package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Packages are the Debian and Ubuntu packages that a real node is made of.
const Packages = "containerd runc iptables containernetworking-plugins"

// programs are what a real node runs, with the package that has each.
var programs = []struct{ name, pkg string }{
	{"containerd", "containerd"},
	{"containerd-shim-runc-v2", "containerd"},
	{"ctr", "containerd"},
	{"runc", "runc"},
	{"iptables", "iptables"},
	{"iptables-save", "iptables"},
	{"iptables-restore", "iptables"},
	{"mount", "mount"},
}

// plugins are the CNI plugins that the node's network is made of.
var plugins = []string{"ptp", "host-local", "portmap", "loopback"}

// pluginDirs are where distributions and people put CNI plugins.
var pluginDirs = []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"}

// systemPath is searched beside PATH: sbin is often missing from the one of an ordinary login.
const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// tools are the programs that were found.
type tools struct {
	containerd, ctr string
	pluginDir       string
}

// host is what findTools needs to know of a machine.
type host struct {
	lookPath func(name string) (string, error)
	stat     func(file string) (fs.FileInfo, error)
	uid      int
}

func thisHost() host {
	return host{lookPath: lookPath, stat: os.Stat, uid: os.Geteuid()}
}

func lookPath(name string) (string, error) {
	if p, err := exec.LookPath(name); err == nil {
		return p, nil
	}
	for _, d := range filepath.SplitList(systemPath) {
		p := filepath.Join(d, name)
		if s, err := os.Stat(p); err == nil && !s.IsDir() && s.Mode()&0o111 != 0 {
			return p, nil
		}
	}
	return "", exec.ErrNotFound
}

// Check tells whether this machine can run a real node. Its one error names
// everything that is missing and the command that brings it.
func Check() error {
	_, err := findTools(thisHost())
	return err
}

func findTools(h host) (tools, error) {
	if h.uid != 0 {
		return tools{}, errors.New("a real node needs root (containers, mounts and cgroups): run it with sudo, or take --nodes simulated")
	}
	var t tools
	var missing []string
	for _, p := range programs {
		path, err := h.lookPath(p.name)
		if err != nil {
			missing = append(missing, p.name)
			continue
		}
		switch p.name {
		case "containerd":
			t.containerd = path
		case "ctr":
			t.ctr = path
		}
	}
	var lacking []string
	for _, d := range pluginDirs {
		lacking = nil
		for _, p := range plugins {
			if _, err := h.stat(filepath.Join(d, p)); err != nil {
				lacking = append(lacking, p)
			}
		}
		if lacking == nil {
			t.pluginDir = d
			break
		}
	}
	if t.pluginDir == "" {
		missing = append(missing, fmt.Sprintf("the CNI plugins %s (in one of %s)", strings.Join(plugins, ", "), strings.Join(pluginDirs, ", ")))
	}
	if len(missing) > 0 {
		return tools{}, fmt.Errorf("a real node needs what this machine lacks: %s; install it with: apt-get install --no-install-recommends %s",
			strings.Join(missing, ", "), Packages)
	}
	return t, nil
}
