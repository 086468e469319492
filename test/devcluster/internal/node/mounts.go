package node

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"golang.org/x/sys/unix"
)

// hidden are the directories of the machine into which containerd, runc, CNI
// and the kubelet write whatever they are told. In the node's own mount
// namespace each is an empty file system in memory, so that nothing of it
// reaches the machine and nothing has to be cleaned up.
var hidden = []string{"/run", "/var/lib", "/var/log"}

// isolate makes this process's mount namespace the node's own. It must be
// called in a new one. What keep lists stays visible at its place.
func isolate(keep ...string) error {
	// Mounts of the node stay here, those of the machine may still come in.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("make / a slave mount: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	held := map[string]*os.File{}
	for _, k := range below(keep, hidden) {
		f, err := os.Open(k)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		held[k] = f
	}
	for _, d := range hidden {
		if err := unix.Mount("tmpfs", d, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
			return fmt.Errorf("mount an empty %s: %w", d, err)
		}
	}
	for k, f := range held {
		if err := os.MkdirAll(k, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), k, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("keep %s visible: %w", k, err)
		}
	}
	// A volume with bidirectional propagation needs a shared mount to be on.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("make / a shared mount: %w", err)
	}
	return nil
}

// below returns those of paths that are in one of dirs, parents first.
func below(paths, dirs []string) []string {
	var all []string
	for _, p := range paths {
		p = filepath.Clean(p)
		for _, d := range dirs {
			if p == d || strings.HasPrefix(p, d+"/") {
				all = append(all, p)
				break
			}
		}
	}
	sort.Strings(all)
	return all
}

// provideFiles mounts the node's own file of host names, and its disk, where it has them.
func provideFiles(hosts string, disk Disk) error {
	if hosts != "" {
		if err := unix.Mount(hosts, "/etc/hosts", "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount %s at /etc/hosts: %w", hosts, err)
		}
	}
	if disk.Size > 0 {
		if err := unix.Mount("tmpfs", disk.Path, "tmpfs", unix.MS_NODEV, fmt.Sprintf("size=%d", disk.Size)); err != nil {
			return fmt.Errorf("mount a disk of %d bytes at %s: %w", disk.Size, disk.Path, err)
		}
	}
	return nil
}
