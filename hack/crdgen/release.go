package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/utils/ptr"
)

// sourcesModule is the path that the modules under hack/sources share.
const sourcesModule = "github.com/kubectl-jupyter/kubectl-jupyter/hack/sources/"

// set is the CRDs of one component: where they come from and what the release
// adds to what the source says.
type set struct {
	release   string // whose folder they go to; empty: what all releases have in common
	component string
	source    source
	count     int               // CRDs the release has; a source that gives more or fewer is the wrong one
	labels    map[string]string // on every CRD of the set
	perCRD    map[string]func(*apiextensionsv1.CustomResourceDefinition) error
}

// dir is the folder of the CRDs, below that of all components.
func (s set) dir() string {
	if s.release == "" {
		return filepath.Join("common", s.component, "crds")
	}
	return filepath.Join("releases", s.release, s.component, "crds")
}

// releases lists what all of them install. The labels are those of upstream's
// manifests that a selector or a person may look for; Helm's bookkeeping is left
// out, since Helm does not manage these objects.
func releases(sources string) []set {
	return slices.Concat(common(sources), release110(sources), release2603(sources))
}

// common are the sets that no release has of its own.
func common(sources string) []set {
	return []set{
		{
			component: "dex",
			source:    literal{authCodes()},
			count:     1,
		},
		{
			component: "metallb",
			source: goTypes{
				dir: filepath.Join(sources, "metallb"),
				packages: []string{
					"go.universe.tf/metallb/api/v1beta1",
					"go.universe.tf/metallb/api/v1beta2",
				},
			},
			count: 7,
			perCRD: map[string]func(*apiextensionsv1.CustomResourceDefinition) error{
				"bgppeers.metallb.io": convertByMetalLB,
			},
		},
	}
}

// release110 are the sets of Kubeflow 1.10.1.
func release110(sources string) []set {
	const release = "1.10"
	dir := filepath.Join(sources, release)
	labels := map[string]string{
		"app":                         "poddefaults",
		"app.kubernetes.io/component": "poddefaults",
		"app.kubernetes.io/name":      "poddefaults",
		"kustomize.component":         "poddefaults",
	}
	return []set{
		certManager(release, dir, "v1.16.1", nil, certManagerCRDs()),
		istio(release, dir, "1.24.3", 14),
		podDefaults(release, kubeflow(sources, "poddefault"), labels, asKubeflowReadsIt),
		notebooks(release, sources, all(requireNamedImage, asKubeflowReadsIt)),
		profiles(release, sources, map[string]string{"kustomize.component": "profiles"}, asKubeflowReadsIt),
	}
}

// release2603 are the sets of Kubeflow 26.03.1. Its schemas were made by a later generator,
// which leaves in them what the Kubernetes types say.
func release2603(sources string) []set {
	const release = "26.03"
	dir := filepath.Join(sources, release)
	labels := map[string]string{
		"app":                         "poddefaults",
		"app.kubernetes.io/component": "poddefaults",
		"app.kubernetes.io/name":      "poddefaults-webhook",
		"app.kubernetes.io/part-of":   "kubeflow-dashboard",
	}
	podTypes := goTypes{dir: filepath.Join(dir, "poddefaults"), packages: []string{sourcesModule + "kubeflow/poddefault/..."}}
	return []set{
		// Its types have markers for all that those of 1.16 do not say.
		certManager(release, dir, "v1.20.3", map[string]string{"app.kubernetes.io/component": "crds"}, nil),
		istio(release, dir, "1.30.8", 15),
		podDefaults(release, podTypes, labels, withStatus),
		notebooks(release, sources, requireNamedImage),
		profiles(release, sources, map[string]string{
			"app.kubernetes.io/name":    "profile-controller",
			"app.kubernetes.io/part-of": "kubeflow-dashboard",
		}, nil),
	}
}

func podDefaults(release string, types source, labels map[string]string, edit func(*apiextensionsv1.CustomResourceDefinition) error) set {
	return set{
		release:   release,
		component: "poddefaults",
		source:    types,
		count:     1,
		labels:    labels,
		perCRD:    map[string]func(*apiextensionsv1.CustomResourceDefinition) error{"poddefaults.kubeflow.org": edit},
	}
}

func notebooks(release, sources string, edit func(*apiextensionsv1.CustomResourceDefinition) error) set {
	return set{
		release:   release,
		component: "notebook-controller",
		source:    kubeflow(sources, "notebook"),
		count:     1,
		labels:    map[string]string{"app": "notebook-controller", "kustomize.component": "notebook-controller"},
		perCRD:    map[string]func(*apiextensionsv1.CustomResourceDefinition) error{"notebooks.kubeflow.org": edit},
	}
}

func profiles(release, sources string, labels map[string]string, edit func(*apiextensionsv1.CustomResourceDefinition) error) set {
	perCRD := map[string]func(*apiextensionsv1.CustomResourceDefinition) error{}
	if edit != nil {
		perCRD["profiles.kubeflow.org"] = edit
	}
	return set{
		release:   release,
		component: "profiles",
		source:    kubeflow(sources, "profile"),
		count:     1,
		labels:    labels,
		perCRD:    perCRD,
	}
}

