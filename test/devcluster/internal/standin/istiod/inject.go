package istiod

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/standin/admission"
)

const injectorConfigMap = "istio-sidecar-injector"

// Values is the part of the injector's values that the stand-in heeds.
type Values struct {
	Global struct {
		Hub   string `json:"hub"`
		Tag   any    `json:"tag"`
		Proxy struct {
			Image     string                      `json:"image"`
			Resources corev1.ResourceRequirements `json:"resources"`
		} `json:"proxy"`
		ProxyInit struct {
			Image string `json:"image"`
		} `json:"proxy_init"`
	} `json:"global"`
	Pilot struct {
		CNI struct {
			// Enabled: a plugin on the node redirects the traffic, and no container needs a
			// right for it.
			Enabled bool `json:"enabled"`
		} `json:"cni"`
	} `json:"pilot"`
}

// inject returns the review that adds a sidecar.
func (s *server) inject(ctx context.Context) admission.Review {
	return func(r *admissionv1.AdmissionRequest) ([]admission.Operation, error) {
		var pod corev1.Pod
		if err := json.Unmarshal(r.Object.Raw, &pod); err != nil {
			return nil, fmt.Errorf("pod of the review: %w", err)
		}
		pod.Namespace = r.Namespace
		c, err := s.client.CoreV1().ConfigMaps(s.namespace).Get(ctx, injectorConfigMap, metav1.GetOptions{})
		if err != nil {
			return nil, fmt.Errorf("configmap %s/%s: %w", s.namespace, injectorConfigMap, err)
		}
		var v Values
		if err := json.Unmarshal([]byte(c.Data["values"]), &v); err != nil {
			return nil, fmt.Errorf("values in configmap %s/%s: %w", s.namespace, injectorConfigMap, err)
		}
		return Inject(&pod, v, s.native, s.revision)
	}
}

// Inject returns the patch that gives a pod its sidecar, none for a pod that
// must not have one. native makes the sidecar an init container that goes on
// running.
func Inject(pod *corev1.Pod, v Values, native bool, revision string) ([]admission.Operation, error) {
	choice := pod.Labels["sidecar.istio.io/inject"]
	if choice == "" {
		choice = pod.Annotations["sidecar.istio.io/inject"]
	}
	if choice == "false" || pod.Spec.HostNetwork || pod.Annotations["sidecar.istio.io/status"] != "" {
		return nil, nil
	}
	proxy, err := sidecar(pod, v)
	if err != nil {
		return nil, err
	}
	initial := initContainer(v)
	sidecars := map[string]any{"initContainers": []string{initial.Name}, "containers": []string{proxy.Name}}
	var ops []admission.Operation
	inits, containers := pod.Spec.InitContainers, pod.Spec.Containers
	if native {
		proxy.RestartPolicy = ptr.To(corev1.ContainerRestartPolicyAlways)
		inits = append([]corev1.Container{initial, proxy}, inits...)
		sidecars["initContainers"], sidecars["containers"] = []string{initial.Name, proxy.Name}, nil
	} else {
		inits = append(append([]corev1.Container{}, inits...), initial)
		containers = append([]corev1.Container{proxy}, containers...)
		ops = append(ops, admission.Operation{Op: "replace", Path: "/spec/containers", Value: containers})
	}
	status, err := json.Marshal(map[string]any{
		"initContainers": sidecars["initContainers"], "containers": sidecars["containers"],
		"volumes": volumeNames(), "imagePullSecrets": nil, "revision": revision,
	})
	if err != nil {
		return nil, err
	}
	labels := merge(pod.Labels, map[string]string{
		"security.istio.io/tlsMode": "istio", "service.istio.io/canonical-name": canonicalName(pod),
		"service.istio.io/canonical-revision": first(pod.Labels["app.kubernetes.io/version"], pod.Labels["version"], "latest"),
	})
	annotations := merge(pod.Annotations, map[string]string{
		"sidecar.istio.io/status":                 string(status),
		"istio.io/rev":                            revision,
		"devcluster.test/injected-by":             Name,
		"prometheus.io/scrape":                    first(pod.Annotations["prometheus.io/scrape"], "true"),
		"prometheus.io/port":                      first(pod.Annotations["prometheus.io/port"], "15020"),
		"prometheus.io/path":                      first(pod.Annotations["prometheus.io/path"], "/stats/prometheus"),
		"kubectl.kubernetes.io/default-container": first(pod.Annotations["kubectl.kubernetes.io/default-container"], firstContainer(pod)),
	})
	return append(ops,
		admission.Operation{Op: "add", Path: "/spec/initContainers", Value: inits},
		admission.Operation{Op: "add", Path: "/spec/volumes", Value: append(append([]corev1.Volume{}, pod.Spec.Volumes...), volumes()...)},
		admission.Operation{Op: "add", Path: "/metadata/labels", Value: labels},
		admission.Operation{Op: "add", Path: "/metadata/annotations", Value: annotations},
	), nil
}

