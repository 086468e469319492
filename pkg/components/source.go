package components

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// Source is where manifests come from. The engine sees components, objects and
// needs, whatever the source is.
type Source interface {
	// Release is what the source can install.
	Release() *Release
	// Render makes the objects of the named components, in the release's order.
	Render(ctx context.Context, names []string, o Options) ([]Rendered, error)
}

//go:embed */base */crds */overlays */options */probes
var manifests embed.FS

// Embedded is the source that is part of the binary.
type Embedded struct {
	release *Release
	files   fs.FS
}

// NewEmbedded reads the catalogue and its probes.
func NewEmbedded() (*Embedded, error) {
	e := &Embedded{release: Release110(), files: manifests}
	for i := range e.release.Components {
		c := &e.release.Components[i]
		for g := range c.Gates {
			for p := range c.Gates[g].Probes {
				probe := &c.Gates[g].Probes[p]
				file := path.Join(c.Name, "probes", probe.File)
				data, err := fs.ReadFile(e.files, file)
				if err != nil {
					return nil, fmt.Errorf("component %s: probe: %w", c.Name, err)
				}
				if probe.Object, err = decodeYAML(data); err != nil {
					return nil, fmt.Errorf("component %s: probe %s: %w", c.Name, probe.File, err)
				}
			}
		}
	}
	return e, nil
}

// Release implements Source.
func (e *Embedded) Release() *Release { return e.release }

// Render implements Source. Components are rendered side by side.
func (e *Embedded) Render(ctx context.Context, names []string, o Options) ([]Rendered, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if err := e.checkImages(o.Images); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	for _, n := range names {
		if _, err := e.release.Component(n); err != nil {
			return nil, err
		}
	}
	var out []Rendered
	for i := range e.release.Components {
		if c := &e.release.Components[i]; slices.Contains(names, c.Name) {
			out = append(out, Rendered{Component: c.forUser(o)})
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range out {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			objects, err := e.render(out[i].Component.Name, o)
			if err != nil {
				return fmt.Errorf("component %s: %w", out[i].Component.Name, err)
			}
			out[i].Objects = objects
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if o.Kustomization != "" {
		return customize(out, o.Kustomization)
	}
	return out, nil
}

func (e *Embedded) render(name string, o Options) ([]*unstructured.Unstructured, error) {
	objects, err := e.crds(name, o.Outlines)
	if err != nil {
		return nil, err
	}
	built, err := e.build(name, o)
	if err != nil {
		return nil, err
	}
	objects = append(objects, built...)
	component, err := e.release.Component(name)
	if err != nil {
		return nil, err
	}
	for _, u := range objects {
		substitute(u, o)
		replaceImages(u, component, o)
		labels := u.GetLabels()
		if labels == nil {
			labels = map[string]string{}
		}
		labels[ComponentLabel] = name
		u.SetLabels(labels)
	}
	hashConfig(objects)
	return objects, nil
}

// crds decodes the generated definitions. They are large and nothing in them is
// for kustomize to change, so they do not pass through it: it would spend half a
// second on them.
func (e *Embedded) crds(name string, outlines bool) ([]*unstructured.Unstructured, error) {
	entries, err := fs.ReadDir(e.files, path.Join(name, "crds"))
	if err != nil {
		return nil, nil // a component without definitions of its own
	}
	var out []*unstructured.Unstructured
	for _, entry := range entries {
		file := path.Join(name, "crds", entry.Name())
		data, err := fs.ReadFile(e.files, file)
		if err != nil {
			return nil, err
		}
		u := &unstructured.Unstructured{}
		if outlines {
			err = outline(data, u)
		} else {
			err = utiljson.Unmarshal(data, &u.Object)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		out = append(out, u)
	}
	return out, nil
}

// outline decodes of a definition what it defines, and skips how that looks.
func outline(data []byte, u *unstructured.Unstructured) error {
	var d struct {
		APIVersion, Kind string
		Metadata         map[string]any
		Spec             struct {
			Group, Scope string
			Names        map[string]any
			Versions     []struct {
				Name            string
				Served, Storage bool
			}
		}
	}
	if err := json.Unmarshal(data, &d); err != nil {
		return err
	}
	var versions []any
	for _, v := range d.Spec.Versions {
		versions = append(versions, map[string]any{"name": v.Name, "served": v.Served, "storage": v.Storage})
	}
	u.Object = map[string]any{
		"apiVersion": d.APIVersion, "kind": d.Kind, "metadata": d.Metadata,
		"spec": map[string]any{"group": d.Spec.Group, "scope": d.Spec.Scope, "names": d.Spec.Names, "versions": versions},
	}
	return nil
}

// build runs kustomize on the component's overlay for the profile, or on its base
// where the profile changes nothing.
func (e *Embedded) build(name string, o Options) ([]*unstructured.Unstructured, error) {
	if _, err := fs.Stat(e.files, path.Join(name, "base")); err != nil {
		return nil, nil // nothing but CRDs
	}
	target := path.Join("/", name, "base")
	has := func(dir string) bool { _, err := fs.Stat(e.files, dir[1:]); return err == nil }
	if overlay := path.Join("/", name, "overlays", o.Profile); has(overlay) {
		target = overlay
	}
	top := types.Kustomization{Resources: []string{".." + target}}
	for _, option := range o.enabled() {
		if dir := path.Join("/", name, "options", option); has(dir) {
			top.Components = append(top.Components, ".."+dir)
		}
	}
	if path.Base(target) == "base" && len(top.Components) == 0 {
		if objects, ok, err := e.plain(name); ok || err != nil {
			return objects, err
		}
	}
	mem, err := e.memory(name)
	if err != nil {
		return nil, err
	}
	if len(top.Components) > 0 {
		data, err := yaml.Marshal(top)
		if err != nil {
			return nil, err
		}
		target = "/top"
		if err := mem.WriteFile("/top/kustomization.yaml", data); err != nil {
			return nil, err
		}
	}
	return kustomize(mem, target)
}

// memory is a component's folder as kustomize reads it.
func (e *Embedded) memory(name string) (filesys.FileSystem, error) {
	mem := filesys.MakeFsInMemory()
	return mem, fs.WalkDir(e.files, name, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if dir := path.Base(path.Dir(file)); dir == "crds" || dir == "probes" {
			return nil
		}
		data, err := fs.ReadFile(e.files, file)
		if err != nil {
			return err
		}
		return mem.WriteFile("/"+file, data)
	})
}

func kustomize(fsys filesys.FileSystem, dir string) ([]*unstructured.Unstructured, error) {
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(fsys, dir)
	if err != nil {
		return nil, err
	}
	out := make([]*unstructured.Unstructured, 0, resources.Size())
	for _, r := range resources.Resources() {
		content, err := nodeContent(r.YNode())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.CurId(), err)
		}
		object, ok := content.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%s: not an object", r.CurId())
		}
		out = append(out, &unstructured.Unstructured{Object: object})
	}
	return out, nil
}

func decodeYAML(data []byte) (*unstructured.Unstructured, error) {
	j, err := yaml.YAMLToJSONStrict(data)
	if err != nil {
		return nil, err
	}
	u := &unstructured.Unstructured{}
	if err := utiljson.Unmarshal(j, &u.Object); err != nil {
		return nil, err
	}
	if u.GetKind() == "" || u.GetName() == "" {
		return nil, fmt.Errorf("not one object with a kind and a name: %.80s", strings.TrimSpace(string(data)))
	}
	return u, nil
}

// compactJSON is the form hashes are made of: sorted keys, no white space.
func compactJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // decoded from JSON just before; it cannot fail to go back
	}
	return b
}
