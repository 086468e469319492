package exposure

import (
	"path"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/version"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// Roles of a workload in giving and announcing addresses.
const (
	metalLBController = "MetalLB controller"
	metalLBSpeaker    = "MetalLB speaker"
)

// others are controllers that give addresses and need nothing of us, by what the name of
// their image ends with.
var others = map[string]string{
	"kube-vip-cloud-provider": "kube-vip",
	"purelb/allocator":        "PureLB",
	"kube-loxilb":             "LoxiLB",
	"openelb-controller":      "OpenELB",
	"openelb/openelb":         "OpenELB",
}

// ciliumAgent is how roleOf names Cilium's DaemonSet, and serviceLBPod one of ServiceLB's.
const (
	ciliumAgent  = "Cilium agent"
	serviceLBPod = "ServiceLB"
)

// roleOf names what a workload does, empty where it has nothing to do with load balancers.
func roleOf(name string, labels map[string]string, pod *corev1.PodSpec) string {
	app := labels["app"] + "," + labels["app.kubernetes.io/name"]
	part := labels["component"] + "," + labels["app.kubernetes.io/component"]
	for _, c := range pod.Containers {
		image := components.Repository(c.Image)
		metal := strings.Contains(image, "metallb") || strings.Contains(app, "metallb")
		base := path.Base(image)
		switch {
		case metal && (base == "controller" || base == "metallb-controller" || strings.Contains(part, "controller")):
			return metalLBController
		case metal && (base == "speaker" || base == "metallb-speaker" || strings.Contains(part, "speaker") && c.Name == "speaker"):
			return metalLBSpeaker
		case strings.HasSuffix(image, "cilium/cilium"):
			return ciliumAgent
		}
		for suffix, product := range others {
			if strings.HasSuffix(image, suffix) {
				return product
			}
		}
	}
	if labels["svccontroller.k3s.cattle.io/svcname"] != "" || strings.HasPrefix(name, "svclb-") {
		return serviceLBPod
	}
	return ""
}

func concerns(name string, labels map[string]string, pod *corev1.PodSpec) bool {
	return roleOf(name, labels, pod) != ""
}

// imageVersion is the version that an image's tag names; empty where it names none.
func imageVersion(image string) string {
	image, _, _ = strings.Cut(image, "@")
	tag := strings.TrimPrefix(image, components.Repository(image)+":")
	if _, err := version.ParseGeneric(tag); err != nil || tag == image {
		return ""
	}
	return tag
}

// atLeast compares versions; one that is not known is taken for a current one.
func atLeast(v, than string) bool {
	have, err := version.ParseGeneric(v)
	return err != nil || have.AtLeast(version.MustParseGeneric(than))
}

func (s *Snapshot) controllers(role string) []*appsv1.Deployment {
	var out []*appsv1.Deployment
	for i := range s.Deployments {
		if d := &s.Deployments[i]; roleOf(d.Name, d.Labels, &d.Spec.Template.Spec) == role {
			out = append(out, d)
		}
	}
	return out
}

func (s *Snapshot) daemons(role string) []*appsv1.DaemonSet {
	var out []*appsv1.DaemonSet
	for i := range s.DaemonSets {
		if d := &s.DaemonSets[i]; roleOf(d.Name, d.Labels, &d.Spec.Template.Spec) == role {
			out = append(out, d)
		}
	}
	return out
}

// argument is the value of a flag in a pod's arguments, in either of its two forms. An
// argument without a value has the value "true".
func argument(pod *corev1.PodSpec, flag string) (string, bool) {
	for _, c := range pod.Containers {
		all := slices.Concat(c.Command, c.Args)
		for i, a := range all {
			name, value, has := strings.Cut(strings.TrimLeft(a, "-"), "=")
			switch {
			case name != flag || !strings.HasPrefix(a, "-"):
			case has:
				return value, true
			case i+1 < len(all) && !strings.HasPrefix(all[i+1], "-"):
				return all[i+1], true
			default:
				return "true", true
			}
		}
	}
	return "", false
}

// legacyConfigAt is where MetalLB up to 0.12 looks for its ConfigMap.
func (s *Snapshot) legacyConfigAt() types.NamespacedName {
	at := types.NamespacedName{Namespace: metalLBNamespace, Name: "config"}
	for _, d := range s.controllers(metalLBController) {
		at.Namespace = d.Namespace
		pod := &d.Spec.Template.Spec
		if ns, ok := argument(pod, "config-ns"); ok {
			at.Namespace = ns
		}
		if name, ok := argument(pod, "config"); ok {
			at.Name = name
		}
	}
	return at
}