// image is a full reference where the values have one, and otherwise the hub's.
func (v Values) image(name string) string {
	if strings.Contains(name, "/") {
		return name
	}
	return fmt.Sprintf("%s/%s:%v", v.Global.Hub, first(name, "proxyv2"), v.Global.Tag)
}

func initContainer(v Values) corev1.Container {
	if v.Pilot.CNI.Enabled {
		return corev1.Container{
			Name:            "istio-validation",
			Image:           v.image(v.Global.ProxyInit.Image),
			Args:            []string{"istio-iptables", "-p", "15001", "-z", "15006", "-u", "1337", "-m", "REDIRECT", "-i", "*", "-b", "*", "-d", "15090,15021,15020", "--run-validation", "--skip-rule-apply"},
			Resources:       v.Global.Proxy.Resources,
			SecurityContext: restricted(v),
		}
	}
	return corev1.Container{
		Name:      "istio-init",
		Image:     v.image(v.Global.ProxyInit.Image),
		Args:      []string{"istio-iptables", "-p", "15001", "-z", "15006", "-u", "1337", "-m", "REDIRECT", "-i", "*", "-b", "*", "-d", "15090,15021,15020"},
		Resources: v.Global.Proxy.Resources,
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: ptr.To(false), Privileged: ptr.To(false), ReadOnlyRootFilesystem: ptr.To(false),
			RunAsUser: ptr.To(int64(0)), RunAsGroup: ptr.To(int64(0)), RunAsNonRoot: ptr.To(false),
			Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"NET_ADMIN", "NET_RAW"}, Drop: []corev1.Capability{"ALL"}},
		},
	}
}

func sidecar(pod *corev1.Pod, v Values) (corev1.Container, error) {
	resources, err := proxyResources(pod.Annotations, v.Global.Proxy.Resources)
	if err != nil {
		return corev1.Container{}, err
	}
	return corev1.Container{
		Name: "istio-proxy",
		Image: first(pod.Annotations["sidecar.istio.io/proxyImage"],
			v.image(v.Global.Proxy.Image)),
		Args:      []string{"proxy", "sidecar", "--domain", "$(POD_NAMESPACE).svc.cluster.local"},
		Ports:     []corev1.ContainerPort{{Name: "http-envoy-prom", ContainerPort: 15090, Protocol: corev1.ProtocolTCP}},
		Resources: resources,
		Env: []corev1.EnvVar{
			{Name: "POD_NAME", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}},
			{Name: "POD_NAMESPACE", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.namespace"}}},
		},
		ReadinessProbe: &corev1.Probe{PeriodSeconds: 15, FailureThreshold: 4, TimeoutSeconds: 3, ProbeHandler: corev1.ProbeHandler{
			HTTPGet: &corev1.HTTPGetAction{Path: "/healthz/ready", Port: intstr.FromInt32(15021)},
		}},
		StartupProbe: &corev1.Probe{PeriodSeconds: 1, FailureThreshold: 600, TimeoutSeconds: 3, ProbeHandler: corev1.ProbeHandler{
			HTTPGet: &corev1.HTTPGetAction{Path: "/healthz/ready", Port: intstr.FromInt32(15021)},
		}},
		VolumeMounts: []corev1.VolumeMount{
			{Name: "istiod-ca-cert", MountPath: "/var/run/secrets/istio"},
			{Name: "istio-token", MountPath: "/var/run/secrets/tokens"},
			{Name: "istio-envoy", MountPath: "/etc/istio/proxy"},
		},
		SecurityContext: restricted(v),
	}, nil
}

