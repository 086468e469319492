package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	cgroupRoot = "/sys/fs/cgroup"
	// cgroupParent is the group into which containerd's CRI plugin puts
	// containers, on every machine, whoever runs it.
	cgroupParent = "k8s.io"
)

// removeCgroups ends what still runs in the control groups of the node's
// containers and removes them, in every hierarchy of the machine. Whose a
// group is tells its name, a container's identifier: the node's containers
// are those in containerd's state directory.
func removeCgroups(ctx context.Context, root, state string) error {
	containers, err := filepath.Glob(filepath.Join(state, "io.containerd.runtime.v2.task", "*", "*"))
	if err != nil {
		return err
	}
	// cgroup v2 has one hierarchy, at the root itself; v1 has one below it for each controller.
	parents := []string{filepath.Join(root, cgroupParent)}
	below, err := filepath.Glob(filepath.Join(root, "*", cgroupParent))
	if err != nil {
		return err
	}
	parents = append(parents, below...)
	var groups []string
	for _, c := range containers {
		for _, p := range parents {
			if s, err := os.Stat(filepath.Join(p, filepath.Base(c))); err == nil && s.IsDir() {
				groups = append(groups, filepath.Join(p, filepath.Base(c)))
			}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	// A killed process leaves its group when it is gone, and there is nothing to watch for that on cgroup v1.
	var last error
	err = wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(context.Context) (bool, error) {
		last = nil
		for _, g := range groups {
			if err := killAndRemove(g); err != nil {
				last = err
			}
		}
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("control groups of the node's containers: %w", errors.Join(err, last))
	}
	if len(groups) > 0 {
		for _, p := range parents {
			_ = syscall.Rmdir(p) // stays where somebody else's containers are in it
		}
	}
	return nil
}

// killAndRemove walks a group from its leaves.
func killAndRemove(group string) error {
	var dirs []string
	err := filepath.WalkDir(group, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return err
	})
	if err != nil {
		return err
	}
	for i := len(dirs) - 1; i >= 0; i-- {
		procs, err := os.ReadFile(filepath.Join(dirs[i], "cgroup.procs"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, p := range strings.Fields(string(procs)) {
			if pid, err := strconv.Atoi(p); err == nil && pid > 1 {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		if err := syscall.Rmdir(dirs[i]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove %s: %w", dirs[i], err)
		}
	}
	return nil
}