// certManager takes labels beside the common ones, and what a CRD adds to its types.
func certManager(release, dir, version string, more map[string]string, perCRD map[string]func(*apiextensionsv1.CustomResourceDefinition) error) set {
	labels := map[string]string{
		"app":                        "cert-manager",
		"app.kubernetes.io/instance": "cert-manager",
		"app.kubernetes.io/name":     "cert-manager",
		"app.kubernetes.io/version":  version,
	}
	maps.Copy(labels, more)
	return set{
		release:   release,
		component: "cert-manager",
		source: goTypes{
			dir: filepath.Join(dir, "cert-manager"),
			packages: []string{
				"github.com/cert-manager/cert-manager/pkg/apis/acme/v1",
				"github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1",
			},
		},
		count:  6,
		labels: labels,
		perCRD: perCRD,
	}
}

func istio(release, dir, version string, count int) set {
	return set{
		release:   release,
		component: "istio-crds",
		source: crdFile{
			dir:    filepath.Join(dir, "istio"),
			module: "istio.io/api",
			path:   "kubernetes/customresourcedefinitions.gen.yaml",
		},
		count: count,
		labels: map[string]string{
			"app.kubernetes.io/instance": "istio",
			"app.kubernetes.io/part-of":  "istio",
			"app.kubernetes.io/version":  version,
		},
	}
}

// kubeflow are our own types of a kind, in all its versions.
func kubeflow(sources, kind string) source {
	return goTypes{dir: filepath.Join(sources, "kubeflow"), packages: []string{sourcesModule + "kubeflow/" + kind + "/..."}}
}

// requireNamedImage makes a notebook without a container, or a container
// without a name or an image, a refused object rather than a pod that never
// starts: the pod's Go type cannot say so, since other kinds share it.
func requireNamedImage(crd *apiextensionsv1.CustomResourceDefinition) error {
	for i := range crd.Spec.Versions {
		version := &crd.Spec.Versions[i]
		err := edit(version.Schema.OpenAPIV3Schema, func(containers *apiextensionsv1.JSONSchemaProps) {
			containers.MinItems = ptr.To[int64](1)
			containers.Items.Schema.Required = []string{"name", "image"}
		}, "spec", "template", "spec", "containers")
		if err != nil {
			return fmt.Errorf("version %s: %w", version.Name, err)
		}
	}
	return nil
}

// asKubeflowReadsIt takes back two things that the Kubernetes types say and
// Kubeflow's schemas, made by a generator that did not know them, do not:
// structs that server-side apply must replace as a whole, and defaults. A
// default stays where the schema needs it, in the key of a keyed list.
func asKubeflowReadsIt(crd *apiextensionsv1.CustomResourceDefinition) error {
	for i := range crd.Spec.Versions {
		withoutStructTypesAndDefaults(crd.Spec.Versions[i].Schema.OpenAPIV3Schema, nil)
	}
	return nil
}

func withoutStructTypesAndDefaults(schema *apiextensionsv1.JSONSchemaProps, keys []string) {
	if schema.AdditionalProperties == nil { // a struct, not a map
		schema.XMapType = nil
	}
	for name, property := range schema.Properties {
		if !slices.Contains(keys, name) {
			property.Default = nil
		}
		schema.Properties[name] = property
	}
	each(schema, func(inner *apiextensionsv1.JSONSchemaProps) {
		withoutStructTypesAndDefaults(inner, schema.XListMapKeys)
	})
}

// convertByMetalLB names the webhook that converts between the two versions of
// BGPPeer. Its caBundle is left to MetalLB's controller, which writes it at its
// start: a placeholder certificate would be refused from Kubernetes 1.31 on,
// and would blank the real one whenever the CRD is applied again.
func convertByMetalLB(crd *apiextensionsv1.CustomResourceDefinition) error {
	crd.Spec.Conversion = &apiextensionsv1.CustomResourceConversion{
		Strategy: apiextensionsv1.WebhookConverter,
		Webhook: &apiextensionsv1.WebhookConversion{
			ClientConfig: &apiextensionsv1.WebhookClientConfig{
				Service: &apiextensionsv1.ServiceReference{
					Namespace: "metallb-system",
					Name:      "metallb-webhook-service",
					Path:      ptr.To("/convert"),
				},
			},
			ConversionReviewVersions: []string{"v1beta1", "v1beta2"},
		},
	}
	return nil
}

// authCodes is the one CRD of Dex that must be there before Dex runs; Dex
// creates the others itself and tells by this one whether it may. Its storage
// type is not exported as an API, and the schema keeps every field.
func authCodes() *apiextensionsv1.CustomResourceDefinition {
	crd := &apiextensionsv1.CustomResourceDefinition{}
	crd.APIVersion, crd.Kind = apiextensionsv1.SchemeGroupVersion.String(), "CustomResourceDefinition"
	crd.Name = "authcodes.dex.coreos.com"
	crd.Spec = apiextensionsv1.CustomResourceDefinitionSpec{
		Group: "dex.coreos.com",
		Names: apiextensionsv1.CustomResourceDefinitionNames{
			Kind: "AuthCode", ListKind: "AuthCodeList", Plural: "authcodes", Singular: "authcode",
		},
		Scope: apiextensionsv1.NamespaceScoped,
		Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
			Name: "v1", Served: true, Storage: true,
			Schema: &apiextensionsv1.CustomResourceValidation{
				OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
					Type: "object", XPreserveUnknownFields: ptr.To(true),
				},
			},
		}},
	}
	return crd
}