// restricted is what Pod Security's level of that name allows; the seccomp profile is
// there with the plugin on the nodes, as the template has it.
func restricted(v Values) *corev1.SecurityContext {
	c := &corev1.SecurityContext{
		AllowPrivilegeEscalation: ptr.To(false), Privileged: ptr.To(false), ReadOnlyRootFilesystem: ptr.To(true),
		RunAsUser: ptr.To(int64(1337)), RunAsGroup: ptr.To(int64(1337)), RunAsNonRoot: ptr.To(true),
		Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
	if v.Pilot.CNI.Enabled {
		c.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
	}
	return c
}

// proxyResources follows istiod's rule: as soon as a pod sets one of the
// annotations, the values of the injector count no more, for any resource.
func proxyResources(annotations map[string]string, defaults corev1.ResourceRequirements) (corev1.ResourceRequirements, error) {
	var r corev1.ResourceRequirements
	set := false
	for _, e := range []struct {
		annotation string
		list       *corev1.ResourceList
		name       corev1.ResourceName
	}{
		{"sidecar.istio.io/proxyCPU", &r.Requests, corev1.ResourceCPU},
		{"sidecar.istio.io/proxyMemory", &r.Requests, corev1.ResourceMemory},
		{"sidecar.istio.io/proxyCPULimit", &r.Limits, corev1.ResourceCPU},
		{"sidecar.istio.io/proxyMemoryLimit", &r.Limits, corev1.ResourceMemory},
	} {
		text, ok := annotations[e.annotation]
		if !ok {
			continue
		}
		q, err := resource.ParseQuantity(text)
		if err != nil {
			return r, fmt.Errorf("annotation %s=%q: %w", e.annotation, text, err)
		}
		if *e.list == nil {
			*e.list = corev1.ResourceList{}
		}
		(*e.list)[e.name] = q
		set = true
	}
	if !set {
		return defaults, nil
	}
	return r, nil
}

func volumes() []corev1.Volume {
	return []corev1.Volume{
		{Name: "istio-envoy", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory}}},
		{Name: "istio-token", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{
			ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Audience: "istio-ca", ExpirationSeconds: ptr.To(int64(43200)), Path: "istio-token"},
		}}}}},
		{Name: "istiod-ca-cert", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: rootConfigMap},
		}}},
	}
}

func volumeNames() []string {
	var all []string
	for _, v := range volumes() {
		all = append(all, v.Name)
	}
	return all
}

func canonicalName(pod *corev1.Pod) string {
	owner := ""
	if len(pod.OwnerReferences) > 0 {
		owner = pod.OwnerReferences[0].Name
	}
	return first(pod.Labels["service.istio.io/canonical-name"], pod.Labels["app.kubernetes.io/name"], pod.Labels["app"], owner, pod.Name)
}

func firstContainer(pod *corev1.Pod) string {
	if len(pod.Spec.Containers) == 0 {
		return ""
	}
	return pod.Spec.Containers[0].Name
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func merge(a, b map[string]string) map[string]string {
	all := map[string]string{}
	for _, m := range []map[string]string{a, b} {
		for k, v := range m {
			if v != "" || a[k] == v {
				all[k] = v
			}
		}
	}
	return all
}
