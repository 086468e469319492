package pulls

import (
	"fmt"
	"maps"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/utils/ptr"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

const (
	// runLabel and stageLabel are on the pods.
	runLabel   = "kubectl-jupyter/image-pull"
	stageLabel = "kubectl-jupyter/image-pull-stage"
	// keptLabel is on DaemonSets that stay.
	keptLabel = "kubectl-jupyter/image-pull-kept"
	// nothing is the ConfigMap that is not there. Its name stands in the kubelet's event.
	nothing = "this-pod-only-pulls-images"
	// noProgram is what a container of a Job would run.
	noProgram = "/kubectl-jupyter/this-pod-only-pulls-images"

	// aloneFor bounds a pull that nobody waits for, and kept is how long its Job stays when
	// it has ended, so that its end can be seen.
	aloneFor = time.Hour
	kept     = time.Minute
)

// container pulls one image.
func container(i int, image string) corev1.Container {
	return corev1.Container{
		Name: "image-" + strconv.Itoa(i), Image: image, ImagePullPolicy: corev1.PullIfNotPresent,
		Command: []string{noProgram},
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: ptr.To(false), ReadOnlyRootFilesystem: ptr.To(true),
			Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
	}
}

// template of the pods of a stage, for a Job or a DaemonSet.
func (p *Puller) template(s *stage) corev1.PodTemplateSpec {
	spec := corev1.PodSpec{
		AutomountServiceAccountToken: ptr.To(false), EnableServiceLinks: ptr.To(false), TerminationGracePeriodSeconds: ptr.To[int64](0),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: ptr.To(true), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Affinity: p.affinity(s),
	}
	if p.options.Tolerate {
		spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	}
	for i, image := range s.images {
		c := container(i, image)
		if !s.job {
			c.Env = []corev1.EnvVar{{Name: "NOTHING", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{
				LocalObjectReference: corev1.LocalObjectReference{Name: nothing}, Key: "nothing",
			}}}}
		}
		spec.Containers = append(spec.Containers, c)
	}
	if s.job {
		// A container is to fail, and not to wait for an image that says which user it is.
		spec.RestartPolicy, spec.SecurityContext.RunAsUser = corev1.RestartPolicyNever, ptr.To[int64](65534)
	}
	if p.secret != "" {
		spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: p.secret}}
	}
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: p.selector(s)}, Spec: spec}
}

func (p *Puller) selector(s *stage) map[string]string {
	return map[string]string{runLabel: p.run, stageLabel: strconv.Itoa(s.number)}
}

// affinity to the nodes of a stage, by name, or to those that are chosen by their labels
// where others may come. Without one, any node will do.
func (p *Puller) affinity(s *stage) *corev1.Affinity {
	var terms []corev1.NodeSelectorTerm
	if p.options.Keep {
		terms = chosen(p.options.Selector)
	} else {
		for _, n := range s.nodes {
			terms = append(terms, corev1.NodeSelectorTerm{MatchFields: []corev1.NodeSelectorRequirement{{
				Key: metav1.ObjectNameField, Operator: corev1.NodeSelectorOpIn, Values: []string{n},
			}}})
		}
	}
	if len(terms) == 0 {
		return nil
	}
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: terms},
	}}
}

// operators of label selectors, as those of nodes write them.
var operators = map[selection.Operator]corev1.NodeSelectorOperator{
	selection.In: corev1.NodeSelectorOpIn, selection.Equals: corev1.NodeSelectorOpIn, selection.DoubleEquals: corev1.NodeSelectorOpIn,
	selection.NotIn: corev1.NodeSelectorOpNotIn, selection.NotEquals: corev1.NodeSelectorOpNotIn,
	selection.Exists: corev1.NodeSelectorOpExists, selection.DoesNotExist: corev1.NodeSelectorOpDoesNotExist,
	selection.GreaterThan: corev1.NodeSelectorOpGt, selection.LessThan: corev1.NodeSelectorOpLt,
}

// chosen are the nodes that a selector chooses.
func chosen(selector labels.Selector) []corev1.NodeSelectorTerm {
	requirements, _ := selector.Requirements()
	var term corev1.NodeSelectorTerm
	for _, r := range requirements {
		term.MatchExpressions = append(term.MatchExpressions, corev1.NodeSelectorRequirement{
			Key: r.Key(), Operator: operators[r.Operator()], Values: r.ValuesUnsorted(),
		})
	}
	if len(term.MatchExpressions) == 0 {
		return nil
	}
	return []corev1.NodeSelectorTerm{term}
}

// object of a stage.
func (p *Puller) object(s *stage) (*unstructured.Unstructured, error) {
	meta := metav1.ObjectMeta{
		Name: s.name(p.run), Namespace: p.namespace, Labels: map[string]string{runLabel: p.run},
		Annotations: map[string]string{"kubectl-jupyter/about": "pulls images; its containers are not meant to start"},
	}
	var typed any
	if s.job {
		if s.owner != nil && p.namespace == rollout.InventoryNamespace {
			meta.OwnerReferences = []metav1.OwnerReference{*s.owner}
		}
		typed = &batchv1.Job{
			TypeMeta:   metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"},
			ObjectMeta: meta,
			Spec: batchv1.JobSpec{
				BackoffLimit: ptr.To[int32](0), ActiveDeadlineSeconds: ptr.To(int64(aloneFor.Seconds())),
				TTLSecondsAfterFinished: ptr.To(int32(kept.Seconds())), Template: p.template(s),
			},
		}
	} else {
		// A run that was killed leaves it to the next one, which deletes what no component has.
		component := Component
		if p.options.Keep {
			component, meta.Labels[keptLabel] = "", "true"
		}
		maps.Copy(meta.Labels, rollout.MemberLabels(component))
		typed = &appsv1.DaemonSet{
			TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "DaemonSet"},
			ObjectMeta: meta,
			Spec:       appsv1.DaemonSetSpec{Selector: &metav1.LabelSelector{MatchLabels: p.selector(s)}, Template: p.template(s)},
		}
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.ref(s), err)
	}
	u := &unstructured.Unstructured{Object: content}
	unstructured.RemoveNestedField(u.Object, "status")
	return u, nil
}
