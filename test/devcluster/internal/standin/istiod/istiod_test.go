package istiod

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/standin/admission"
)

func values() Values {
	var v Values
	v.Global.Hub, v.Global.Tag = "registry.example/istio", "1.24.3"
	v.Global.Proxy.Image = "proxyv2"
	v.Global.Proxy.Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m")}
	return v
}

func app(change func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web-0", Namespace: "ns", Labels: map[string]string{"app": "web"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web"}}, InitContainers: []corev1.Container{{Name: "own", Image: "x"}}},
	}
	if change != nil {
		change(p)
	}
	return p
}

// at returns the value that a patch writes to a path, decoded into out.
func at(t *testing.T, ops []admission.Operation, path string, out any) bool {
	t.Helper()
	for _, o := range ops {
		if o.Path != path {
			continue
		}
		b, err := json.Marshal(o.Value)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, out); err != nil {
			t.Fatal(err)
		}
		return true
	}
	return false
}

func containerNames(cs []corev1.Container) []string {
	var all []string
	for _, c := range cs {
		all = append(all, c.Name)
	}
	return all
}

func TestANativeSidecarIsAnInitContainerThatGoesOnRunning(t *testing.T) {
	ops, err := Inject(app(nil), values(), true, "default")
	if err != nil {
		t.Fatal(err)
	}
	var inits []corev1.Container
	if !at(t, ops, "/spec/initContainers", &inits) {
		t.Fatal("the init containers are not patched")
	}
	if got := containerNames(inits); !slices.Equal(got, []string{"istio-init", "istio-proxy", "own"}) {
		t.Errorf("init containers %v", got)
	}
	if p := inits[1].RestartPolicy; p == nil || *p != corev1.ContainerRestartPolicyAlways {
		t.Errorf("the sidecar's restart policy is %v", p)
	}
	if inits[1].Image != "registry.example/istio/proxyv2:1.24.3" {
		t.Errorf("image %s", inits[1].Image)
	}
	full := values()
	full.Global.Proxy.Image = "mirror.example/proxyv2:1.30.8"
	if got := full.image(full.Global.Proxy.Image); got != "mirror.example/proxyv2:1.30.8" {
		t.Errorf("a full reference becomes %s", got)
	}
	var containers []corev1.Container
	if at(t, ops, "/spec/containers", &containers) {
		t.Error("the pod's own containers are patched")
	}
	var labels map[string]string
	at(t, ops, "/metadata/labels", &labels)
	if labels["app"] != "web" || labels["security.istio.io/tlsMode"] != "istio" || labels["service.istio.io/canonical-name"] != "web" {
		t.Errorf("labels %v", labels)
	}
	var annotations map[string]string
	at(t, ops, "/metadata/annotations", &annotations)
	if annotations["devcluster.test/injected-by"] != Name {
		t.Errorf("nothing says that a stand-in injected the pod: %v", annotations)
	}
}

func TestWithIstiosCNIPluginNoContainerNeedsARight(t *testing.T) {
	v := values()
	v.Pilot.CNI.Enabled = true
	ops, err := Inject(app(nil), v, true, "default")
	if err != nil {
		t.Fatal(err)
	}
	var inits []corev1.Container
	at(t, ops, "/spec/initContainers", &inits)
	if got := containerNames(inits); !slices.Equal(got, []string{"istio-validation", "istio-proxy", "own"}) {
		t.Fatalf("init containers %v", got)
	}
	for _, c := range inits[:2] {
		if s := c.SecurityContext; len(s.Capabilities.Add) > 0 || !*s.RunAsNonRoot || s.SeccompProfile == nil {
			t.Errorf("container %s: %+v", c.Name, s)
		}
	}
}

func TestAnOrdinarySidecarIsTheFirstContainer(t *testing.T) {
	ops, err := Inject(app(nil), values(), false, "default")
	if err != nil {
		t.Fatal(err)
	}
	var containers, inits []corev1.Container
	at(t, ops, "/spec/containers", &containers)
	at(t, ops, "/spec/initContainers", &inits)
	if got := containerNames(containers); !slices.Equal(got, []string{"istio-proxy", "web"}) {
		t.Errorf("containers %v", got)
	}
	if got := containerNames(inits); !slices.Equal(got, []string{"own", "istio-init"}) {
		t.Errorf("init containers %v", got)
	}
}

