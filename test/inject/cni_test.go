package inject

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestWithTheCNIPluginNoContainerMayChangeTheNetwork(t *testing.T) {
	pod := loadWith(t, "base/injector.yaml", release2603).inject(t, "sidecar", app(map[string]string{
		"traffic.sidecar.istio.io/excludeOutboundPorts": "443",
	}))
	if got := names(pod.Spec.InitContainers); !slices.Equal(got, []string{"istio-validation", "istio-proxy"}) {
		t.Fatalf("init containers = %v", got)
	}
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		if c.Name == "web-app" {
			continue
		}
		s := c.SecurityContext
		if s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.Capabilities == nil || len(s.Capabilities.Add) > 0 ||
			!slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation {
			t.Errorf("container %s is not restricted: %+v", c.Name, s)
		}
	}
	validation := container(pod.Spec.InitContainers, "istio-validation")
	for _, want := range []string{"--run-validation", "--skip-rule-apply"} {
		if !slices.Contains(validation.Args, want) {
			t.Errorf("istio-validation has no %s: %v", want, validation.Args)
		}
	}
	if got := validation.Image; got != "registry.istio.io/release/proxyv2:1.30.8" {
		t.Errorf("image %s", got)
	}
	// The plugin reads from the pod what it is to redirect.
	for name, want := range map[string]string{
		"sidecar.istio.io/interceptionMode":                "REDIRECT",
		"traffic.sidecar.istio.io/includeOutboundIPRanges": "*",
		"traffic.sidecar.istio.io/includeInboundPorts":     "*",
		"traffic.sidecar.istio.io/excludeInboundPorts":     "15020",
		"traffic.sidecar.istio.io/excludeOutboundPorts":    "443",
	} {
		if got := pod.Annotations[name]; got != want {
			t.Errorf("annotation %s = %q, want %q", name, got, want)
		}
	}
	if got := container(pod.Spec.InitContainers, "istio-proxy").Resources.Requests.Memory().String(); got != "40Mi" {
		t.Errorf("the sidecar requests %s", got)
	}
}
