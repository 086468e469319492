package components_test

import (
	"maps"
	"regexp"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	psapi "k8s.io/pod-security-admission/api"
	pspolicy "k8s.io/pod-security-admission/policy"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// clusterScoped are the kinds of a release that live in no namespace.
var clusterScoped = []string{
	"Namespace", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "ClusterIssuer", "Profile",
	"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration",
}

// notRestricted are the pods that cannot pass the restricted standard, and why.
var notRestricted = map[string]string{
	"DaemonSet metallb-system/speaker":     "announces addresses with ARP and NDP: the host's network and NET_RAW",
	"DaemonSet kube-system/istio-cni-node": "sets up the network of pods on its node, and writes into the node's CNI directories",
}

// madeElsewhere are Secrets and ConfigMaps that pods mount and controllers make.
var madeElsewhere = map[string]string{
	"Secret istio-system/cacerts":                       "optional: a CA of the user's own",
	"Secret istio-system/istiod-tls":                    "optional: a certificate of the user's own",
	"Secret istio-system/istio-kubeconfig":              "optional: remote clusters",
	"ConfigMap istio-system/istio-ca-root-cert":         "istiod writes it into every namespace",
	"Secret istio-system/istio-ingressgateway-certs":    "optional: certificates of the gateway",
	"Secret istio-system/istio-ingressgateway-ca-certs": "optional: certificates of the gateway",
}

func TestObjectsOfARelease(t *testing.T) {
	forEachVariant(t, func(t *testing.T, objects []*unstructured.Unstructured) {
		seen := map[string]bool{}
		for _, u := range objects {
			key := u.GroupVersionKind().Group + " " + id(u)
			if seen[key] {
				t.Errorf("%s is rendered twice", id(u))
			}
			seen[key] = true
			if cluster := slices.Contains(clusterScoped, u.GetKind()); cluster == (u.GetNamespace() != "") {
				t.Errorf("%s: namespace %q, cluster-scoped: %t", id(u), u.GetNamespace(), cluster)
			}
			if _, found := u.Object["status"]; found {
				t.Errorf("%s sends a status, which its controller owns", id(u))
			}
			if _, found, _ := unstructured.NestedFieldNoCopy(u.Object, "metadata", "creationTimestamp"); found {
				t.Errorf("%s sends a creationTimestamp", id(u))
			}
			if at := keyAnywhere(u.Object, "caBundle"); at {
				t.Errorf("%s sends a caBundle, which its injector owns", id(u))
			}
		}
	})
}

func TestTheOrderOfAReleaseIsOneOfInstallation(t *testing.T) {
	forEachRelease(t, func(t *testing.T, release string) {
		source, err := components.NewEmbedded(release)
		if err != nil {
			t.Fatal(err)
		}
		rendered, err := source.Render(t.Context(), source.Release().Names(), components.Options{})
		if err != nil {
			t.Fatal(err)
		}
		before := map[string]bool{}
		namespaces := map[string]bool{"kube-system": true}
		for _, r := range rendered {
			for _, need := range r.Component.Needs {
				if !before[need.Component] {
					t.Errorf("%s comes before %s, which it needs", r.Component.Name, need.Component)
				}
			}
			before[r.Component.Name] = true
			for _, u := range ofKind(r.Objects, "Namespace") {
				namespaces[u.GetName()] = true
			}
			for _, u := range r.Objects {
				if ns := u.GetNamespace(); ns != "" && !namespaces[ns] {
					t.Errorf("%s: %s comes before its namespace", r.Component.Name, id(u))
				}
			}
		}
	})
}

func TestAggregatedRolesLeaveTheirRulesToTheController(t *testing.T) {
	forEachVariant(t, func(t *testing.T, objects []*unstructured.Unstructured) {
		checked := 0
		for _, u := range ofKind(objects, "ClusterRole") {
			if _, aggregated := u.Object["aggregationRule"]; !aggregated {
				continue
			}
			checked++
			if _, sent := u.Object["rules"]; sent {
				t.Errorf("%s is aggregated and sends rules: every run would undo the controller's", id(u))
			}
		}
		if checked == 0 {
			t.Error("no aggregated role was rendered")
		}
	})
}

func TestEveryContainerAsksForWhatItNeedsAndHasALimit(t *testing.T) {
	forEachVariant(t, func(t *testing.T, objects []*unstructured.Unstructured) {
		for _, u := range ofKind(objects, components.WorkloadKinds...) {
			for _, c := range allContainers(pod(t, u)) {
				for _, resource := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
					request, limit := c.Resources.Requests[resource], c.Resources.Limits[resource]
					if request.IsZero() {
						t.Errorf("%s: container %s requests no %s", id(u), c.Name, resource)
					}
					if limit.IsZero() {
						t.Errorf("%s: container %s has no limit of %s", id(u), c.Name, resource)
					}
					if limit.Cmp(request) < 0 {
						t.Errorf("%s: container %s requests %s of %s and may use %s", id(u), c.Name, &request, resource, &limit)
					}
				}
			}
		}
	})
}

