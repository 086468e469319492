package preflight

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// Admission is what the cluster admits of pods in namespaces that nobody has labelled.
type Admission struct {
	// Refused is the server's answer to a pod like a notebook's, nil where it takes it.
	Refused error
	// Labelled: people's namespaces get a level of their own, so that the default is not theirs.
	Labelled bool
	// Unknown is why it was not tried.
	Unknown string
	// Constraints tells that OpenShift's security context constraints are served, Namespaces
	// whose pods they have to admit.
	Constraints bool
	Namespaces  []string
}

// enforceLabel of a namespace says which level of Pod Security it enforces.
const enforceLabel = "pod-security.kubernetes.io/enforce"

// trial is a namespace that is there in every cluster.
const trial = metav1.NamespaceDefault

// admission tries a pod like a notebook's with its sidecar, where the plan's namespaces of
// people have no label that says what they admit.
func (l *looker) admission(ctx context.Context) error {
	out := &Admission{}
	if _, err := l.cluster.Mapper.Preferred(schema.GroupKind{Group: "security.openshift.io", Kind: "SecurityContextConstraints"}); err == nil {
		out.Constraints = true
		for _, r := range l.options.Plan.Rendered {
			for _, ns := range r.Component.Namespaces {
				if ns != metav1.NamespaceSystem && !slices.Contains(out.Namespaces, ns) {
					out.Namespaces = append(out.Namespaces, ns)
				}
			}
		}
	}
	l.facts.Admission = out
	if out.Labelled = labelled(l.options.Plan); out.Labelled {
		return nil
	}
	var ns corev1.Namespace
	if err := l.core.get(ctx, "/api/v1/namespaces/"+trial, &ns); err != nil {
		return err
	}
	if level := ns.Labels[enforceLabel]; level != "" {
		out.Unknown = fmt.Sprintf("namespace %s has its own level (%s)", trial, level)
		return nil
	}
	err := l.core.Post().AbsPath("/api/v1/namespaces/"+trial+"/pods").
		VersionedParams(&metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: rollout.FieldManager}, scheme.ParameterCodec).
		Body(notebookPod(l.options.Plan)).Do(ctx).Error()
	switch {
	case err == nil:
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "violates PodSecurity"):
		out.Refused = err
	default:
		out.Unknown = oneLine(err) // a quota or a policy of that namespace alone
	}
	return nil
}

// labelled tells that the profile controller gives people's namespaces a level of Pod Security.
func labelled(plan *rollout.Plan) bool {
	for _, r := range plan.Rendered {
		for _, u := range r.Objects {
			text, _, _ := unstructured.NestedString(u.Object, "data", "namespace-labels.yaml")
			var of map[string]string
			if u.GetKind() == "ConfigMap" && text != "" && yaml.Unmarshal([]byte(text), &of) == nil && of[enforceLabel] != "" {
				return true
			}
		}
	}
	return false
}

// notebookPod is as the notebook controller and Istio's injector make one. With Istio's CNI
// plugin there is no container that may change the network.
func notebookPod(plan *rollout.Plan) *corev1.Pod {
	const image = "registry.k8s.io/pause:3.10"
	group, root, no, yes := int64(100), int64(0), false, true
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "kubectl-jupyter-probe", Namespace: trial},
		Spec: corev1.PodSpec{
			SecurityContext: &corev1.PodSecurityContext{FSGroup: &group},
			Containers:      []corev1.Container{{Name: "notebook", Image: image}},
		},
	}
	for _, r := range plan.Rendered {
		if slices.ContainsFunc(r.Objects, func(u *unstructured.Unstructured) bool {
			return u.GetKind() == "DaemonSet" && u.GetName() == "istio-cni-node"
		}) {
			return p
		}
	}
	p.Spec.InitContainers = []corev1.Container{{Name: "istio-init", Image: image, SecurityContext: &corev1.SecurityContext{
		AllowPrivilegeEscalation: &no, Privileged: &no, ReadOnlyRootFilesystem: &yes, RunAsNonRoot: &no, RunAsUser: &root, RunAsGroup: &root,
		Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"NET_ADMIN", "NET_RAW"}, Drop: []corev1.Capability{"ALL"}},
	}}}
	return p
}

// findAdmission: an installation gets ready, and no notebook starts.
func findAdmission(f *Facts) (string, []report.Cause) {
	var causes []report.Cause
	a := f.Admission
	if a.Constraints {
		grants := make([]string, 0, len(a.Namespaces)+1)
		for _, ns := range append(slices.Sorted(slices.Values(a.Namespaces)), "NAMESPACE-OF-A-USER") {
			grants = append(grants, "oc adm policy add-scc-to-group anyuid system:serviceaccounts:"+ns)
		}
		causes = append(causes, report.Cause{
			Name: diagnose.SecurityContextConstraints, Severity: report.Warning,
			Summary:  "OpenShift's security context constraints do not admit the pods of the stack until their service accounts may use anyuid",
			Evidence: []string{"the server has SecurityContextConstraints of security.openshift.io"},
			Remedy:   strings.Join(grants, "\n"),
		})
	}
	if a.Refused != nil {
		c := report.Cause{
			Name: diagnose.PodSecurityViolation, Severity: report.Fatal, Component: "profiles",
			Summary:  "the cluster's default of Pod Security does not admit notebooks with a sidecar: none would start in the users' namespaces",
			Evidence: []string{oneLine(a.Refused)},
			Remedy: "let the profile controller label the namespaces: a kustomization (-k DIR) that adds " + enforceLabel +
				": privileged to the labels in its ConfigMap; or change the default in the API server's AdmissionConfiguration",
		}
		if newest := fitting(f.Version); newest != nil && newest.Name != f.Release.Name {
			c.Remedy = fmt.Sprintf("install release %[1]s, whose notebooks the level baseline admits: --release %[1]s\nor %[2]s", newest.Name, c.Remedy)
		}
		causes = append(causes, c)
	}
	switch {
	case a.Refused != nil:
		return "the cluster's default does not admit notebooks with a sidecar", causes
	case a.Constraints:
		return "OpenShift's security context constraints have to be granted", causes
	case a.Labelled:
		return "the release gives users' namespaces a level that their notebooks meet", causes
	case a.Unknown != "":
		return "not checked: " + a.Unknown, causes
	}
	return "pods with a sidecar are admitted in namespaces without labels", causes
}
