package main

import (
	"encoding/json"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
)

// The validation is the API server's own, so that a schema which is not
// structural, or a default that does not fit, shows here and not in a cluster.
func TestAnAPIServerAcceptsEveryCRD(t *testing.T) {
	for _, s := range releases(sourcesDir) {
		files, err := generate(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		for name, data := range files {
			t.Run(name, func(t *testing.T) {
				for _, problem := range validate(t, data) {
					t.Error(problem)
				}
			})
		}
	}
}

func TestAnAPIServerRefusesASchemaThatIsNotStructural(t *testing.T) {
	crd := authCodes()
	crd.Spec.Versions[0].Schema.OpenAPIV3Schema = &apiextensionsv1.JSONSchemaProps{
		Type:       "object",
		Properties: map[string]apiextensionsv1.JSONSchemaProps{"spec": {Properties: map[string]apiextensionsv1.JSONSchemaProps{"a": {Type: "string"}}}},
	}
	data, err := encode(crd)
	if err != nil {
		t.Fatal(err)
	}
	if problems := validate(t, data); len(problems) == 0 {
		t.Error("a field without a type is accepted: the check cannot fail")
	}
}

func validate(t *testing.T, data []byte) []string {
	t.Helper()
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := json.Unmarshal(data, crd); err != nil {
		t.Fatal(err)
	}
	apiextensionsv1.SetObjectDefaults_CustomResourceDefinition(crd)
	// The server records the storage version before it validates.
	for _, version := range crd.Spec.Versions {
		if version.Storage {
			crd.Status.StoredVersions = []string{version.Name}
		}
	}
	internal := &apiextensions.CustomResourceDefinition{}
	if err := apiextensionsv1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(crd, internal, nil); err != nil {
		t.Fatal(err)
	}
	var problems []string
	for _, problem := range validation.ValidateCustomResourceDefinition(t.Context(), internal) {
		problems = append(problems, problem.Error())
	}
	return problems
}