func TestPodsPassTheRestrictedStandard(t *testing.T) {
	evaluator, err := pspolicy.NewEvaluator(pspolicy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := psapi.LevelVersion{Level: psapi.LevelRestricted, Version: psapi.LatestVersion()}
	forEachVariant(t, func(t *testing.T, objects []*unstructured.Unstructured) {
		for _, u := range ofKind(objects, components.WorkloadKinds...) {
			p := pod(t, u)
			result := pspolicy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &p.ObjectMeta, &p.Spec))
			why, excused := notRestricted[id(u)]
			switch {
			case !result.Allowed && !excused:
				t.Errorf("%s: %s", id(u), result.ForbiddenDetail())
			case result.Allowed && excused:
				t.Errorf("%s passes, although it is excused with %q", id(u), why)
			}
			for _, c := range allContainers(p) {
				if s := c.SecurityContext; !excused && (s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem) {
					t.Errorf("%s: container %s may write to its image's files", id(u), c.Name)
				}
			}
		}
	})
}

func TestContainersCanBeProbed(t *testing.T) {
	forEachVariant(t, func(t *testing.T, objects []*unstructured.Unstructured) {
		for _, u := range ofKind(objects, "Deployment", "DaemonSet", "StatefulSet") {
			p := pod(t, u)
			for _, c := range p.Spec.Containers {
				if c.ReadinessProbe == nil {
					t.Errorf("%s: nothing says when container %s is ready", id(u), c.Name)
				}
			}
		}
	})
}

func TestPortsStateTheirProtocol(t *testing.T) {
	forEachVariant(t, func(t *testing.T, objects []*unstructured.Unstructured) {
		for _, u := range ofKind(objects, "Service") {
			for _, p := range typed[corev1.Service](t, u).Spec.Ports {
				if p.Protocol == "" {
					t.Errorf("%s: port %d has no protocol, which is part of its merge key", id(u), p.Port)
				}
			}
		}
		for _, u := range ofKind(objects, components.WorkloadKinds...) {
			for _, c := range allContainers(pod(t, u)) {
				for _, p := range c.Ports {
					if p.Protocol == "" {
						t.Errorf("%s: container %s: port %d has no protocol, which is part of its merge key", id(u), c.Name, p.ContainerPort)
					}
				}
			}
		}
	})
}

var fullReference = regexp.MustCompile(`^[a-z0-9.-]+\.[a-z]+/[a-z0-9._/-]+:v?[0-9][A-Za-z0-9._-]*$`)

func TestImagesAreFullReferencesOfAVersion(t *testing.T) {
	forEachRelease(t, func(t *testing.T, release string) {
		for name, options := range variants() {
			t.Run(name, func(t *testing.T) {
				source, err := components.NewEmbedded(release)
				if err != nil {
					t.Fatal(err)
				}
				rendered, err := source.Render(t.Context(), source.Release().Names(), options)
				if err != nil {
					t.Fatal(err)
				}
				images := components.Images(rendered, options)
				if len(images) == 0 {
					t.Fatal("no image at all")
				}
				for _, image := range images {
					if !fullReference.MatchString(image.Ref) {
						t.Errorf("%q of %v is not HOST/NAME:VERSION", image.Ref, image.Components)
					}
				}
			})
		}
	})
}

func TestScaledWorkloadsLeaveTheirReplicasToTheAutoscaler(t *testing.T) {
	forEachVariant(t, func(t *testing.T, objects []*unstructured.Unstructured) {
		for _, hpa := range ofKind(objects, "HorizontalPodAutoscaler") {
			target := find(t, objects, text(t, hpa, "spec", "scaleTargetRef", "kind"), hpa.GetNamespace(),
				text(t, hpa, "spec", "scaleTargetRef", "name"))
			if _, found, _ := unstructured.NestedFieldNoCopy(target.Object, "spec", "replicas"); found {
				t.Errorf("%s sends replicas, which %s owns", id(target), id(hpa))
			}
		}
	})
}

