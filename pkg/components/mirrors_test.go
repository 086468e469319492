package components

import "testing"

func TestAnImageIsPulledFromTheMirrorOfItsRegistry(t *testing.T) {
	const each = "docker.io=harbor.corp.example/dockerhub-proxy,quay.io=harbor.corp.example/quay-proxy,ghcr.io=harbor.corp.example/ghcr-proxy"
	for _, tt := range []struct{ name, registry, image, want string }{
		{"one mirror for all", "mirror.lan:5000/hub", "quay.io/jetstack/cert-manager-webhook:v1", "mirror.lan:5000/hub/jetstack/cert-manager-webhook:v1"},
		{"a prefix for each registry", each, "quay.io/jetstack/cert-manager-webhook:v1", "harbor.corp.example/quay-proxy/jetstack/cert-manager-webhook:v1"},
		{"an image without a host is Docker's", each, "istio/pilot:1.24.3", "harbor.corp.example/dockerhub-proxy/istio/pilot:1.24.3"},
		{"a registry that is not named is left alone", each, "registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"},
		{"unless there is a mirror for the rest", each + ",harbor.corp.example/rest", "registry.k8s.io/pause:3.10", "harbor.corp.example/rest/pause:3.10"},
		{"the rest is not for those that are named, wherever it stands", "harbor.corp.example/rest," + each, "ghcr.io/dexidp/dex:v2", "harbor.corp.example/ghcr-proxy/dexidp/dex:v2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := (Options{Registry: tt.registry}).image(tt.image); got != tt.want {
				t.Errorf("image(%q) = %q, want %q", tt.image, got, tt.want)
			}
		})
	}
}
