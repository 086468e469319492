package clones

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// Open reads and renders a clone. Its errors name the flag, and where kustomize fails, the
// piece with kustomize's own message.
func Open(ctx context.Context, dir string, o Options) (*components.Files, error) {
	dir, err := directory(dir)
	if err != nil {
		return nil, err
	}
	l, err := layoutOf(dir)
	if err != nil {
		return nil, err
	}
	pieces, err := l.piecesIn(dir, o.Overlays)
	if err != nil {
		return nil, err
	}
	c := &clone{layout: l, options: o, objects: map[string][]*unstructured.Unstructured{}, about: &components.Clone{
		Path: dir, Version: l.version, Overlays: o.Overlays, KeepCredentials: o.KeepCredentials, AsIs: o.AsIs,
	}}
	if c.embedded, err = newestRelease(); err != nil {
		return nil, err
	}
	c.readGit(ctx, slices.Concat(slices.Collect(maps.Values(pieces))...))
	if err := c.render(ctx, pieces); err != nil {
		return nil, err
	}
	return c.source()
}

// directory is the absolute path of a directory.
func directory(dir string) (string, error) {
	info, err := os.Stat(dir)
	var path *fs.PathError
	switch {
	case errors.As(err, &path):
		return "", fmt.Errorf("--manifests %s: %w", dir, path.Err)
	case err != nil:
		return "", fmt.Errorf("--manifests %s: %w", dir, err)
	case !info.IsDir():
		return "", fmt.Errorf("--manifests %s: not a directory: specify a clone of kubeflow/manifests", dir)
	}
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("--manifests %s: %w", dir, err)
	}
	return absolute, nil
}

// piecesIn are the directories that are rendered, by component, with the overlays that were
// chosen.
func (l *layout) piecesIn(dir string, overlays map[string]string) (map[string][]string, error) {
	out := map[string][]string{}
	var missing []string
	for _, name := range slices.Sorted(maps.Keys(l.pieces)) {
		paths := slices.Clone(l.pieces[name])
		if overlay, chosen := overlays[name]; chosen {
			paths[len(paths)-1] = overlay
		}
		for i, path := range paths {
			full := filepath.FromSlash(path)
			if !filepath.IsAbs(full) {
				full = filepath.Join(dir, full)
			}
			_, err := os.Stat(full)
			switch {
			case err == nil:
			case overlays[name] == path:
				return nil, fmt.Errorf("--overlay %s=%s: %s does not exist: PATH is a directory in the clone, or an absolute one", name, path, full)
			default:
				missing = append(missing, fmt.Sprintf("%s (component %s)", path, name))
			}
			paths[i] = full
		}
		out[name] = paths
	}
	for _, name := range slices.Sorted(maps.Keys(overlays)) {
		if l.pieces[name] == nil {
			return nil, fmt.Errorf("--overlay: unknown component %q: the components of a clone are %s", name, strings.Join(slices.Sorted(maps.Keys(l.pieces)), ", "))
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("--manifests %s: the clone has the layout of kubeflow/manifests %s (there is %s), but these do not exist:\n  %s\ncomplete the clone; if it is of a later version that has them elsewhere, specify where: --overlay COMPONENT=PATH",
			dir, l.version, l.marker, strings.Join(missing, "\n  "))
	}
	return out, nil
}

// clone is one that is being read.
type clone struct {
	layout  *layout
	options Options
	about   *components.Clone
	// tagged: Git tells the version.
	tagged bool
	// embedded is the newest release of the binary, which is followed in what it knows of
	// components: their order, needs and gates.
	embedded *components.Files
	// objects of the clone, by component.
	objects map[string][]*unstructured.Unstructured
	// cni: the directories of its CNI plugin can be chosen.
	cni bool
	// recorded are Secrets as the inventory may hold them.
	recorded map[string]*unstructured.Unstructured
}

func newestRelease() (*components.Files, error) {
	return components.NewEmbedded(components.NewestRelease())
}

// names of the clone's components, in the order of the release.
func (c *clone) names() []string {
	return slices.DeleteFunc(c.embedded.Release().Names(), func(n string) bool { return c.layout.pieces[n] == nil })
}

func (c *clone) note(format string, args ...any) {
	c.about.Notes = append(c.about.Notes, fmt.Sprintf(format, args...))
}

func (c *clone) warn(format string, args ...any) {
	c.about.Warnings = append(c.about.Warnings, fmt.Sprintf(format, args...))
}

// render builds all pieces, and makes of them what the engine can apply.
func (c *clone) render(ctx context.Context, pieces map[string][]string) error {
	names := c.names()
	built := make([][]*unstructured.Unstructured, len(names))
	err := quietly(func() error {
		var group errgroup.Group
		group.SetLimit(runtime.GOMAXPROCS(0))
		for i, name := range names {
			group.Go(func() error {
				for _, path := range pieces[name] {
					if err := ctx.Err(); err != nil {
						return err
					}
					objects, err := build(path)
					if err != nil {
						return fmt.Errorf("--manifests %s: component %s: kustomize build %s: %w", c.about.Path, name, c.short(path), err)
					}
					built[i] = append(built[i], objects...)
				}
				return nil
			})
		}
		return group.Wait()
	})
	if err != nil {
		return err
	}
	for i, name := range names {
		fillProfile(built[i])
		plainNames(built[i])
		c.objects[name] = built[i]
	}
	c.placeInNamespaces()
	c.join()
	for _, name := range names {
		tidy(c.objects[name])
	}
	c.nameFirstUser()
	if err := c.nameProxy(); err != nil {
		return err
	}
	c.cni = c.placeCNI()
	templates, err := c.templates()
	if err != nil {
		return err
	}
	c.follow(templates)
	c.replaceCredentials(templates)
	if !c.options.AsIs {
		c.add(templates)
	}
	return nil
}

// short is a path below the clone's directory.
func (c *clone) short(path string) string {
	if rel, err := filepath.Rel(c.about.Path, path); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel)
	}
	return path
}

// find an object of the clone.
func (c *clone) find(component, kind, namespace, name string) *unstructured.Unstructured {
	return find(c.objects[component], kind, namespace, name)
}

func find(objects []*unstructured.Unstructured, kind, namespace, name string) *unstructured.Unstructured {
	for _, u := range objects {
		if u.GetKind() == kind && u.GetNamespace() == namespace && u.GetName() == name {
			return u
		}
	}
	return nil
}
