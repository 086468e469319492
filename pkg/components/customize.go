package components

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
	"sigs.k8s.io/yaml"
)

// UserComponent is the pseudo-component of objects that a user's kustomization adds.
const UserComponent = "user"

// Limits of a user's kustomization, so that `-k /` fails instead of reading a disk.
const (
	customFileBytes  = 4 << 20
	customTotalFiles = 2000
	// customNodes are the values of one file, once its YAML aliases are written out.
	customNodes = 1 << 20
)

// customize applies the user's kustomization in dir on top of what was rendered.
// A kustomization of kind Kustomization is taken as a Component: that kind is made
// for changing resources which somebody else lists.
func customize(rendered []Rendered, dir string) ([]Rendered, error) {
	mem := filesys.MakeFsInMemory()
	if err := copyKustomization(mem, dir); err != nil {
		return nil, fmt.Errorf("-k %s: %w", dir, err)
	}
	top := types.Kustomization{Components: []string{"../user"}}
	order := map[string]int{}
	for i, r := range rendered {
		order[r.Component.Name] = i
		if len(r.Objects) == 0 {
			continue
		}
		all, err := documentsOf(r.Objects)
		if err != nil {
			return nil, err
		}
		file := r.Component.Name + ".yaml"
		if err := mem.WriteFile("/all/"+file, all); err != nil {
			return nil, err
		}
		top.Resources = append(top.Resources, file)
	}
	data, err := yaml.Marshal(top)
	if err != nil {
		return nil, err
	}
	if err := mem.WriteFile("/all/kustomization.yaml", data); err != nil {
		return nil, err
	}
	objects, err := kustomize(mem, "/all")
	if err != nil {
		return nil, fmt.Errorf("-k %s: %w", dir, err)
	}
	out := make([]Rendered, len(rendered))
	for i, r := range rendered {
		out[i].Component = r.Component
	}
	var added []*unstructured.Unstructured
	for _, u := range objects {
		if i, ok := order[u.GetLabels()[ComponentLabel]]; ok {
			out[i].Objects = append(out[i].Objects, u)
			continue
		}
		labels := u.GetLabels()
		if labels == nil {
			labels = map[string]string{}
		}
		labels[ComponentLabel] = UserComponent
		u.SetLabels(labels)
		added = append(added, u)
	}
	if len(added) > 0 {
		user := &Component{Name: UserComponent, Title: "your kustomization"}
		for _, r := range rendered {
			user.Needs = append(user.Needs, Need{
				Component: r.Component.Name, Condition: Accepted,
				Why: "it can refer to any object of the stack",
			})
		}
		out = append(out, Rendered{Component: user, Objects: added})
	}
	for i := range out {
		hashConfig(out[i].Objects)
	}
	return out, nil
}

// documentsOf are objects as a YAML stream.
func documentsOf(objects []*unstructured.Unstructured) ([]byte, error) {
	var all []byte
	for _, u := range objects {
		data, err := u.MarshalJSON() // a JSON document is a YAML document
		if err != nil {
			return nil, err
		}
		all = append(append(all, "---\n"...), data...)
	}
	return all, nil
}

// copyKustomization reads dir into /user of mem, as a Component.
func copyKustomization(mem filesys.FileSystem, dir string) error {
	found := false
	files := 0
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == ".git" {
			return filepath.SkipDir
		}
		if !d.Type().IsRegular() {
			return nil
		}
		rel, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		if files++; files > customTotalFiles {
			return fmt.Errorf("more than %d files: specify the directory of a single kustomization", customTotalFiles)
		}
		if info, err := d.Info(); err != nil {
			return err
		} else if info.Size() > customFileBytes {
			return fmt.Errorf("%s is larger than %d MiB: it cannot be part of a kustomization", rel, customFileBytes>>20)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := checkAliases(data); err != nil {
			return fmt.Errorf("%s: %w", rel, err)
		}
		for _, name := range konfig.RecognizedKustomizationFileNames() {
			if rel == name {
				found = true
				if data, err = asComponent(data); err != nil {
					return fmt.Errorf("%s: %w", rel, err)
				}
			}
		}
		return mem.WriteFile("/user/"+filepath.ToSlash(rel), data)
	})
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("no kustomization.yaml in it")
	}
	return nil
}

// checkAliases refuses YAML whose aliases have no end, or come to more than any manifest:
// kustomize writes them out, and would end the program. What is no YAML is left to it.
func checkAliases(data []byte) error {
	left := customNodes
	for documents := kyaml.NewDecoder(bytes.NewReader(data)); ; {
		var document kyaml.Node
		if documents.Decode(&document) != nil {
			return nil
		}
		if err := writtenOut(&document, map[*kyaml.Node]bool{}, &left); err != nil {
			return err
		}
	}
}

// writtenOut walks a node as it is without aliases. Open are the nodes that it is in.
func writtenOut(n *kyaml.Node, open map[*kyaml.Node]bool, left *int) error {
	if n.Kind == kyaml.AliasNode {
		n = n.Alias
	}
	if *left--; *left < 0 {
		return fmt.Errorf("its YAML aliases come to more than %d values", customNodes)
	}
	if open[n] {
		return fmt.Errorf("line %d: a YAML alias refers to what it is part of", n.Line)
	}
	open[n] = true
	defer delete(open, n)
	for _, child := range n.Content {
		if err := writtenOut(child, open, left); err != nil {
			return err
		}
	}
	return nil
}

func asComponent(data []byte) ([]byte, error) {
	var k map[string]any
	if err := yaml.Unmarshal(data, &k); err != nil {
		return nil, err
	}
	if k == nil {
		k = map[string]any{}
	}
	switch kind := k["kind"]; kind {
	case nil, types.KustomizationKind, types.ComponentKind:
	default:
		return nil, fmt.Errorf("kind %v: want Kustomization or Component", kind)
	}
	k["apiVersion"], k["kind"] = types.ComponentVersion, types.ComponentKind
	return yaml.Marshal(k)
}
