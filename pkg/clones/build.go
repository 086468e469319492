package clones

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// build renders a kustomization on disk. Upstream's reach for files beside them, so that
// there is no restriction on what they load.
func build(dir string) ([]*unstructured.Unstructured, error) {
	options := krusty.MakeDefaultOptions()
	options.LoadRestrictions = types.LoadRestrictionsNone
	resources, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		return nil, err
	}
	out := make([]*unstructured.Unstructured, 0, resources.Size())
	for _, r := range resources.Resources() {
		data, err := r.MarshalJSON()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.CurId(), err)
		}
		u := &unstructured.Unstructured{}
		if err := utiljson.Unmarshal(data, &u.Object); err != nil {
			return nil, fmt.Errorf("%s: %w", r.CurId(), err)
		}
		out = append(out, u)
	}
	return out, nil
}

// quiet guards os.Stderr.
var quiet sync.Mutex

// quietly runs something that uses kustomize, which writes on standard error, past
// everything, that upstream's files use fields of older versions.
func quietly(do func() error) error {
	quiet.Lock()
	defer quiet.Unlock()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return do()
	}
	defer func(w io.Closer) { _ = w.Close() }(null) // nothing was written that could be lost
	before := os.Stderr
	os.Stderr = null
	defer func() { os.Stderr = before }()
	return do()
}

// hashed is a name with the suffix that kustomize's generators append: ten characters of a
// hexadecimal hash, in an alphabet without vowels and look-alikes.
var hashed = regexp.MustCompile(`^(.+)-[24-9bcdfghkmt]{10}$`)

// plainNames takes the suffix off the names of ConfigMaps and Secrets, and of everything that
// refers to them. With it, each change would be another object, the old one left behind;
// instead a hash on the pod template restarts what reads it (components.ConfigHashAnnotation).
func plainNames(objects []*unstructured.Unstructured) {
	names := map[string]string{}
	taken := map[string]bool{}
	id := func(u *unstructured.Unstructured, name string) string {
		return u.GetKind() + "/" + u.GetNamespace() + "/" + name
	}
	for _, u := range objects {
		taken[id(u, u.GetName())] = true
	}
	for _, u := range objects {
		if u.GroupVersionKind().Group != "" || u.GetKind() != "ConfigMap" && u.GetKind() != "Secret" {
			continue
		}
		if m := hashed.FindStringSubmatch(u.GetName()); m != nil && !taken[id(u, m[1])] {
			names[u.GetName()] = m[1]
			taken[id(u, m[1])] = true
		}
	}
	if len(names) == 0 {
		return
	}
	for _, u := range objects {
		components.MapStrings(u.Object, func(s string) string {
			if short, ok := names[s]; ok {
				return short
			}
			return s
		})
	}
}

// fillProfile gives the first user's Profile its name and owner. Upstream before 26.03 fills
// $(KEY) from a ConfigMap by a replacement that selects the Profile by the very name it
// replaces, which newer releases of kustomize no longer do.
func fillProfile(objects []*unstructured.Unstructured) {
	var pairs []string
	for _, u := range objects {
		data, _, _ := unstructured.NestedStringMap(u.Object, "data")
		if u.GetKind() == "ConfigMap" {
			for key, value := range data {
				pairs = append(pairs, "$("+key+")", value)
			}
		}
	}
	tokens := strings.NewReplacer(pairs...)
	for _, u := range objects {
		if u.GetKind() == "Profile" {
			components.MapStrings(u.Object, tokens.Replace)
		}
	}
}
