package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"
)

// sourcesDir is hack/sources as the package's tests see it.
var sourcesDir = filepath.Join("..", "sources")

func TestEverySourceGivesTheCRDsOfItsComponent(t *testing.T) {
	for _, s := range releases(sourcesDir) {
		t.Run(s.dir(), func(t *testing.T) {
			files, err := generate(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			again, err := generate(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			for name, data := range files {
				if !bytes.Equal(data, again[name]) {
					t.Errorf("%s: two runs give different bytes", name)
				}
				crd := &apiextensionsv1.CustomResourceDefinition{}
				if err := json.Unmarshal(data, crd); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if want := crd.Spec.Names.Plural + "." + crd.Spec.Group; crd.Name != want || name != want+".json" {
					t.Errorf("%s: the name is %q, want %q", name, crd.Name, want)
				}
				stored := 0
				for _, version := range crd.Spec.Versions {
					if version.Storage {
						stored++
					}
				}
				if stored != 1 {
					t.Errorf("%s: %d storage versions, want 1", name, stored)
				}
			}
		})
	}
}

// Upstream ships the CRDs that it generated itself with its types. They are not
// read by the generator, which makes them a yardstick for it.
func TestTheTypesGiveWhatTheirProjectShips(t *testing.T) {
	for _, test := range []struct {
		component, module, glob string
		// allowed changes what upstream ships by what we do on purpose.
		allowed func(*apiextensionsv1.CustomResourceDefinition)
	}{
		{"cert-manager", "github.com/cert-manager/cert-manager", "deploy/crds/*.yaml", nil},
		{"metallb", "go.universe.tf/metallb", "config/crd/bases/*.yaml", func(crd *apiextensionsv1.CustomResourceDefinition) {
			if crd.Name == "bgppeers.metallb.io" {
				// The bases get the webhook from a kustomize patch.
				if err := convertByMetalLB(crd); err != nil {
					t.Fatal(err)
				}
			}
		}},
	} {
		t.Run(test.component, func(t *testing.T) {
			chosen, err := choose(releases(sourcesDir), test.component)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range chosen {
				t.Run(s.dir(), func(t *testing.T) {
					files, err := generate(t.Context(), s)
					if err != nil {
						t.Fatal(err)
					}
					shipped, err := filepath.Glob(filepath.Join(moduleDir(t, s.source.(goTypes).dir, test.module), filepath.FromSlash(test.glob)))
					if err != nil {
						t.Fatal(err)
					}
					if len(shipped) != len(files) {
						t.Fatalf("%d files are shipped, %d are generated", len(shipped), len(files))
					}
					for _, file := range shipped {
						data, err := os.ReadFile(file)
						if err != nil {
							t.Fatal(err)
						}
						theirs := &apiextensionsv1.CustomResourceDefinition{}
						if err := yaml.Unmarshal(data, theirs); err != nil {
							t.Fatalf("%s: %v", file, err)
						}
						if test.allowed != nil {
							test.allowed(theirs)
						}
						if err := finish(theirs, set{}); err != nil {
							t.Fatal(err)
						}
						ours := &apiextensionsv1.CustomResourceDefinition{}
						if err := json.Unmarshal(files[theirs.Name+".json"], ours); err != nil {
							t.Fatalf("%s: %v", theirs.Name, err)
						}
						if difference := cmp.Diff(theirs.Spec, ours.Spec); difference != "" {
							t.Errorf("%s (-shipped +generated):\n%s", theirs.Name, difference)
						}
					}
				})
			}
		})
	}
}

func moduleDir(t *testing.T, source, module string) string {
	t.Helper()
	file := crdFile{dir: source, module: module}
	dir, err := file.goCommand(t.Context(), "list", "-m", "-f", "{{.Dir}}", module)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(dir)
}

func TestProseIsDroppedAndFieldsThatAreCalledLikeItAreKept(t *testing.T) {
	schema := &apiextensionsv1.JSONSchemaProps{
		Type: "object", Description: "prose", Title: "prose",
		Properties: map[string]apiextensionsv1.JSONSchemaProps{
			"description": {Type: "string", Description: "prose"},
			"list": {Type: "array", Items: &apiextensionsv1.JSONSchemaPropsOrArray{
				Schema: &apiextensionsv1.JSONSchemaProps{Type: "string", Description: "prose", MinLength: ptr.To[int64](1)},
			}},
			"map": {Type: "object", AdditionalProperties: &apiextensionsv1.JSONSchemaPropsOrBool{
				Schema: &apiextensionsv1.JSONSchemaProps{Type: "string", Description: "prose"},
			}},
		},
		OneOf: []apiextensionsv1.JSONSchemaProps{{Required: []string{"list"}, Description: "prose"}},
	}
	withoutProse(schema)
	data, err := json.Marshal(schema)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(data, []byte("prose")) {
		t.Errorf("prose is left: %s", data)
	}
	if schema.Properties["description"].Type != "string" || *schema.Properties["list"].Items.Schema.MinLength != 1 {
		t.Errorf("more than prose is gone: %s", data)
	}
}

func TestADefaultStaysOnlyInTheKeyOfAKeyedList(t *testing.T) {
	quoted := func(text string) *apiextensionsv1.JSON { return &apiextensionsv1.JSON{Raw: []byte(`"` + text + `"`)} }
	schema := &apiextensionsv1.JSONSchemaProps{
		Type: "object", XMapType: ptr.To("atomic"),
		Properties: map[string]apiextensionsv1.JSONSchemaProps{
			"service": {Type: "string", Default: quoted("")},
			"nodes": {Type: "object", XMapType: ptr.To("atomic"), AdditionalProperties: &apiextensionsv1.JSONSchemaPropsOrBool{
				Schema: &apiextensionsv1.JSONSchemaProps{Type: "string"},
			}},
			"ports": {Type: "array", XListMapKeys: []string{"protocol"}, Items: &apiextensionsv1.JSONSchemaPropsOrArray{
				Schema: &apiextensionsv1.JSONSchemaProps{Properties: map[string]apiextensionsv1.JSONSchemaProps{
					"protocol": {Type: "string", Default: quoted("TCP")},
					"other":    {Type: "string", Default: quoted("x")},
				}},
			}},
		},
	}
	withoutStructTypesAndDefaults(schema, nil)
	port := schema.Properties["ports"].Items.Schema.Properties
	switch {
	case schema.XMapType != nil:
		t.Error("the struct is still atomic")
	case schema.Properties["nodes"].XMapType == nil:
		t.Error("the map is not atomic any more")
	case schema.Properties["service"].Default != nil || port["other"].Default != nil:
		t.Error("a default is left that no key needs")
	case port["protocol"].Default == nil:
		t.Error("the default of a key is gone: the server would refuse the schema")
	}
}

func TestVerifyNamesWhatIsNotCommitted(t *testing.T) {
	out := t.TempDir()
	args := []string{"-sources", sourcesDir, "-out", out, "-only", "dex"}
	if err := run(t.Context(), args, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(out, "common", "dex", "crds")
	verify := func() error { return run(t.Context(), append(args, "-verify"), &bytes.Buffer{}) }
	if err := verify(); err != nil {
		t.Fatalf("right after generating: %v", err)
	}
	file := filepath.Join(dir, "authcodes.dex.coreos.com.json")
	for _, test := range []struct {
		name, message string
		spoil         func() error
	}{
		{"an edited file", "authcodes.dex.coreos.com.json", func() error { return os.WriteFile(file, []byte("{}\n"), 0o644) }},
		{"a missing file", "authcodes.dex.coreos.com.json (missing)", func() error { return os.Remove(file) }},
		{"a file too many", "old.json (not generated any more)", func() error {
			return os.WriteFile(filepath.Join(dir, "old.json"), []byte("{}\n"), 0o644)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := test.spoil(); err != nil {
				t.Fatal(err)
			}
			if err := verify(); err == nil || !strings.Contains(err.Error(), test.message) {
				t.Errorf("got %v, want an error that names %q", err, test.message)
			}
			if err := run(t.Context(), args, &bytes.Buffer{}); err != nil {
				t.Fatal(err)
			}
		})
	}
	if err := verify(); err != nil {
		t.Errorf("generating does not repair the directory: %v", err)
	}
}
