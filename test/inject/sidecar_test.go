package inject

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestASidecarIsAnInitContainerThatKeepsRunning(t *testing.T) {
	pod := load(t, "base/injector.yaml").inject(t, "sidecar", app(nil))

	proxy := container(pod.Spec.InitContainers, "istio-proxy")
	if proxy == nil {
		t.Fatalf("no init container istio-proxy in %v", names(pod.Spec.InitContainers))
	}
	if proxy.RestartPolicy == nil || *proxy.RestartPolicy != corev1.ContainerRestartPolicyAlways {
		t.Errorf("restartPolicy = %v, want Always", proxy.RestartPolicy)
	}
	if got := names(pod.Spec.Containers); !slices.Equal(got, []string{"web-app"}) {
		t.Errorf("containers = %v, want the program alone", got)
	}
	// The agent must come after the rules that lead traffic to it are in place, since
	// an init container that keeps running is started in order.
	if got := names(pod.Spec.InitContainers); !slices.Equal(got, []string{"istio-init", "istio-proxy"}) {
		t.Errorf("init containers = %v", got)
	}
	if proxy.Lifecycle == nil || proxy.Lifecycle.PreStop == nil {
		t.Error("nothing drains the sidecar before it stops")
	}
	if proxy.Image != "docker.io/istio/proxyv2:1.24.3" {
		t.Errorf("image = %s", proxy.Image)
	}
}

func TestAPodMayAskForAnOrdinarySidecar(t *testing.T) {
	pod := load(t, "base/injector.yaml").inject(t, "sidecar", app(map[string]string{
		"sidecar.istio.io/nativeSidecar": "false",
		"proxy.istio.io/config":          "holdApplicationUntilProxyStarts: true",
	}))
	proxy := container(pod.Spec.Containers, "istio-proxy")
	if proxy == nil {
		t.Fatalf("no container istio-proxy in %v", names(pod.Spec.Containers))
	}
	if proxy.RestartPolicy != nil {
		t.Errorf("restartPolicy = %v on an ordinary container", *proxy.RestartPolicy)
	}
	if proxy.Lifecycle == nil || proxy.Lifecycle.PostStart == nil {
		t.Error("holdApplicationUntilProxyStarts does not hold the program back")
	}
	if pod.Spec.Containers[0].Name != "istio-proxy" {
		t.Errorf("containers = %v: a held program comes after the sidecar", names(pod.Spec.Containers))
	}
}

