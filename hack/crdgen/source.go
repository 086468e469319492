package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/tools/go/packages"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	yamlutil "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-tools/pkg/crd"
	"sigs.k8s.io/controller-tools/pkg/loader"
	"sigs.k8s.io/controller-tools/pkg/markers"
	"sigs.k8s.io/yaml"
)

// source gives the CRDs of one component.
type source interface {
	crds(ctx context.Context) ([]*apiextensionsv1.CustomResourceDefinition, error)
}

// goTypes reads Go API types with controller-tools, as controller-gen does.
type goTypes struct {
	dir      string   // of the module whose go.mod pins the versions
	packages []string // import paths or patterns
}

func (s goTypes) crds(ctx context.Context) ([]*apiextensionsv1.CustomResourceDefinition, error) {
	// The workspace and the vendor mode of whoever runs this must not change
	// which versions are read.
	config := &packages.Config{Context: ctx, Dir: s.dir, Env: append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off")}
	roots, err := loader.LoadRootsWithConfig(config, s.packages...)
	if err != nil {
		return nil, err
	}
	registry := &markers.Registry{}
	generator := crd.Generator{}
	if err := generator.RegisterMarkers(registry); err != nil {
		return nil, err
	}
	parser := &crd.Parser{
		Collector: &markers.Collector{Registry: registry},
		Checker:   &loader.TypeChecker{NodeFilters: []loader.NodeFilter{generator.CheckFilter()}},
	}
	crd.AddKnownTypes(parser)
	for _, root := range roots {
		parser.NeedPackage(root)
	}
	metav1 := crd.FindMetav1(roots)
	if metav1 == nil {
		return nil, fmt.Errorf("no package of %s has Kubernetes objects", strings.Join(s.packages, ", "))
	}
	noProse := 0
	var found []*apiextensionsv1.CustomResourceDefinition
	for _, kind := range crd.FindKubeKinds(parser, metav1) {
		parser.NeedCRDFor(kind, &noProse)
		definition := parser.CustomResourceDefinitions[kind]
		crd.FixTopLevelMetadata(definition)
		found = append(found, &definition)
	}
	var problems []error
	for _, root := range roots {
		for _, e := range root.Errors {
			// The parser leaves out generated methods and the bodies of
			// functions, so the type checker always misses some names. A type
			// that a schema needs is reported by the parser itself.
			if e.Kind != packages.TypeError {
				problems = append(problems, e)
			}
		}
	}
	return found, errors.Join(problems...)
}

// crdFile reads a file of CRDs that a module ships.
type crdFile struct {
	dir    string // of the module whose go.mod pins the version
	module string
	path   string // in the module, with slashes
}

func (s crdFile) crds(ctx context.Context) ([]*apiextensionsv1.CustomResourceDefinition, error) {
	// `go mod download` checks the module against go.sum and fetches what is
	// not in the cache, which `go list -m` does not.
	if _, err := s.goCommand(ctx, "mod", "download", s.module); err != nil {
		return nil, err
	}
	root, err := s.goCommand(ctx, "list", "-m", "-f", "{{.Dir}}", s.module)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(strings.TrimSpace(root), filepath.FromSlash(s.path)))
	if err != nil {
		return nil, err
	}
	var found []*apiextensionsv1.CustomResourceDefinition
	reader := yamlutil.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s of module %s: %w", s.path, s.module, err)
		}
		definition := &apiextensionsv1.CustomResourceDefinition{}
		// Strict: a field that the type does not know would be lost without a word.
		if err := yaml.UnmarshalStrict(document, definition); err != nil {
			return nil, fmt.Errorf("%s of module %s: %w", s.path, s.module, err)
		}
		if definition.Kind == "" {
			continue // a document of comments only
		}
		found = append(found, definition)
	}
}

func (s crdFile) goCommand(ctx context.Context, args ...string) (string, error) {
	command := exec.CommandContext(ctx, "go", args...)
	command.Dir = s.dir
	command.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("go %s in %s: %w: %s", strings.Join(args, " "), s.dir, err, strings.TrimSpace(stderr.String()))
	}
	return string(out), nil
}

// literal is a CRD that no module describes.
type literal []*apiextensionsv1.CustomResourceDefinition

func (s literal) crds(context.Context) ([]*apiextensionsv1.CustomResourceDefinition, error) {
	return s, nil
}