func TestPodsThatGetNoSidecar(t *testing.T) {
	for name, change := range map[string]func(*corev1.Pod){
		"opted out by a label":        func(p *corev1.Pod) { p.Labels["sidecar.istio.io/inject"] = "false" },
		"opted out by an annotation":  func(p *corev1.Pod) { p.Annotations = map[string]string{"sidecar.istio.io/inject": "false"} },
		"on the network of the node":  func(p *corev1.Pod) { p.Spec.HostNetwork = true },
		"has one from before already": func(p *corev1.Pod) { p.Annotations = map[string]string{"sidecar.istio.io/status": "{}"} },
	} {
		t.Run(name, func(t *testing.T) {
			if ops, err := Inject(app(change), values(), true, "default"); err != nil || ops != nil {
				t.Errorf("got %v, %v", ops, err)
			}
		})
	}
}

func TestAnAnnotationReplacesAllResourcesOfTheSidecar(t *testing.T) {
	ops, err := Inject(app(func(p *corev1.Pod) {
		p.Annotations = map[string]string{"sidecar.istio.io/proxyMemory": "64Mi"}
	}), values(), true, "default")
	if err != nil {
		t.Fatal(err)
	}
	var inits []corev1.Container
	at(t, ops, "/spec/initContainers", &inits)
	r := inits[1].Resources.Requests
	if _, cpu := r[corev1.ResourceCPU]; cpu || r.Memory().String() != "64Mi" {
		t.Errorf("requests %v, want the memory of the annotation alone", r)
	}
	_, err = Inject(app(func(p *corev1.Pod) { p.Annotations = map[string]string{"sidecar.istio.io/proxyCPU": "much"} }), values(), true, "default")
	if err == nil || !strings.Contains(err.Error(), `sidecar.istio.io/proxyCPU="much"`) {
		t.Errorf("an unreadable quantity: %v", err)
	}
}

func TestValidate(t *testing.T) {
	for name, tc := range map[string]struct{ kind, spec, want string }{
		"a gateway":                                 {"Gateway", `{"servers":[{"port":{"number":80,"name":"http","protocol":"HTTP"},"hosts":["*"]}]}`, ""},
		"a gateway without servers":                 {"Gateway", `{}`, "at least one server"},
		"a gateway with a port that cannot be":      {"Gateway", `{"servers":[{"port":{"number":99999,"name":"http","protocol":"HTTP"},"hosts":["*"]}]}`, "99999"},
		"a gateway with HTTPS and no tls":           {"Gateway", `{"servers":[{"port":{"number":443,"name":"https","protocol":"HTTPS"},"hosts":["*"]}]}`, "tls"},
		"a virtual service":                         {"VirtualService", `{"hosts":["*"],"http":[{"route":[{"destination":{"host":"web"}}]}]}`, ""},
		"a virtual service without hosts":           {"VirtualService", `{"http":[{"route":[{"destination":{"host":"web"}}]}]}`, "at least one host"},
		"a virtual service without routes":          {"VirtualService", `{"hosts":["*"]}`, "must be provided"},
		"a route to nowhere":                        {"VirtualService", `{"hosts":["*"],"http":[{"route":[{"destination":{}}]}]}`, "destination needs a host"},
		"a redirect":                                {"VirtualService", `{"hosts":["*"],"http":[{"redirect":{"uri":"/jupyter/"}}]}`, ""},
		"a policy that admits nobody":               {"AuthorizationPolicy", `{}`, ""},
		"a policy that asks somebody unnamed":       {"AuthorizationPolicy", `{"action":"CUSTOM","rules":[{}]}`, "provider"},
		"a policy that allows and asks":             {"AuthorizationPolicy", `{"action":"ALLOW","provider":{"name":"x"}}`, "CUSTOM only"},
		"a condition without a key":                 {"AuthorizationPolicy", `{"rules":[{"when":[{"values":["x"]}]}]}`, "needs a key"},
		"a rule for tokens of nobody":               {"RequestAuthentication", `{"jwtRules":[{"jwksUri":"http://dex/keys"}]}`, "issuer"},
		"keys at an address that is none":           {"RequestAuthentication", `{"jwtRules":[{"issuer":"x","jwksUri":"dex/keys"}]}`, "jwksUri"},
		"a destination rule without a host":         {"DestinationRule", `{}`, "host"},
		"a kind that the stand-in knows nothing of": {"WasmPlugin", `{}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := Validate(tc.kind, []byte(`{"spec":`+tc.spec+`}`))
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}
