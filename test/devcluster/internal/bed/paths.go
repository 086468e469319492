package bed

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/process"
)

// Dir is the directory of one bed. Everything that the bed writes is in it.
type Dir string

// DefaultDir returns $DEVCLUSTER_DIR, otherwise a directory for the user's
// state: $XDG_STATE_HOME/devcluster or ~/.local/state/devcluster.
func DefaultDir() string {
	if d := os.Getenv("DEVCLUSTER_DIR"); d != "" {
		return d
	}
	if d := os.Getenv("XDG_STATE_HOME"); d != "" {
		return filepath.Join(d, "devcluster")
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local", "state", "devcluster")
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("devcluster-%d", os.Getuid()))
}

// Path returns the path of a file in the directory.
func (d Dir) Path(elem ...string) string {
	return filepath.Join(append([]string{string(d)}, elem...)...)
}

// Kubeconfig is the administrator's kubeconfig, good inside and outside of
// the bed's network.
func (d Dir) Kubeconfig() string { return d.Path("kubeconfig") }

// internalKubeconfig is the one of the bed's own components, which go to the
// API server without a detour.
func (d Dir) internalKubeconfig() string { return d.Path("kubeconfig.internal") }

// Log is the log file of a part of the bed.
func (d Dir) Log(part string) string { return d.Path("logs", part+".log") }

// ControlSocket is where the bed takes commands, see package control.
func (d Dir) ControlSocket() string { return d.Path("control.sock") }

// Book records the bed's processes.
func (d Dir) Book() process.Book { return process.Book(d.Path("processes")) }

func (d Dir) lockFile() string   { return d.Path("lock") }
func (d Dir) stateFile() string  { return d.Path("state.json") }
func (d Dir) configFile() string { return d.Path("config.json") }

// owned are the entries of a bed's directory that `down` removes. Anything
// else in the directory is not the bed's.
var owned = []string{
	"kubeconfig", "kubeconfig.internal", "control.sock", "processes", "state.json", "config.json",
	"pki", "admission.yaml", "etcd", "flexvolume", "kwok.yaml", "metrics-server", "pods", "node", "registry", "logs",
}

// cache survives `down` unless it is told to purge: unpacked images.
const cacheEntry = "cache"

// remove deletes the bed's files, except those that keep names.
func (d Dir) remove(w cleaning) error {
	var errs []error
	for _, e := range owned {
		if e == "logs" && w.keepLogs {
			continue
		}
		errs = append(errs, os.RemoveAll(d.Path(e)))
	}
	if w.cache {
		errs = append(errs, os.RemoveAll(d.Path(cacheEntry)))
	}
	if w.keepDir {
		return errors.Join(errs...)
	}
	errs = append(errs, os.Remove(d.lockFile()))
	// The directory itself goes when nothing else is in it.
	if err := os.Remove(string(d)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		if entries, rerr := os.ReadDir(string(d)); rerr == nil && len(entries) == 0 {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
