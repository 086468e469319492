package standin

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"sort"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/standin/admission"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/standin/serve"
)

// PodDefaultsName is what lists call the stand-in for the PodDefaults webhook.
const PodDefaultsName = "stand-in poddefaults-webhook"

// PodDefaultsPath is where the webhook answers.
const PodDefaultsPath = "/apply-poddefault"

var podDefaultsResource = schema.GroupVersionResource{Group: "kubeflow.org", Version: "v1alpha1", Resource: "poddefaults"}

// PodDefault is what the stand-in heeds of a PodDefault.
type PodDefault struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Selector           metav1.LabelSelector   `json:"selector"`
		Env                []corev1.EnvVar        `json:"env"`
		EnvFrom            []corev1.EnvFromSource `json:"envFrom"`
		Volumes            []corev1.Volume        `json:"volumes"`
		VolumeMounts       []corev1.VolumeMount   `json:"volumeMounts"`
		Tolerations        []corev1.Toleration    `json:"tolerations"`
		Labels             map[string]string      `json:"labels"`
		Annotations        map[string]string      `json:"annotations"`
		ServiceAccountName string                 `json:"serviceAccountName"`
	} `json:"spec"`
}

// PodDefaults serves the webhook on address until ctx ends.
func PodDefaults(ctx context.Context, cfg *rest.Config, address string, cert tls.Certificate, log io.Writer) error {
	client, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle(PodDefaultsPath, admission.Handler(func(r *admissionv1.AdmissionRequest) ([]admission.Operation, error) {
		var pod corev1.Pod
		if err := json.Unmarshal(r.Object.Raw, &pod); err != nil {
			return nil, fmt.Errorf("pod of the review: %w", err)
		}
		list, err := client.Resource(podDefaultsResource).Namespace(r.Namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			fmt.Fprintf(log, "%s: poddefaults of namespace %s: %v\n", PodDefaultsName, r.Namespace, err)
			return nil, fmt.Errorf("poddefaults of namespace %s: %w", r.Namespace, err)
		}
		var all []PodDefault
		for _, u := range list.Items {
			var d PodDefault
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &d); err != nil {
				return nil, fmt.Errorf("PodDefault %s/%s: %w", u.GetNamespace(), u.GetName(), err)
			}
			all = append(all, d)
		}
		return ApplyPodDefaults(&pod, all)
	}))
	return serve.HTTP(ctx, address, mux, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
}

// ApplyPodDefaults returns the patch that merges the PodDefaults whose
// selectors hold for a pod into it. One that says something else than the
// pod, or than another one, is refused.
func ApplyPodDefaults(pod *corev1.Pod, all []PodDefault) ([]admission.Operation, error) {
	if pod.Annotations["poddefaults.admission.kubeflow.org/exclude"] == "true" {
		return nil, nil
	}
	p := pod.DeepCopy()
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	applied := false
	for _, d := range all {
		selector, err := metav1.LabelSelectorAsSelector(&d.Spec.Selector)
		if err != nil {
			return nil, fmt.Errorf("PodDefault %s: selector: %w", d.Name, err)
		}
		// A selector that says nothing selects nothing here.
		if selector.Empty() || !selector.Matches(labels.Set(pod.Labels)) {
			continue
		}
		if err := mergePodDefault(p, d); err != nil {
			return nil, fmt.Errorf("conflict occurred while applying PodDefault %s to pod: %w", d.Name, err)
		}
		p.Annotations["poddefault.admission.kubeflow.org/poddefault-"+d.Name] = d.ResourceVersion
		applied = true
	}
	if !applied {
		return nil, nil
	}
	ops := []admission.Operation{
		{Op: "add", Path: "/metadata/annotations", Value: p.Annotations},
		{Op: "add", Path: "/metadata/labels", Value: p.Labels},
		{Op: "add", Path: "/spec/containers", Value: p.Spec.Containers},
		{Op: "add", Path: "/spec/volumes", Value: p.Spec.Volumes},
		{Op: "add", Path: "/spec/tolerations", Value: p.Spec.Tolerations},
	}
	if p.Spec.ServiceAccountName != pod.Spec.ServiceAccountName {
		ops = append(ops, admission.Operation{Op: "add", Path: "/spec/serviceAccountName", Value: p.Spec.ServiceAccountName})
	}
	return ops, nil
}

func mergePodDefault(p *corev1.Pod, d PodDefault) error {
	var err error
	if p.Annotations, err = mergeMap("annotation", p.Annotations, d.Spec.Annotations); err != nil {
		return err
	}
	if p.Labels, err = mergeMap("label", p.Labels, d.Spec.Labels); err != nil {
		return err
	}
	if p.Spec.Volumes, err = mergeNamed("volume", p.Spec.Volumes, d.Spec.Volumes, func(v corev1.Volume) string { return v.Name }); err != nil {
		return err
	}
	for i := range p.Spec.Containers {
		c := &p.Spec.Containers[i]
		if c.Env, err = mergeNamed("variable", c.Env, d.Spec.Env, func(e corev1.EnvVar) string { return e.Name }); err != nil {
			return err
		}
		if c.VolumeMounts, err = mergeNamed("mount", c.VolumeMounts, d.Spec.VolumeMounts, func(m corev1.VolumeMount) string { return m.MountPath }); err != nil {
			return err
		}
		c.EnvFrom = append(c.EnvFrom, d.Spec.EnvFrom...)
	}
	p.Spec.Tolerations = append(p.Spec.Tolerations, d.Spec.Tolerations...)
	if d.Spec.ServiceAccountName != "" {
		p.Spec.ServiceAccountName = d.Spec.ServiceAccountName
	}
	return nil
}

func mergeMap(what string, into, from map[string]string) (map[string]string, error) {
	if into == nil {
		into = map[string]string{}
	}
	for k, v := range from {
		if have, ok := into[k]; ok && have != v {
			return nil, fmt.Errorf("%s %s is %q already", what, k, have)
		}
		into[k] = v
	}
	return into, nil
}

func mergeNamed[T any](what string, into, from []T, name func(T) string) ([]T, error) {
	have := map[string]T{}
	for _, t := range into {
		have[name(t)] = t
	}
	for _, t := range from {
		old, ok := have[name(t)]
		if ok && !reflect.DeepEqual(old, t) {
			return nil, fmt.Errorf("%s %s is another one already", what, name(t))
		}
		if !ok {
			into = append(into, t)
			have[name(t)] = t
		}
	}
	return into, nil
}
