package components

import (
	"strings"
	"testing"
)

func TestOptionsAreRefusedByTheNameOfTheirFlag(t *testing.T) {
	tests := []struct {
		name string
		o    Options
		want string // part of the error, empty where the options are fine
	}{
		{"nothing chosen is fine", Options{}, ""},
		{"an unknown profile", Options{Profile: "huge"}, "--profile"},
		{"an address that is none", Options{UserEmail: "ada"}, "--user-email"},
		{"an address that would break out of Dex's configuration", Options{UserEmail: "a\"b@example.com"}, "--user-email"},
		{"an address whose namespace would be too long", Options{UserEmail: strings.Repeat("a", 60) + "@example.com"}, "--user-email"},
		{"a registry with a scheme", Options{Registry: "https://example.com"}, "--registry"},
		{"a registry with a port and a prefix is fine", Options{Registry: "registry.example.com:5000/mirror"}, ""},
		{"a mirror for each registry is fine", Options{Registry: "docker.io=harbor.corp.example/hub,quay.io=harbor.corp.example/quay,harbor.corp.example/rest"}, ""},
		{"two mirrors for all registries", Options{Registry: "a.example.com,b.example.com"}, "two mirrors for all"},
		{"two mirrors for one registry", Options{Registry: "docker.io=a.example.com,docker.io=b.example.com"}, "docker.io is specified twice"},
		{"a mirror of something that is no registry", Options{Registry: "docker.io/istio=a.example.com"}, "not a registry such as"},
		{"a pull secret in a namespace is fine", Options{PullSecret: "ops/mirror"}, ""},
		{"a pull secret whose name no Secret has", Options{PullSecret: "default/Mirror!"}, "--image-pull-secret"},
		{"the copy of a pull secret in its place", Options{PullSecret: "kubeflow/" + PullSecretCopy}, "--image-pull-secret"},
		{"an image with a port, a tag and a digest is fine", Options{Images: map[string]string{"ghcr.io/dexidp/dex": "r.example.com:5000/a/dex:v1@sha256:" + strings.Repeat("a", 64)}}, ""},
		{"an image reference that no runtime takes", Options{Images: map[string]string{"ghcr.io/dexidp/dex": "bad::ref"}}, "--image ghcr.io/dexidp/dex"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.o.Validate()
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("Validate() = %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("Validate() = %v, want an error that names %s", err, tt.want)
			}
		})
	}
}
