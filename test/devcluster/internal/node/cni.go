package node

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// The directories in which pods that bring a CNI plugin look for those of the node.
const (
	cniBin  = "/opt/cni/bin"
	cniConf = "/etc/cni/net.d"
)

func (l layout) cniBin() string { return l.path("cni-bin") }

// copyPlugins copies the node's CNI plugins: others may be put beside them,
// and none of that must reach the machine's directory.
func copyPlugins(from, to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, name := range plugins {
		if err := copyProgram(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
			return fmt.Errorf("CNI plugin %s: %w", name, err)
		}
	}
	return nil
}

func copyProgram(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		_ = out.Close()
		return err
	}
	return out.Close()
}

// provideDirs makes directories of the bed appear at paths in the node's
// mount namespace. The machine may not have these paths: what is missing is
// made in a layer in memory over the first directory of each.
func provideDirs(dirs map[string]string) error {
	for at, from := range dirs {
		top := "/" + strings.SplitN(at, "/", 3)[1]
		layer := filepath.Join("/run/devcluster-layers", top)
		upper, work := filepath.Join(layer, "upper"), filepath.Join(layer, "work")
		for _, d := range []string{upper, work} {
			if err := os.MkdirAll(d, 0o755); err != nil {
				return err
			}
		}
		// What is below top, such as the bed's directory, is not in the layer: it is opened before.
		dir, err := os.Open(from)
		if err != nil {
			return err
		}
		defer func() { _ = dir.Close() }()
		if err := unix.Mount("overlay", top, "overlay", 0, "lowerdir="+top+",upperdir="+upper+",workdir="+work); err != nil {
			return fmt.Errorf("mount a layer over %s: %w", top, err)
		}
		if err := os.MkdirAll(at, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(fmt.Sprintf("/proc/self/fd/%d", dir.Fd()), at, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount %s at %s: %w", from, at, err)
		}
	}
	return nil
}
