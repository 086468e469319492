package inject

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestTheGatewayTemplateFillsInAnAutoContainer(t *testing.T) {
	pod := load(t, "base/injector.yaml").inject(t, "gateway", corev1.PodTemplateSpec{
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "istio-proxy", Image: "auto"}}},
	})
	if len(pod.Spec.InitContainers) != 0 {
		t.Errorf("init containers = %v: a gateway's traffic is not redirected", names(pod.Spec.InitContainers))
	}
	proxy := container(pod.Spec.Containers, "istio-proxy")
	if proxy == nil || proxy.Image != "docker.io/istio/proxyv2:1.24.3" {
		t.Fatalf("istio-proxy = %+v, want the installed image in place of auto", proxy)
	}
	if len(proxy.Args) < 2 || proxy.Args[0] != "proxy" || proxy.Args[1] != "router" {
		t.Errorf("args = %v, want proxy router", proxy.Args)
	}
	if got := env(proxy, "CA_ADDR"); got != "istiod.istio-system.svc:15012" {
		t.Errorf("CA_ADDR = %s", got)
	}
	if len(pod.Spec.SecurityContext.Sysctls) != 1 {
		t.Errorf("sysctls = %v, want one that lets it bind port 80", pod.Spec.SecurityContext.Sysctls)
	}
	if proxy.Resources.Limits.Memory().IsZero() {
		t.Error("no memory limit")
	}
}
