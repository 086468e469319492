package components

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"
)

// Clone is where a release comes from that is not part of the binary: somebody's clone of
// kubeflow/manifests. The inventory keeps it.
type Clone struct {
	// Path of the directory, absolute, on the machine of whoever installed it.
	Path string `json:"path"`
	// Version of upstream whose layout the directory has, or that its tag names.
	Version string `json:"version"`
	// Commit that is checked out; empty where there is no Git repository.
	Commit string `json:"commit,omitempty"`
	// Changed: files of the pieces differ from the commit.
	Changed bool `json:"changed,omitempty"`
	// Overlays that were taken instead of the usual ones, by component.
	Overlays map[string]string `json:"overlays,omitempty"`
	// KeepCredentials: the credentials that the clone ships are installed.
	KeepCredentials bool `json:"keepShippedCredentials,omitempty"`
	// AsIs: nothing is added to what the clone has.
	AsIs bool `json:"asIs,omitempty"`

	// UserEmail and UserProfile are the first user that the clone names.
	UserEmail   string `json:"userEmail,omitempty"`
	UserProfile string `json:"userProfile,omitempty"`

	// Notes are what differs from the clone, for whoever installs it; Warnings what is
	// doubtful about it.
	Notes    []string `json:"-"`
	Warnings []string `json:"-"`
}

// Given are objects that are not in the binary.
type Given struct {
	// Objects by component.
	Objects map[string][]*unstructured.Unstructured
	// Secrets as the inventory may hold them, with placeholders instead of values, by
	// NAMESPACE/NAME; one that is not in it is kept as it is.
	Secrets map[string]*unstructured.Unstructured
}

// NewGiven is a source of components whose objects are given; what options change about
// them, and components that are not given, come from the binary. Its release must have a
// Clone.
func NewGiven(release *Release, given Given) (*Files, error) {
	s, err := NewSource(release, manifests)
	if err != nil {
		return nil, err
	}
	s.given = &given
	return s, nil
}

// copied is a component as it is given, before options.
func (s *Files) copied(name string, o Options) ([]*unstructured.Unstructured, error) {
	objects := make([]*unstructured.Unstructured, 0, len(s.given.Objects[name]))
	for _, u := range s.given.Objects[name] {
		if o.Outlines && u.GetKind() == "CustomResourceDefinition" {
			short := &unstructured.Unstructured{}
			if err := outline(compactJSON(u.Object), short); err != nil {
				return nil, err
			}
			objects = append(objects, short)
			continue
		}
		objects = append(objects, u.DeepCopy())
	}
	for _, dir := range s.options(name, o) {
		changed, err := s.read(dir, objects)
		if errors.Is(err, errNotPlain) {
			changed, err = s.changed(name, dir, objects)
		}
		if err != nil {
			return nil, err
		}
		objects = changed
	}
	return objects, nil
}

// changed has kustomize do what the kustomize Component in dir says to objects.
func (s *Files) changed(name, dir string, objects []*unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	mem, err := s.memory(name)
	if err != nil {
		return nil, err
	}
	text, err := documentsOf(objects)
	if err != nil {
		return nil, err
	}
	if err := mem.WriteFile("/given.yaml", text); err != nil {
		return nil, err
	}
	top, err := yaml.Marshal(plain{Kind: types.KustomizationKind, Resources: []string{"given.yaml"}, Components: []string{dir}})
	if err != nil {
		return nil, err
	}
	if err := mem.WriteFile("/kustomization.yaml", top); err != nil {
		return nil, err
	}
	return kustomize(mem, "/")
}

// record is a given release in the form that the inventory keeps.
type record struct {
	Release    Release
	Components []recordedComponent
	Objects    map[string][]map[string]any
}

// recordedComponent is a Component with all its fields: those that are nobody's business
// in the machine-readable form of the catalogue are needed to go on with it.
type recordedComponent struct {
	Name         string
	Title        string
	Version      string
	Values       map[string]string
	Namespaces   []string
	Needs        []Need
	OnDemand     bool
	NotIn        []string
	UserData     bool
	ConfigImages []string
	Gates        []Gate
	Produces     []Produced
	Leaves       []Leftover
	Trust        *Trust
}

// Copy is a given release with its objects, compressed: enough for everything but to
// install it anew, since the schemas of its definitions are left out. What its Secrets hold
// is too. It is nil for a release that is part of the binary.
func (s *Files) Copy() ([]byte, error) {
	if s.given == nil {
		return nil, nil
	}
	out := record{Release: *s.release, Objects: map[string][]map[string]any{}}
	out.Release.Components = nil
	for i := range s.release.Components {
		c := s.release.Components[i]
		if s.given.Objects[c.Name] == nil {
			continue
		}
		c.Gates = withoutProbeObjects(c.Gates)
		out.Components = append(out.Components, recordedComponent(c))
		objects, err := s.copied(c.Name, Options{Outlines: true})
		if err != nil {
			return nil, err
		}
		for _, u := range objects {
			if secret := s.given.Secrets[u.GetNamespace()+"/"+u.GetName()]; secret != nil && u.GetKind() == "Secret" {
				u = secret
			}
			out.Objects[c.Name] = append(out.Objects[c.Name], u.Object)
		}
	}
	text, err := json.Marshal(out)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// copyLimit bounds what a copy may be when it is unpacked, in bytes. Those of upstream's
// versions have half a megabyte.
const copyLimit = 32 << 20

// FromCopy is the source that a Copy was made of.
func FromCopy(data []byte) (*Files, error) {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(r, copyLimit))
	if err != nil {
		return nil, err
	}
	var in record
	if err := utiljson.Unmarshal(text, &in); err != nil {
		return nil, err
	}
	if in.Release.Clone == nil {
		return nil, fmt.Errorf("release %q: it is not known where it comes from", in.Release.Name)
	}
	given := Given{Objects: map[string][]*unstructured.Unstructured{}}
	for _, c := range in.Components {
		in.Release.Components = append(in.Release.Components, Component(c))
		given.Objects[c.Name] = []*unstructured.Unstructured{}
		for _, object := range in.Objects[c.Name] {
			u, err := normal(object)
			if err != nil {
				return nil, fmt.Errorf("component %s: %w", c.Name, err)
			}
			given.Objects[c.Name] = append(given.Objects[c.Name], u)
		}
	}
	in.Release.Components = append(in.Release.Components, OwnComponents()...)
	return NewGiven(&in.Release, given)
}

// normal has whole numbers as int64, as everywhere in unstructured objects.
func normal(object map[string]any) (*unstructured.Unstructured, error) {
	u := &unstructured.Unstructured{}
	return u, utiljson.Unmarshal(compactJSON(object), &u.Object)
}

// OwnComponents are what every release has that no upstream one has: MetalLB and the gateway's
// own certificate, which `expose` brings.
func OwnComponents() []Component {
	var out []Component
	all := Releases()
	for _, c := range all[len(all)-1].Components {
		if c.OnDemand {
			out = append(out, c)
		}
	}
	return out
}

func withoutProbeObjects(gates []Gate) []Gate {
	var out []Gate
	for _, g := range gates {
		probes := g.Probes
		g.Probes = nil
		for _, p := range probes {
			p.Object = nil
			g.Probes = append(g.Probes, p)
		}
		out = append(out, g)
	}
	return out
}
