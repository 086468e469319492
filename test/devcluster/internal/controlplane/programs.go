package controlplane

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/process"
)

// Programs is a directory with kube-apiserver, kube-controller-manager and kube-scheduler of
// another version.
type Programs string

// programGrace is how long a program has to end. What it has not written is thrown away.
const programGrace = time.Second

// Version is what the programs say of themselves, such as v1.28.15. All have to be there,
// and of one version.
func (p Programs) Version(ctx context.Context) (string, error) {
	var version string
	for _, name := range Names {
		out, err := exec.CommandContext(ctx, p.path(name), "--version").Output()
		if err != nil {
			return "", fmt.Errorf("%s --version: %w", p.path(name), err)
		}
		said, ok := strings.CutPrefix(strings.TrimSpace(string(out)), "Kubernetes ")
		switch {
		case !ok:
			return "", fmt.Errorf("%s --version says %q, not a version of Kubernetes", p.path(name), out)
		case version == "":
			version = said
		case said != version:
			return "", fmt.Errorf("%s is %s, %s in the same directory is %s", name, said, Names[0], version)
		}
	}
	return version, nil
}

func (p Programs) path(name string) string { return filepath.Join(string(p), name) }

// programs are the components as processes of their own.
func (c Config) programs() []component {
	var out []component
	for _, name := range Names {
		out = append(out, component{name, func(ctx context.Context) error {
			child, err := process.Start(ctx, exec.Command(c.Programs.path(name), c.flags(name)...), process.Options{
				Name: name, Book: c.Book, Log: filepath.Join(c.Logs, name+".log"), Grace: programGrace,
			})
			if err != nil {
				return err
			}
			if err := child.Wait(); err != nil {
				return fmt.Errorf("%w; see %s", err, filepath.Join(c.Logs, name+".log"))
			}
			return nil
		}})
	}
	return out
}
