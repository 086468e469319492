package fidelity

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	yamlutil "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// upstream is the state of kubeflow/manifests that a release follows.
type upstream struct {
	version string
	// paths are the kustomizations that make up the notebooks part, in the order in
	// which upstream's documentation applies them.
	paths []string
}

// upstreams by the name of our release.
var upstreams = map[string]upstream{
	"1.10": {"v1.10.1", []string{
		"common/cert-manager/base",
		"common/cert-manager/kubeflow-issuer/base",
		"common/istio-1-24/istio-crds/base",
		"common/istio-1-24/istio-namespace/base",
		"common/istio-1-24/istio-install/overlays/oauth2-proxy",
		"common/kubeflow-namespace/base",
		"common/kubeflow-roles/base",
		"common/istio-1-24/kubeflow-istio-resources/base",
		"apps/admission-webhook/upstream/overlays/cert-manager",
		"common/oauth2-proxy/overlays/m2m-dex-only",
		"common/dex/overlays/oauth2-proxy",
		"apps/jupyter/notebook-controller/upstream/overlays/kubeflow",
		"apps/jupyter/jupyter-web-app/upstream/overlays/istio",
		"apps/profiles/upstream/overlays/kubeflow",
		"common/user-namespace/base",
	}},
	"26.03": {"26.03.1", []string{
		"common/cert-manager/base",
		"common/cert-manager/overlays/kubeflow",
		"common/istio/istio-crds/base",
		"common/istio/istio-namespace/base",
		"common/istio/istio-install/overlays/oauth2-proxy",
		"common/kubeflow-namespace/base",
		"common/kubeflow-roles/base",
		"common/istio/kubeflow-istio-resources/base",
		"applications/dashboard/upstream/poddefaults-webhooks/overlays/cert-manager",
		"common/oauth2-proxy/overlays/m2m-dex-only",
		"common/dex/overlays/oauth2-proxy",
		"applications/notebooks-v1/upstream/notebook-controller/overlays/kubeflow",
		"applications/notebooks-v1/upstream/jupyter-web-app/overlays/istio",
		"applications/dashboard/upstream/profile-controller/overlays/kubeflow-pss",
		"common/user-namespace/base",
	}},
}

// UpstreamVersion is the version of kubeflow/manifests that a release follows.
func UpstreamVersion(release string) (string, error) {
	u, ok := upstreams[release]
	if !ok {
		return "", fmt.Errorf("it is not known what release %q follows upstream", release)
	}
	return u.version, nil
}

// LoadUpstream reads the objects that a release follows from dir: a clone of
// kubeflow/manifests at its version, which is built with kustomize, or a directory of
// rendered YAML, or one such file.
func LoadUpstream(release, dir string) ([]*unstructured.Unstructured, error) {
	if info, err := os.Stat(dir); err == nil && info.Mode().IsRegular() {
		return readFile(dir)
	}
	followed, ok := upstreams[release]
	if !ok {
		return nil, fmt.Errorf("it is not known what release %q follows upstream", release)
	}
	marker := followed.paths[0]
	if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(marker))); err == nil {
		return buildClone(followed.paths, dir)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s is neither a clone of kubeflow/manifests %s (no %s) nor a directory of rendered *.yaml", dir, followed.version, marker)
	}
	var out []*unstructured.Unstructured
	for _, file := range files {
		objects, err := readFile(file)
		if err != nil {
			return nil, err
		}
		out = append(out, objects...)
	}
	return out, nil
}

func readFile(file string) ([]*unstructured.Unstructured, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	objects, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return objects, nil
}

func buildClone(paths []string, dir string) ([]*unstructured.Unstructured, error) {
	options := krusty.MakeDefaultOptions()
	// Some of upstream's kustomizations reach for files beside them.
	options.LoadRestrictions = types.LoadRestrictionsNone
	var out []*unstructured.Unstructured
	for _, path := range paths {
		resources, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), filepath.Join(dir, filepath.FromSlash(path)))
		if err != nil {
			return nil, fmt.Errorf("kustomize build %s: %w", path, err)
		}
		data, err := resources.AsYaml()
		if err != nil {
			return nil, fmt.Errorf("kustomize build %s: %w", path, err)
		}
		objects, err := decode(data)
		if err != nil {
			return nil, fmt.Errorf("kustomize build %s: %w", path, err)
		}
		fillProfile(objects)
		out = append(out, objects...)
	}
	return out, nil
}

// fillProfile gives the first user's Profile its name and owner. Upstream's
// kustomization fills $(KEY) from a ConfigMap of its own by a replacement that
// selects the Profile by the very name it replaces, which newer releases of
// kustomize no longer do.
func fillProfile(objects []*unstructured.Unstructured) {
	for _, config := range objects {
		if config.GetKind() != "ConfigMap" {
			continue
		}
		data, _, _ := unstructured.NestedStringMap(config.Object, "data")
		for _, u := range objects {
			if u.GetKind() != "Profile" {
				continue
			}
			for key, value := range data {
				if u.GetName() == "$("+key+")" {
					u.SetName(value)
				}
				if owner, ok, _ := unstructured.NestedMap(u.Object, "spec", "owner"); ok && owner["name"] == "$("+key+")" {
					owner["name"] = value
					_ = unstructured.SetNestedMap(u.Object, owner, "spec", "owner") // the path was read just before
				}
			}
		}
	}
}

func decode(data []byte) ([]*unstructured.Unstructured, error) {
	var out []*unstructured.Unstructured
	reader := yamlutil.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		converted, err := yaml.YAMLToJSON(document)
		if err != nil {
			return nil, err
		}
		u := &unstructured.Unstructured{}
		if err := utiljson.Unmarshal(converted, &u.Object); err != nil {
			return nil, err
		}
		if u.GetKind() != "" {
			out = append(out, u)
		}
	}
}