func TestNothingIsReferredToThatNobodyMakes(t *testing.T) {
	forEachVariant(t, func(t *testing.T, objects []*unstructured.Unstructured) {
		exists := map[string]bool{}
		for _, u := range objects {
			exists[id(u)] = true
		}
		for _, u := range ofKind(objects, "Certificate") { // cert-manager makes their Secrets
			exists["Secret "+u.GetNamespace()+"/"+text(t, u, "spec", "secretName")] = true
		}
		excuses := maps.Clone(madeElsewhere)
		for _, u := range ofKind(objects, components.WorkloadKinds...) {
			p := pod(t, u)
			for _, reference := range references(p, u.GetNamespace()) {
				if _, elsewhere := madeElsewhere[reference]; !exists[reference] && !elsewhere {
					t.Errorf("%s uses %s, which is neither rendered nor known to be made by a controller", id(u), reference)
				} else if !exists[reference] {
					delete(excuses, reference)
				}
			}
		}
		for reference, why := range excuses {
			t.Errorf("%s is excused (%s), although nothing needs it or it is rendered", reference, why)
		}
		for _, u := range ofKind(objects, "Service") {
			service := typed[corev1.Service](t, u)
			selector := labels.SelectorFromSet(service.Spec.Selector)
			selected := slices.ContainsFunc(ofKind(objects, components.WorkloadKinds...), func(w *unstructured.Unstructured) bool {
				return w.GetNamespace() == u.GetNamespace() && selector.Matches(labels.Set(pod(t, w).Labels))
			})
			if len(service.Spec.Selector) != 0 && !selected {
				t.Errorf("%s selects no pod that is rendered", id(u))
			}
		}
		for _, u := range ofKind(objects, "RoleBinding", "ClusterRoleBinding") {
			subjects, _, _ := unstructured.NestedSlice(u.Object, "subjects")
			for _, s := range subjects {
				subject := s.(map[string]any)
				// Upstream binds a role to an account that nothing makes; it is kept for fidelity.
				if subject["kind"] != "ServiceAccount" || subject["name"] == "jupyter-notebook" {
					continue
				}
				if account := "ServiceAccount " + subject["namespace"].(string) + "/" + subject["name"].(string); !exists[account] {
					t.Errorf("%s: %s is not rendered", id(u), account)
				}
			}
		}
	})
}

// references lists what a pod needs by name, as id writes it.
func references(p *corev1.PodTemplateSpec, namespace string) []string {
	found := map[string]bool{}
	add := func(kind, name string) { found[kind+" "+namespace+"/"+name] = true }
	if a := p.Spec.ServiceAccountName; a != "" {
		add("ServiceAccount", a)
	}
	for _, v := range p.Spec.Volumes {
		switch {
		case v.ConfigMap != nil:
			add("ConfigMap", v.ConfigMap.Name)
		case v.Secret != nil:
			add("Secret", v.Secret.SecretName)
		}
	}
	for _, c := range allContainers(p) {
		for _, from := range c.EnvFrom {
			if from.ConfigMapRef != nil {
				add("ConfigMap", from.ConfigMapRef.Name)
			}
			if from.SecretRef != nil {
				add("Secret", from.SecretRef.Name)
			}
		}
		for _, env := range c.Env {
			if env.ValueFrom == nil {
				continue
			}
			if r := env.ValueFrom.ConfigMapKeyRef; r != nil {
				add("ConfigMap", r.Name)
			}
			if r := env.ValueFrom.SecretKeyRef; r != nil {
				add("Secret", r.Name)
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// openSecretValues are values in Secrets that are no secret.
var openSecretValues = map[string]string{
	"auth/dex-oidc-client OIDC_CLIENT_ID": "kubeflow-oidc-authservice",
	"oauth2-proxy/oauth2-proxy client-id": "kubeflow-oidc-authservice",
}

// credential is what a password's bcrypt hash or a private key looks like, wherever it
// may stand.
var credential = regexp.MustCompile(`\$2[abxy]?\$[0-9]{2}\$|PRIVATE KEY`)

func TestNoSecretIsShipped(t *testing.T) {
	forEachVariant(t, func(t *testing.T, objects []*unstructured.Unstructured) {
		generated := 0
		for _, u := range objects {
			everyString(u.Object, func(s string) {
				if found := credential.FindString(s); found != "" {
					t.Errorf("%s contains a credential: %s...", id(u), found)
				}
			})
			if u.GetKind() != "Secret" {
				continue
			}
			if _, found := u.Object["data"]; found {
				t.Errorf("%s has data: a value that was there before it was made in the cluster", id(u))
			}
			values, _, err := unstructured.NestedStringMap(u.Object, "stringData")
			if err != nil {
				t.Errorf("%s: %v", id(u), err)
			}
			for key, value := range values {
				if _, ok := components.GeneratedName(value); ok {
					generated++
				} else if openSecretValues[u.GetNamespace()+"/"+u.GetName()+" "+key] != value {
					t.Errorf("%s: %s is neither made in the cluster nor known to be no secret", id(u), key)
				}
			}
		}
		if generated == 0 {
			t.Error("no Secret is made in the cluster: the check has nothing to check")
		}
	})
}

// everyString calls visit for every string value below v.
func everyString(v any, visit func(string)) {
	switch v := v.(type) {
	case string:
		visit(v)
	case map[string]any:
		for _, e := range v {
			everyString(e, visit)
		}
	case []any:
		for _, e := range v {
			everyString(e, visit)
		}
	}
}

func keyAnywhere(v any, key string) bool {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if k == key || k != "openAPIV3Schema" && keyAnywhere(e, key) {
				return true
			}
		}
	case []any:
		for _, e := range v {
			if keyAnywhere(e, key) {
				return true
			}
		}
	}
	return false
}