func TestTheAgentIsToldWhoItServes(t *testing.T) {
	pod := load(t, "base/injector.yaml").inject(t, "sidecar", app(nil))
	proxy := container(pod.Spec.InitContainers, "istio-proxy")
	for name, want := range map[string]string{
		"CA_ADDR":                      "istiod.istio-system.svc:15012",
		"PILOT_CERT_PROVIDER":          "istiod",
		"TRUST_DOMAIN":                 "cluster.local",
		"ISTIO_META_MESH_ID":           "cluster.local",
		"ISTIO_META_CLUSTER_ID":        "Kubernetes",
		"ISTIO_META_INTERCEPTION_MODE": "REDIRECT",
		"ISTIO_META_APP_CONTAINERS":    "web-app",
		"ISTIO_META_WORKLOAD_NAME":     "web-app",
		"ISTIO_META_OWNER":             "kubernetes://apis/apps/v1/namespaces/kubeflow/deployments/web-app",
	} {
		if got := env(proxy, name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	var ports []corev1.ContainerPort
	if err := json.Unmarshal([]byte(env(proxy, "ISTIO_META_POD_PORTS")), &ports); err != nil || len(ports) != 1 || ports[0].ContainerPort != 5000 {
		t.Errorf("ISTIO_META_POD_PORTS = %q (%v), want the program's port", env(proxy, "ISTIO_META_POD_PORTS"), err)
	}
	if got := env(proxy, "PROXY_CONFIG"); !json.Valid([]byte(got)) {
		t.Errorf("PROXY_CONFIG = %q: not JSON", got)
	}
	if got := argument(proxy, "--domain"); got != "$(POD_NAMESPACE).svc.cluster.local" {
		t.Errorf("--domain %s", got)
	}
	for label, want := range map[string]string{
		"security.istio.io/tlsMode":           "istio",
		"service.istio.io/canonical-name":     "web-app",
		"service.istio.io/canonical-revision": "latest",
	} {
		if got := pod.Labels[label]; got != want {
			t.Errorf("label %s = %q, want %q", label, got, want)
		}
	}
	if got := pod.Annotations["kubectl.kubernetes.io/default-container"]; got != "web-app" {
		t.Errorf("kubectl logs would show %q", got)
	}
	if got := pod.Annotations["sidecar.istio.io/status"]; !strings.Contains(got, `"istio-proxy"`) {
		t.Errorf("status annotation = %q", got)
	}
}

func TestSidecarsFollowThePodsAnnotations(t *testing.T) {
	type resources struct{ cpu, memory, cpuLimit, memoryLimit string }
	defaults := resources{"100m", "128Mi", "2", "1Gi"}
	for _, tc := range []struct {
		name        string
		annotations map[string]string
		resources   resources
		arguments   map[string]string // of istio-init
		proxy       map[string]string // environment of istio-proxy
		image       string
	}{
		{
			name:      "without any: the defaults, and all traffic but the agent's own ports",
			resources: defaults,
			arguments: map[string]string{
				"-i": "*", "-x": "", "-b": "*", "-d": "15090,15021,15020", "-q": "", "-o": "",
				"-p": "15001", "-z": "15006", "-u": "1337", "-m": "REDIRECT",
			},
		},
		{
			name: "all four resources",
			annotations: map[string]string{
				"sidecar.istio.io/proxyCPU": "10m", "sidecar.istio.io/proxyMemory": "64Mi",
				"sidecar.istio.io/proxyCPULimit": "1", "sidecar.istio.io/proxyMemoryLimit": "256Mi",
			},
			resources: resources{"10m", "64Mi", "1", "256Mi"},
		},
		{
			name:        "one resource leaves the other's defaults alone",
			annotations: map[string]string{"sidecar.istio.io/proxyCPU": "10m"},
			resources:   resources{"10m", "128Mi", "0", "1Gi"},
		},
		{
			name:        "a request above the default limit does not meet that limit",
			annotations: map[string]string{"sidecar.istio.io/proxyMemory": "2Gi"},
			resources:   resources{"100m", "2Gi", "2", "0"},
		},
		{
			name: "traffic",
			annotations: map[string]string{
				"traffic.sidecar.istio.io/includeOutboundIPRanges": "10.0.0.0/8",
				"traffic.sidecar.istio.io/excludeOutboundIPRanges": "10.1.0.0/16",
				"traffic.sidecar.istio.io/includeOutboundPorts":    "5432",
				"traffic.sidecar.istio.io/excludeOutboundPorts":    "443",
				"traffic.sidecar.istio.io/includeInboundPorts":     "5000",
				"traffic.sidecar.istio.io/excludeInboundPorts":     "9090",
			},
			resources: defaults,
			arguments: map[string]string{
				"-i": "10.0.0.0/8", "-x": "10.1.0.0/16", "-q": "5432", "-o": "443",
				"-b": "5000", "-d": "15090,15021,9090,15020",
			},
		},
		{
			name: "another image",
			annotations: map[string]string{
				"sidecar.istio.io/proxyImage": "example.com/proxyv2:test",
			},
			resources: defaults,
			image:     "example.com/proxyv2:test",
		},
		{
			name: "configuration of the proxy",
			annotations: map[string]string{
				"proxy.istio.io/config": "proxyMetadata:\n  GREETING: say \"hello\"\nconcurrency: 3\n",
			},
			resources: defaults,
			proxy:     map[string]string{"GREETING": `say "hello"`},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			pod := load(t, "base/injector.yaml").inject(t, "sidecar", app(tc.annotations))
			init, proxy := container(pod.Spec.InitContainers, "istio-init"), container(pod.Spec.InitContainers, "istio-proxy")
			if init == nil || proxy == nil {
				t.Fatalf("init containers = %v", names(pod.Spec.InitContainers))
			}
			for _, c := range []*corev1.Container{init, proxy} {
				r, l := c.Resources.Requests, c.Resources.Limits
				got := resources{r.Cpu().String(), r.Memory().String(), l.Cpu().String(), l.Memory().String()}
				if got != tc.resources {
					t.Errorf("%s: resources = %v, want %v", c.Name, got, tc.resources)
				}
				if tc.image != "" && c.Image != tc.image {
					t.Errorf("%s: image = %s, want %s", c.Name, c.Image, tc.image)
				}
			}
			for flag, want := range tc.arguments {
				if got := argument(init, flag); got != want {
					t.Errorf("istio-init %s = %q, want %q", flag, got, want)
				}
			}
			for name, want := range tc.proxy {
				if got := env(proxy, name); got != want {
					t.Errorf("%s = %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestProgramsProbesGoThroughTheAgent(t *testing.T) {
	// Under strict mutual TLS the kubelet cannot ask the program itself.
	in := app(nil)
	in.Spec.Containers[0].ReadinessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{
		HTTPGet: &corev1.HTTPGetAction{Path: "/healthz"},
	}}
	in.Spec.Containers[0].ReadinessProbe.HTTPGet.Port.IntVal = 5000
	pod := load(t, "base/injector.yaml").inject(t, "sidecar", in)
	probe := container(pod.Spec.Containers, "web-app").ReadinessProbe.HTTPGet
	if probe.Port.IntValue() != 15020 || probe.Path != "/app-health/web-app/readyz" {
		t.Errorf("readiness probe asks %s at %s", probe.Path, probe.Port.String())
	}
}

func TestOnlyIstioInitMayTouchTheNetwork(t *testing.T) {
	pod := load(t, "base/injector.yaml").inject(t, "sidecar", app(nil))
	for _, c := range pod.Spec.InitContainers {
		s := c.SecurityContext
		if s == nil || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || s.Privileged == nil || *s.Privileged {
			t.Errorf("%s: may gain privileges", c.Name)
			continue
		}
		if s.SeccompProfile == nil || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
			t.Errorf("%s: no seccomp profile", c.Name)
		}
		if !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) {
			t.Errorf("%s: drops %v, want ALL", c.Name, s.Capabilities.Drop)
		}
		if c.Name == "istio-proxy" && (len(s.Capabilities.Add) != 0 || !*s.RunAsNonRoot || *s.RunAsUser != 1337 || !*s.ReadOnlyRootFilesystem) {
			t.Errorf("istio-proxy: %+v is not what \"restricted\" asks for", s)
		}
		if c.Name == "istio-init" && !slices.Equal(s.Capabilities.Add, []corev1.Capability{"NET_ADMIN", "NET_RAW"}) {
			t.Errorf("istio-init: adds %v", s.Capabilities.Add)
		}
	}
}

func TestSlimSidecarsAskForLess(t *testing.T) {
	pod := load(t, "overlays/slim/injector-values.yaml").inject(t, "sidecar", app(nil))
	proxy := container(pod.Spec.InitContainers, "istio-proxy")
	if got := proxy.Resources.Requests; got.Cpu().String() != "10m" || got.Memory().String() != "64Mi" {
		t.Errorf("requests = %v, want 10m and 64Mi", got)
	}
}

func TestInjectionOfAnInjectedPodChangesNothing(t *testing.T) {
	i := load(t, "base/injector.yaml")
	once := i.inject(t, "sidecar", app(nil))
	twice := i.inject(t, "sidecar", *once.DeepCopy())
	a, _ := json.Marshal(once)
	b, _ := json.Marshal(twice)
	if string(a) != string(b) {
		t.Errorf("first\n%s\nsecond\n%s", a, b)
	}
}

func names(list []corev1.Container) []string {
	out := make([]string, len(list))
	for i := range list {
		out[i] = list[i].Name
	}
	return out
}
