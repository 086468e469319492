package components

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Image is one image that a component pulls, now or when a person starts a notebook.
type Image struct {
	Ref string `json:"image"`
	// Components that use it.
	Components []string `json:"components"`
	// OnDemand: nothing of the component itself runs it; a notebook or an injected
	// sidecar does.
	OnDemand bool `json:"onDemand,omitempty"`
}

// Images lists what the rendered components pull, sorted by reference. Images that
// stand in configuration (a sidecar's, the notebooks of the spawner) are those the
// component declares in ConfigImages, looked up in the rendered objects, so that a
// mirror's names are shown.
func Images(rendered []Rendered, o Options) []Image {
	byRef := map[string]*Image{}
	add := func(ref, component string, onDemand bool) {
		i := byRef[ref]
		if i == nil {
			i = &Image{Ref: ref, OnDemand: true}
			byRef[ref] = i
		}
		if !slices.Contains(i.Components, component) {
			i.Components = append(i.Components, component)
		}
		i.OnDemand = i.OnDemand && onDemand
	}
	for _, r := range rendered {
		for _, u := range r.Objects {
			eachContainer(u, func(c map[string]any) {
				// "auto" is what a pod says that leaves the choice to the injector.
				if ref, _ := c["image"].(string); ref != "" && ref != "auto" {
					add(ref, r.Component.Name, false)
				}
			})
		}
		for _, ref := range r.Component.ConfigImages {
			add(o.image(ref), r.Component.Name, true)
		}
	}
	out := make([]Image, 0, len(byRef))
	for _, ref := range slices.Sorted(maps.Keys(byRef)) {
		out = append(out, *byRef[ref])
	}
	return out
}

// image is the reference after --image and --registry.
func (o Options) image(ref string) string {
	if repl, ok := o.Images[Repository(ref)]; ok {
		return repl
	}
	if o.Registry == "" {
		return ref
	}
	host, to := hostOf(ref), ""
	for _, m := range mirrors(o.Registry) {
		if m.of == host || m.of == "" && to == "" {
			to = m.to
		}
	}
	if to == "" {
		return ref // a registry that nobody has named
	}
	return to + "/" + withoutHost(ref)
}

// Mirrored is where a mirror has an image: its reference after --registry.
func (o Options) Mirrored(ref string) string { return Options{Registry: o.Registry}.image(ref) }

// hostOf is the registry of a reference; without one it is Docker's.
func hostOf(ref string) string {
	if rest := withoutHost(ref); rest != ref {
		return strings.TrimSuffix(ref, "/"+rest)
	}
	return "docker.io"
}

// Repository is an image's reference without tag and digest.
func Repository(ref string) string {
	ref, _, _ = strings.Cut(ref, "@")
	if i := strings.LastIndex(ref, ":"); i > strings.LastIndex(ref, "/") {
		ref = ref[:i]
	}
	return ref
}

// Tag of an image's reference; empty where it has none.
func Tag(ref string) string {
	ref, _, _ = strings.Cut(ref, "@")
	return strings.TrimPrefix(strings.TrimPrefix(ref, Repository(ref)), ":")
}

// withoutHost drops the registry's host. As in every container tool, the first part
// is a host when it has a dot or a colon or is localhost.
func withoutHost(ref string) string {
	host, rest, ok := strings.Cut(ref, "/")
	if ok && (strings.ContainsAny(host, ".:") || host == "localhost") {
		return rest
	}
	return ref
}

// checkImages refuses a replacement of something that the release does not have: it
// would change nothing, and nobody would notice before the image is pulled.
func (s *Files) checkImages(ctx context.Context, replaced map[string]string) error {
	if len(replaced) == 0 {
		return nil
	}
	all, err := s.Render(ctx, s.release.Names(), Options{Outlines: true})
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, image := range Images(all, Options{}) {
		known[Repository(image.Ref)] = true
	}
	for _, name := range slices.Sorted(maps.Keys(replaced)) {
		switch {
		case known[name]:
		case known[Repository(name)]:
			return fmt.Errorf("--image: %q: NAME must not have a tag: use %s", name, Repository(name))
		default:
			return fmt.Errorf("--image: release %s has no image %q: `kubectl jupyter images` lists what it has", s.release.Name, name)
		}
	}
	return nil
}

func replaceImages(u *unstructured.Unstructured, c *Component, o Options) {
	if o.Registry == "" && len(o.Images) == 0 {
		return
	}
	pairs := make([]string, 0, 2*len(c.ConfigImages))
	for _, ref := range c.ConfigImages {
		pairs = append(pairs, ref, o.image(ref))
	}
	configured := strings.NewReplacer(pairs...)
	eachContainer(u, func(container map[string]any) {
		if ref, _ := container["image"].(string); ref != "" && ref != "auto" {
			container["image"] = o.image(ref)
		}
		// Some programs are told by an argument which image they start.
		if args, ok := container["args"].([]any); ok {
			MapStrings(args, configured.Replace)
		}
	})
	if u.GetKind() == "ConfigMap" {
		MapStrings(u.Object["data"], configured.Replace)
	}
}

// eachContainer visits the containers of an object's pod template.
func eachContainer(u *unstructured.Unstructured, visit func(map[string]any)) {
	if !slices.Contains(WorkloadKinds, u.GetKind()) {
		return
	}
	spec, _ := u.Object["spec"].(map[string]any)
	if template, ok := spec["template"].(map[string]any); ok {
		spec, _ = template["spec"].(map[string]any)
	}
	for _, list := range []string{"initContainers", "containers"} {
		containers, _ := spec[list].([]any)
		for _, c := range containers {
			if c, ok := c.(map[string]any); ok {
				visit(c)
			}
		}
	}
}

// Uses tells whether a container of an object's pod template has the image.
func Uses(u *unstructured.Unstructured, image string) bool {
	uses := false
	eachContainer(u, func(c map[string]any) { uses = uses || c["image"] == image })
	return uses
}
