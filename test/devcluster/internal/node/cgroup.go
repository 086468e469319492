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

const cgroupRoot = "/sys/fs/cgroup"

// removeCgroup ends what still runs in the node's control group and removes
// the group, in every hierarchy of the machine. All that is in the group is
// the node's own: nobody else gives a group this name.
func removeCgroup(ctx context.Context, root, name string) error {
	if !strings.HasPrefix(name, "devcluster-") {
		return fmt.Errorf("control group %q is not a bed's", name)
	}
	// cgroup v2 has one hierarchy, at the root itself; v1 has one below it for each controller.
	candidates := []string{filepath.Join(root, name)}
	below, err := filepath.Glob(filepath.Join(root, "*", name))
	if err != nil {
		return err
	}
	var groups []string
	for _, g := range append(candidates, below...) {
		if s, err := os.Stat(g); err == nil && s.IsDir() {
			groups = append(groups, g)
		}
	}
	if len(groups) == 0 {
		return nil
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
		return fmt.Errorf("control group %s: %w", name, errors.Join(err, last))
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
