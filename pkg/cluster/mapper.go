package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/version"
	apiversion "k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
)

// Resource is how a kind is reached.
type Resource struct {
	schema.GroupVersionResource
	Kind       string
	Namespaced bool
	// Listable is false for what nobody stores, such as access reviews.
	Listable bool
}

// Mapper knows which kinds the server has. It is safe for use by many goroutines.
type Mapper struct {
	mu    sync.RWMutex
	kinds map[schema.GroupVersionKind]Resource
	// preferred version of each group and kind
	preferred map[schema.GroupKind]schema.GroupVersionKind
}

func newMapper(ctx context.Context, d *discovery.DiscoveryClient) (*Mapper, error) {
	m := &Mapper{}
	done := make(chan error, 1)
	go func() { done <- m.refresh(ctx, d) }()
	// The discovery client takes no context. A server that never answers it would outlast
	// every time-out and Ctrl-C.
	select {
	case err := <-done:
		return m, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (m *Mapper) refresh(ctx context.Context, d *discovery.DiscoveryClient) error {
	_, lists, err := d.ServerGroupsAndResources()
	// A broken aggregated API (a metrics-server that is down) fails its own group
	// only; everything else is known.
	var partial *discovery.ErrGroupDiscoveryFailed
	if err != nil && !errors.As(err, &partial) {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	kinds := map[schema.GroupVersionKind]Resource{}
	preferred := map[schema.GroupKind]schema.GroupVersionKind{}
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return fmt.Errorf("discovery: group version %q: %w", list.GroupVersion, err)
		}
		for _, r := range list.APIResources {
			if containsSlash(r.Name) {
				continue // a subresource
			}
			gvk := gv.WithKind(r.Kind)
			kinds[gvk] = Resource{gv.WithResource(r.Name), r.Kind, r.Namespaced, slices.Contains(r.Verbs, "list")}
			if _, ok := preferred[gvk.GroupKind()]; !ok {
				preferred[gvk.GroupKind()] = gvk
			}
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kinds, m.preferred = kinds, preferred
	return nil
}

// Resource finds the resource of a kind; a no-match error when the server does not have it.
func (m *Mapper) Resource(gvk schema.GroupVersionKind) (Resource, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if r, ok := m.kinds[gvk]; ok {
		return r, nil
	}
	return Resource{}, &meta.NoKindMatchError{GroupKind: gvk.GroupKind(), SearchedVersions: []string{gvk.Version}}
}

// Preferred finds the resource of a kind in the version that the server prefers.
func (m *Mapper) Preferred(gk schema.GroupKind) (Resource, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if gvk, ok := m.preferred[gk]; ok {
		return m.kinds[gvk], nil
	}
	return Resource{}, &meta.NoKindMatchError{GroupKind: gk}
}

// Learn adds the kinds that a CustomResourceDefinition defines. Once it is
// Established the server has them, and asking again for all of discovery would
// only say the same.
func (m *Mapper) Learn(crd *unstructured.Unstructured) error {
	group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
	kind, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "kind")
	plural, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "plural")
	scope, _, _ := unstructured.NestedString(crd.Object, "spec", "scope")
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	if group == "" || kind == "" || plural == "" || len(versions) == 0 {
		return fmt.Errorf("CustomResourceDefinition %s: incomplete: no group, kind, plural or version", crd.GetName())
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, v := range versions {
		v, _ := v.(map[string]any)
		name, _ := v["name"].(string)
		if served, _ := v["served"].(bool); !served {
			continue
		}
		gvk := schema.GroupVersionKind{Group: group, Version: name, Kind: kind}
		m.kinds[gvk] = Resource{schema.GroupVersionResource{Group: group, Version: name, Resource: plural}, kind, scope == "Namespaced", true}
		if _, ok := m.preferred[gvk.GroupKind()]; !ok {
			m.preferred[gvk.GroupKind()] = gvk
		}
	}
	return nil
}

// Serves tells whether the server has every version that a definition serves.
func (m *Mapper) Serves(crd *unstructured.Unstructured) bool {
	group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
	kind, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "kind")
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, v := range versions {
		v, _ := v.(map[string]any)
		name, _ := v["name"].(string)
		if served, _ := v["served"].(bool); !served {
			continue
		}
		if _, ok := m.kinds[schema.GroupVersionKind{Group: group, Version: name, Kind: kind}]; !ok {
			return false
		}
	}
	return len(versions) > 0
}

// For returns the client for an object's kind, in its namespace where it has one.
func (c *Cluster) For(u *unstructured.Unstructured) (dynamic.ResourceInterface, Resource, error) {
	r, err := c.Mapper.Resource(u.GroupVersionKind())
	if err != nil {
		return nil, r, err
	}
	if r.Namespaced {
		ns := u.GetNamespace()
		if ns == "" {
			ns = metav1.NamespaceDefault
		}
		return c.Dynamic.Resource(r.GroupVersionResource).Namespace(ns), r, nil
	}
	return c.Dynamic.Resource(r.GroupVersionResource), r, nil
}

func containsSlash(s string) bool {
	for i := range s {
		if s[i] == '/' {
			return true
		}
	}
	return false
}

func parseVersion(body []byte) (*version.Version, error) {
	var info apiversion.Info
	if err := json.Unmarshal(body, &info); err != nil {
		return nil, err
	}
	return version.ParseGeneric(info.GitVersion)
}

// ByName finds the resource of a plural name in the version that the server prefers.
func (m *Mapper) ByName(group, plural string) (Resource, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for gk, gvk := range m.preferred {
		if r := m.kinds[gvk]; gk.Group == group && r.Resource == plural {
			return r, nil
		}
	}
	return Resource{}, &meta.NoResourceMatchError{PartialResource: schema.GroupVersionResource{Group: group, Resource: plural}}
}

// Namespaced lists every resource that lives in namespaces and can be listed, each in
// one version.
func (m *Mapper) Namespaced() []Resource {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var out []Resource
	for _, gvk := range m.preferred {
		if r := m.kinds[gvk]; r.Namespaced && r.Listable {
			out = append(out, r)
		}
	}
	return out
}
