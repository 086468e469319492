package components

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
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

//go:embed common releases
var manifests embed.FS

// Files is a source whose manifests are files: in common/COMPONENT what releases share,
// in releases/RELEASE/COMPONENT what a release has to itself.
type Files struct {
	release *Release
	files   fs.FS
	// given are objects that are not files; nil for a release that is part of the binary.
	given *Given
}

// NewEmbedded is the source of a release that is part of the binary.
func NewEmbedded(release string) (*Files, error) {
	r, err := ReleaseNamed(release)
	if err != nil {
		return nil, err
	}
	return NewSource(r, manifests)
}

// NewSource reads the probes of a release whose manifests are in files.
func NewSource(release *Release, files fs.FS) (*Files, error) {
	s := &Files{release: release, files: files}
	for i := range release.Components {
		c := &release.Components[i]
		for g := range c.Gates {
			for p := range c.Gates[g].Probes {
				probe := &c.Gates[g].Probes[p]
				data, err := fs.ReadFile(files, path.Join(s.dir(c.Name, "probes"), probe.File))
				if err != nil {
					return nil, fmt.Errorf("component %s: probe: %w", c.Name, err)
				}
				if probe.Object, err = decodeYAML(data); err != nil {
					return nil, fmt.Errorf("component %s: probe %s: %w", c.Name, probe.File, err)
				}
			}
		}
	}
	return s, nil
}

// roots are the folders of a component, the release's own first.
func (s *Files) roots(component string) []string {
	return []string{path.Join("releases", s.release.Name, component), path.Join("common", component)}
}

// dir is where a part of a component is: in the release's own folder where that has it,
// in the common one otherwise; empty where neither has.
func (s *Files) dir(component, part string) string {
	for _, root := range s.roots(component) {
		dir := path.Join(root, part)
		if info, err := fs.Stat(s.files, dir); err == nil && info.IsDir() {
			return dir
		}
	}
	return ""
}

// Release implements Source.
func (s *Files) Release() *Release { return s.release }

// Render implements Source. Components are rendered side by side.
func (s *Files) Render(ctx context.Context, names []string, o Options) ([]Rendered, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if err := s.checkImages(ctx, o.Images); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	if clone := s.release.Clone; clone != nil && o.UserProfile == "" && o.UserEmail == clone.UserEmail {
		o.UserProfile = clone.UserProfile
	}
	for _, n := range names {
		if _, err := s.release.Component(n); err != nil {
			return nil, err
		}
	}
	var out []Rendered
	for i := range s.release.Components {
		if c := &s.release.Components[i]; slices.Contains(names, c.Name) {
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
			objects, err := s.render(out[i].Component, o)
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

func (s *Files) render(c *Component, o Options) ([]*unstructured.Unstructured, error) {
	objects, err := s.objects(c.Name, o)
	if err != nil {
		return nil, err
	}
	objects = append(objects, o.pullSecrets(objects)...)
	tokens := c.tokens(o)
	for _, u := range objects {
		substitute(u, tokens, o)
		inDomain(u, o.ClusterDomain)
		if o.IPv6 {
			onIPv6(u)
		}
		if o.NoPause {
			endAtOnce(u)
		}
		replaceImages(u, c, o)
		o.pullWith(u)
		if err := o.Form.into(u); err != nil {
			return nil, err
		}
		if o.ProvidersOnly {
			if err := withoutPasswords(u); err != nil {
				return nil, err
			}
		}
		labels := u.GetLabels()
		if labels == nil {
			labels = map[string]string{}
		}
		labels[ComponentLabel] = c.Name
		u.SetLabels(labels)
	}
	hashConfig(objects)
	return objects, nil
}

// Templates are the objects of a component of the default profile with their placeholders,
// but for its definitions.
func (s *Files) Templates(name string) ([]*unstructured.Unstructured, error) {
	return s.build(name, Options{Profile: ProfileDefault})
}

// objects of a component, before placeholders are filled in.
func (s *Files) objects(name string, o Options) ([]*unstructured.Unstructured, error) {
	if s.given != nil && s.given.Objects[name] != nil {
		return s.copied(name, o)
	}
	objects, err := s.crds(name, o.Outlines)
	if err != nil {
		return nil, err
	}
	built, err := s.build(name, o)
	return append(objects, built...), err
}

// crds decodes the generated definitions. They are large and nothing in them is
// for kustomize to change, so they do not pass through it: it would spend half a
// second on them.
func (s *Files) crds(name string, outlines bool) ([]*unstructured.Unstructured, error) {
	dir := s.dir(name, "crds")
	if dir == "" {
		return nil, nil // a component without definitions of its own
	}
	entries, err := fs.ReadDir(s.files, dir)
	if err != nil {
		return nil, err
	}
	var out []*unstructured.Unstructured
	for _, entry := range entries {
		file := path.Join(dir, entry.Name())
		data, err := fs.ReadFile(s.files, file)
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

// build makes the objects of a component but for its CRDs.
func (s *Files) build(name string, o Options) ([]*unstructured.Unstructured, error) {
	top := s.top(name, o)
	objects, err := s.do(top, ".", nil)
	if errors.Is(err, errNotPlain) {
		return s.kustomize(name, top)
	}
	return objects, err
}

// top is the component's base, with what the profile and the options change on top.
func (s *Files) top(name string, o Options) plain {
	top := plain{Kind: types.KustomizationKind}
	if base := s.dir(name, "base"); base != "" {
		top.Resources = []string{base}
	}
	if dir := s.dir(name, path.Join("overlays", o.Profile)); dir != "" {
		top.Components = []string{dir}
	}
	top.Components = append(top.Components, s.options(name, o)...)
	return top
}

// options are the directories of the kustomize Components that options put on top.
func (s *Files) options(name string, o Options) []string {
	var dirs []string
	for _, option := range o.enabled() {
		if dir := s.dir(name, path.Join("options", option)); dir != "" {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// kustomize has the library do what a kustomization in the top folder says.
func (s *Files) kustomize(name string, top plain) ([]*unstructured.Unstructured, error) {
	mem, err := s.memory(name)
	if err != nil {
		return nil, err
	}
	data, err := yaml.Marshal(top)
	if err != nil {
		return nil, err
	}
	if err := mem.WriteFile("/kustomization.yaml", data); err != nil {
		return nil, err
	}
	return kustomize(mem, "/")
}

// memory is a component's folders as kustomize reads them.
func (s *Files) memory(name string) (filesys.FileSystem, error) {
	mem := filesys.MakeFsInMemory()
	for _, root := range s.roots(name) {
		err := fs.WalkDir(s.files, root, func(file string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) && file == root {
				return nil // all of it is in the other one
			}
			if err != nil || d.IsDir() {
				return err
			}
			if dir := path.Base(path.Dir(file)); dir == "crds" || dir == "probes" {
				return nil
			}
			data, err := fs.ReadFile(s.files, file)
			if err != nil {
				return err
			}
			return mem.WriteFile("/"+file, data)
		})
		if err != nil {
			return nil, err
		}
	}
	return mem, nil
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
		u := &unstructured.Unstructured{Object: object}
		if u.GetAPIVersion() == "" {
			return nil, fmt.Errorf("%s %s: no apiVersion", u.GetKind(), u.GetName()) // kustomize does without
		}
		out = append(out, u)
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
