package preflight

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/util/version"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/mirror"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/users"
)

// good is a cluster with nothing to say about, all of whose reads were made.
func good() *Facts {
	f := &Facts{
		Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Version: version.MustParseGeneric("1.30.2"),
		Target: report.Target{Context: "test", Cluster: "test", Version: "v1.30.2"}, Release: components.Releases()[0], Profile: "default",
		Objects: 180, Created: 180, Tried: 80, Open: []*corev1.Node{node("n1")}, Excluded: map[string]string{},
		Rooms:    []Room{room("n1", 4000, 8192)},
		Capacity: &Capacity{Nodes: 1, Open: 1, Counted: 1, Left: size(4000, 8192), Demands: []Demand{{Profile: "default", Pods: 12, Fits: true, NotebookFits: true}}},
		Classes:  []storagev1.StorageClass{{ObjectMeta: metav1.ObjectMeta{Name: "standard", Annotations: map[string]string{"storageclass.kubernetes.io/is-default-class": "true"}}}},
		done:     map[string]bool{}, failed: map[string]error{},
		CanSkip: func([]string) bool { return false },
	}
	f.Address.Provider = "Cloud"
	f.Admission, f.Layout = &Admission{}, asNeeded()
	f.Network = &rollout.Network{Domain: "corp.example", How: "ConfigMap kube-system/coredns"}
	for _, c := range checks {
		for _, r := range c.reads {
			f.done[r] = true
		}
	}
	delete(f.done, readDirectories) // the release puts nothing there
	return f
}

// asNeeded is an Istio of somebody else with the layout that the stack needs.
func asNeeded() *Layout {
	deployment := func(name, account string, of map[string]string) appsv1.Deployment {
		d := appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "istio-system", Name: name}}
		d.Spec.Template.Labels, d.Spec.Template.Spec.ServiceAccountName = of, account
		return d
	}
	return &Layout{
		Service: true, Mesh: "extensionProviders: [{name: oauth2-proxy}]",
		Istiods:   []appsv1.Deployment{deployment("istiod", "istiod", nil)},
		Gateways:  []appsv1.Deployment{deployment("istio-ingressgateway", gatewayAccount, map[string]string{"app": "istio-ingressgateway", "istio": "ingressgateway", "more": "labels"})},
		Injectors: []admissionv1.MutatingWebhook{{Name: "namespace.sidecar-injector.istio.io", NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"istio-injection": "enabled"}}}},
	}
}

func forbidden(message string) error {
	return apierrors.NewForbidden(schema.GroupResource{Group: "rbac.authorization.k8s.io", Resource: "clusterroles"}, "x", errors.New(message))
}

func invalid(r report.Ref, path string) error {
	return apierrors.NewInvalid(schema.GroupKind{Group: r.Group, Kind: r.Kind}, r.Name, field.ErrorList{field.Invalid(field.NewPath(path), "", "may not be specified when `value` is not empty")})
}

// found lists severity, name and object of causes.
func found(causes []report.Cause) []string {
	var out []string
	for _, c := range causes {
		out = append(out, strings.TrimSpace(c.Severity.String()+" "+c.Name+" "+c.Object.String()))
	}
	return out
}

var notThere = &transport.Error{StatusCode: http.StatusNotFound}

// pulled is an image and what its registry says.
func pulled(ref string, later bool, err error, platforms ...string) Pulled {
	return Pulled{components.Image{Ref: ref, OnDemand: later}, mirror.Answer{Image: ref, Platforms: platforms, Err: err}}
}

func TestEveryCheckNamesWhatItFinds(t *testing.T) {
	arch := func(a string) func(*corev1.Node) {
		return func(n *corev1.Node) { n.Labels["kubernetes.io/arch"] = a }
	}
	cuda := []string{"ghcr.io/kubeflow/kubeflow/notebook-servers/jupyter-scipy:v1", "ghcr.io/kubeflow/kubeflow/notebook-servers/jupyter-pytorch-cuda-full:v1"}
	role := report.Ref{Group: "rbac.authorization.k8s.io", Kind: "ClusterRole", Name: "profiles"}
	webApp := report.Ref{Group: "apps", Kind: "Deployment", Namespace: "kubeflow", Name: "jupyter-web-app-deployment"}
	conflict := rollout.Conflict{Ref: report.Ref{Kind: "Namespace", Name: "cert-manager"}, Component: "cert-manager", Managers: []string{"helm"}}
	for _, tc := range []struct {
		name   string
		change func(*Facts)
		result Result
		want   []string
		says   []string
	}{
		{"nothing is wrong", func(*Facts) {}, OK, nil, nil},
		{"the mirror has every image", func(f *Facts) {
			f.Open[0].Labels["kubernetes.io/arch"] = "amd64"
			f.Pulled = []Pulled{pulled("m.example/dex:v2", false, nil, "linux/amd64", "linux/arm64")}
		}, OK, nil, []string{"asked from this machine: the registry has 1 of 1 image, for linux/amd64"}},
		{"the mirror lacks an image that is needed, and one that is needed later", func(f *Facts) {
			f.Pulled = []Pulled{pulled("m.example/dex:v2", false, notThere), pulled("m.example/cuda:v1", true, notThere)}
		}, Fatal, []string{"fatal ImagesMissing", "warning ImagesMissing"}, []string{"m.example/dex:v2", "kubectl jupyter images copy --to"}},
		{"the mirror lacks an image that all nodes have", func(f *Facts) {
			f.Open[0].Status.Images = []corev1.ContainerImage{{Names: []string{"m.example/dex@sha256:x", "m.example/dex:v2"}}}
			f.Pulled = []Pulled{pulled("m.example/dex:v2", false, notThere)}
		}, OK, nil, []string{"1 are on all nodes already"}},
		{"the mirror has an image for other nodes", func(f *Facts) {
			f.Open[0].Labels["kubernetes.io/arch"] = "arm64"
			f.Pulled = []Pulled{pulled("m.example/dex:v2", false, nil, "linux/amd64")}
		}, Warning, []string{"warning WrongArchitecture"}, []string{"m.example/dex:v2 is for linux/amd64, and not for linux/arm64"}},
		{"the mirror does not answer this machine", func(f *Facts) {
			f.Pulled = []Pulled{pulled("m.example/dex:v2", false, errors.New(`Get "https://m.example/v2/": x509: certificate signed by unknown authority`))}
		}, Warning, []string{"warning RegistryUnanswered"}, []string{"registry m.example does not tell this machine", "--registry-ca FILE"}},
		{"the server is too old", func(f *Facts) { f.Version = version.MustParseGeneric("1.27.9") }, Fatal, []string{"fatal ServerUnsupported"}, []string{"1.28 to 1.37, not 1.27.9"}},
		{"the server is too old for this release alone", func(f *Facts) {
			f.Release, f.Version = components.Releases()[1], version.MustParseGeneric("1.30.2")
		}, Fatal, []string{"fatal ServerUnsupported"}, []string{"1.32 to 1.37, not 1.30.2; release 1.10 does", "--release 1.10"}},
		{"the server is newer than Istio's tests", func(f *Facts) { f.Version = version.MustParseGeneric("1.33.0") }, Warning, []string{"warning ServerUntested"}, nil},
		{
			"a right is missing", func(f *Facts) {
				f.Missing = []string{"create namespaces in the whole cluster", "patch namespaces in the whole cluster"}
			}, Fatal,
			[]string{"fatal PermissionMissing"},
			[]string{"lacks 2 permissions", "namespaces: create, patch in the whole cluster"},
		},
		{
			"reviews say yes and the server refuses a role", func(f *Facts) {
				f.Refusals = []rollout.Refusal{{Ref: role, Component: "profiles", Err: forbidden(`user "ada" is attempting to grant RBAC permissions not currently held`)}}
			}, Fatal, []string{"fatal PermissionMissing ClusterRole profiles"}, []string{"attempting to grant", "escalate"},
		},
		{
			"a platform denies a namespace to everybody: no right would help", func(f *Facts) {
				f.Refusals = []rollout.Refusal{{Ref: role, Component: "cert-manager", Err: forbidden(`roles.rbac.authorization.k8s.io is forbidden: User "ada" cannot create resource "roles" in API group "rbac.authorization.k8s.io" in the namespace "kube-system": GKEAutopilot authz: the namespace "kube-system" is managed and the request's verb "create" is denied`)}}
			}, Fatal, []string{"fatal ObjectRefused ClusterRole profiles"}, []string{"GKEAutopilot authz", "is managed"},
		},
		{
			"RBAC says why it denies", func(f *Facts) {
				f.Refusals = []rollout.Refusal{{Ref: role, Component: "profiles", Err: forbidden(`clusterroles.rbac.authorization.k8s.io is forbidden: User "ada" cannot create resource "clusterroles" in API group "rbac.authorization.k8s.io" at the cluster scope: RBAC: clusterrole.rbac.authorization.k8s.io "gone" not found`)}}
			}, Fatal, []string{"fatal PermissionMissing ClusterRole profiles"}, []string{"cannot create resource"},
		},
		{
			"the first user's namespace is somebody else's", func(f *Facts) {
				f.Refusals = []rollout.Refusal{{Ref: report.Ref{Group: "kubeflow.org", Kind: "Profile", Name: "ada"}, Component: "user-profile", Err: &rollout.NamespaceTaken{Namespace: "ada", Owner: "ada@example.com", Said: "bob@example.com"}}}
			}, Fatal, []string{"fatal BelongsToOthers Namespace ada"}, []string{"its owner is bob@example.com", "--user-email"},
		},
		{
			"a policy refuses two objects alike", func(f *Facts) {
				said := errors.New("admission webhook says no")
				f.Refusals = []rollout.Refusal{{Ref: role, Err: said}, {Ref: report.Ref{Kind: "Namespace", Name: "auth"}, Err: said}}
			}, Fatal, []string{"fatal ObjectRefused ClusterRole profiles"}, []string{"admission webhook says no"},
		},
		{
			"what somebody has set in an object makes it invalid", func(f *Facts) {
				f.Refusals = []rollout.Refusal{{Ref: webApp, Err: invalid(webApp, "spec.template.spec.containers[0].env[4].valueFrom"), Exists: true, Managers: []string{"kubectl-set"}}}
			}, Fatal,
			[]string{"fatal ObjectRefused Deployment kubeflow/jupyter-web-app-deployment"},
			[]string{
				"what kubectl-set has set in it: kubectl -n kubeflow edit deployment.apps jupyter-web-app-deployment",
				"kubectl -n kubeflow set env deployment.apps jupyter-web-app-deployment NAME-", "kubectl -n kubeflow delete deployment.apps jupyter-web-app-deployment",
			},
		},
		{
			"somebody's cert-manager is in the way", func(f *Facts) {
				f.Conflicts = []rollout.Conflict{conflict}
				f.Existing = []Existing{{
					Product: "cert-manager", Components: []string{"cert-manager"}, CRD: "certificates.cert-manager.io", ManagedBy: "Helm release certs/cm",
					Controller: report.Ref{Kind: "Deployment", Namespace: "certs", Name: "cm"}, Version: "v1.17.0",
				}}
			}, Fatal, []string{"fatal BelongsToOthers Namespace cert-manager"}, []string{"cert-manager v1.17.0 in namespace certs", "managed by Helm release certs/cm", "--use-existing cert-manager", "--adopt"},
		},
		{
			"somebody's cert-manager is used as it is", func(f *Facts) {
				f.UseExisting = []string{"cert-manager"}
				f.Existing = []Existing{{
					Product: "cert-manager", Components: []string{"cert-manager"}, CRD: "certificates.cert-manager.io", ManagedBy: "OLM",
					Controller: report.Ref{Kind: "Deployment", Namespace: "certs", Name: "cm"}, Version: "v1.17.0",
				}}
			}, Info, []string{"info ExistingInstallation Deployment certs/cm"}, []string{"managed by OLM", "uses v1.16.1"},
		},
		{
			"only definitions are left of what is to be used", func(f *Facts) {
				f.UseExisting = []string{"istio"}
				f.Existing = []Existing{{Product: "Istio", Components: []string{"istio-crds", "istio"}, CRD: "virtualservices.networking.istio.io", ManagedBy: "kubectl"}}
			}, Warning, []string{"warning ExistingInstallation CustomResourceDefinition virtualservices.networking.istio.io"}, []string{"only its CRDs exist"},
		},
		{"pods with both families, IPv6 first", func(f *Facts) { f.Network.IPv6 = true }, OK, nil, nil},
		{"pods with IPv6 alone", func(f *Facts) { f.Network.IPv6, f.Network.Only = true, true }, OK, nil, nil},
		{
			"Istio that Helm's charts have installed: its gateway has other names", func(f *Facts) {
				f.Layout.Service = false
				f.Layout.Gateways[0].Namespace, f.Layout.Gateways[0].Name = "istio-ingress", "istio-ingress"
				f.Layout.Mesh = "defaultConfig: {}"
			}, Fatal,
			[]string{"fatal IstioLayoutDiffers Namespace istio-system"},
			[]string{"Service istio-system/istio-ingressgateway does not exist", "found: istio-ingress/istio-ingress", "no extension provider oauth2-proxy"},
		},
		{
			"Istio as AKS's add-on has it: other namespaces, and revisions alone", func(f *Facts) {
				f.Layout.Service, f.Layout.Mesh = false, ""
				f.Layout.Istiods[0].Namespace, f.Layout.Gateways[0].Namespace = "aks-istio-system", "aks-istio-ingress"
				f.Layout.Injectors[0].NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
					{Key: "istio.io/rev", Operator: metav1.LabelSelectorOpIn, Values: []string{"asm-1-24"}},
				}}
			}, Fatal,
			[]string{"fatal IstioLayoutDiffers Namespace istio-system"},
			[]string{"istiod is not in namespace istio-system (found: aks-istio-system/istiod)", "only at those with istio.io/rev=asm-1-24"},
		},
		{
			"a gateway with the right name, and with labels and an account of its own", func(f *Facts) {
				f.Layout.Gateways[0].Spec.Template.Labels = map[string]string{"app": "istio-ingress", "istio": "ingress"}
				f.Layout.Gateways[0].Spec.Template.Spec.ServiceAccountName = "istio-ingress"
			}, Fatal,
			[]string{"fatal IstioLayoutDiffers Namespace istio-system"},
			[]string{"do not have the labels app=istio-ingressgateway,istio=ingressgateway", "ServiceAccount is istio-ingress, not"},
		},
		{
			"Pod Security's default is baseline, as on Talos", func(f *Facts) {
				f.Version = version.MustParseGeneric("1.34.1")
				f.Release = components.Releases()[0]
				f.Admission.Refused = apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "p", errors.New(`violates PodSecurity "baseline:latest": non-default capabilities (container "istio-init" must not include "NET_ADMIN")`))
			}, Fatal,
			[]string{"fatal PodSecurityViolation", "warning ServerUntested"},
			[]string{"NET_ADMIN", "--release 26.03", "pod-security.kubernetes.io/enforce: privileged"},
		},
		{
			"OpenShift", func(f *Facts) { f.Admission.Constraints, f.Admission.Namespaces = true, []string{"kubeflow", "auth"} }, Warning,
			[]string{"warning SecurityContextConstraints"},
			[]string{"add-scc-to-group anyuid system:serviceaccounts:auth", "system:serviceaccounts:NAMESPACE-OF-A-USER"},
		},
		{"the release labels the namespaces itself", func(f *Facts) { f.Admission.Labelled = true }, OK, nil, nil},
		{"a level of its own in the namespace where pods are tried", func(f *Facts) { f.Admission.Unknown = "namespace default has its own level (restricted)" }, OK, nil, nil},
		{
			"the filter of Kubeflow's authservice, which is gone", func(f *Facts) {
				f.Filters = []*unstructured.Unstructured{authnFilter()}
				f.Absent = []report.Ref{{Kind: "Service", Namespace: "istio-system", Name: "authservice"}}
			}, Fatal,
			[]string{"fatal StrangeFilter EnvoyFilter istio-system/authn-filter"},
			[]string{"it denies everything", "delete envoyfilter authn-filter"},
		},
		{
			"a filter of somebody's that asks a Service which is there", func(f *Facts) { f.Filters = []*unstructured.Unstructured{authnFilter()} }, Warning,
			[]string{"warning StrangeFilter EnvoyFilter istio-system/authn-filter"},
			[]string{"decides about the gateway's requests too"},
		},
		{
			"the default class has no provisioner", func(f *Facts) { f.Classes[0].Provisioner = "kubernetes.io/no-provisioner" }, Warning,
			[]string{"warning StorageDriverMissing"},
			[]string{"standard (kubernetes.io/no-provisioner)"},
		},
		{
			"no node is open", func(f *Facts) {
				f.Open, f.Excluded, f.Capacity = nil, map[string]string{"n1": "cordoned", "n2": "not ready"}, &Capacity{Nodes: 2}
			}, Fatal,
			[]string{"fatal NoNodes"},
			[]string{"node n2 is excluded: not ready", "kubectl uncordon n1"},
		},
		{
			"the only node is a control plane's", func(f *Facts) {
				f.Open, f.Excluded, f.Capacity = nil, map[string]string{"n1": "taint node-role.kubernetes.io/control-plane:NoSchedule"}, &Capacity{Nodes: 1}
			}, Fatal, []string{"fatal NoNodes"}, []string{"kubectl taint nodes n1 node-role.kubernetes.io/control-plane:NoSchedule-"},
		},
		{"some nodes are left out", func(f *Facts) { f.Excluded["n2"] = "runs windows" }, Info, []string{"info NodesExcluded Node n2"}, []string{"runs windows"}},
		{"all nodes are arm64", func(f *Facts) { f.Open, f.NotebookImages = []*corev1.Node{node("n1", arch("arm64"))}, cuda }, Warning, []string{"warning WrongArchitecture"}, []string{"jupyter-pytorch-cuda-full"}},
		{"some nodes are arm64", func(f *Facts) { f.Open, f.NotebookImages = append(f.Open, node("n2", arch("arm64"))), cuda }, Info, []string{"info WrongArchitecture"}, nil},
		{"no image is made for the nodes", func(f *Facts) { f.Open = []*corev1.Node{node("n1", arch("s390x"))} }, Fatal, []string{"fatal WrongArchitecture Node n1"}, []string{"amd64, arm64"}},
		{"for one of the nodes no image is made", func(f *Facts) { f.Open = append(f.Open, node("n2", arch("ppc64le"))) }, Warning, []string{"warning WrongArchitecture Node n2"}, []string{"node n2: ppc64le"}},
		{
			"minikube in a container", func(f *Facts) {
				f.Open[0].Labels["minikube.k8s.io/name"], f.Open[0].Status.NodeInfo.OSImage = "minikube", "Debian GNU/Linux 12 (bookworm)"
			}, Warning, []string{"warning MemoryOverstated Node n1"}, []string{"docker stats", "allocatable 4 cpu and 8192Mi memory"},
		},
		{
			"minikube in a virtual machine", func(f *Facts) {
				f.Open[0].Labels["minikube.k8s.io/name"], f.Open[0].Status.NodeInfo.OSImage = "minikube", "Buildroot 2025.02"
			}, OK, nil, nil,
		},
		{"no class is the default", func(f *Facts) { f.Classes[0].Annotations = nil }, Warning, []string{"warning NoDefaultStorageClass"}, []string{"classes: standard"}},
		{
			"the default class's driver is not installed", func(f *Facts) {
				f.Classes[0].Provisioner, f.Undriven = "kubernetes.io/aws-ebs", []string{"ebs.csi.aws.com"}
			}, Warning, []string{"warning StorageDriverMissing"}, []string{"standard (kubernetes.io/aws-ebs)", "CSIDriver ebs.csi.aws.com: not found"},
		},
		{"there is no class", func(f *Facts) { f.Classes = nil }, Warning, []string{"warning NoDefaultStorageClass"}, []string{"install a provisioner"}},
		{
			"a namespace is just being deleted", func(f *Facts) { f.Terminating = []corev1.Namespace{terminating("auth", f.Time.Add(-10*time.Second))} }, Warning,
			[]string{"warning NamespaceTerminating Namespace auth"},
			[]string{"deleted 10s ago"},
		},
		{
			"a namespace does not go", func(f *Facts) {
				ns := terminating("auth", f.Time.Add(-time.Hour))
				ns.Status.Conditions = []corev1.NamespaceCondition{{Type: corev1.NamespaceFinalizersRemaining, Status: corev1.ConditionTrue, Message: "Some content in the namespace has finalizers remaining: example.com/keep in 1 resource instances"}}
				f.Terminating = []corev1.Namespace{ns}
			}, Fatal, []string{"fatal NamespaceTerminating Namespace auth"}, []string{"example.com/keep", "deleted 60m ago"},
		},
		{
			"a definition does not go", func(f *Facts) {
				f.Leaving = []Leaving{{"profiles", report.Ref{Kind: "CustomResourceDefinition", Name: "profiles.kubeflow.org"}, f.Time.Add(-time.Hour), []string{"customresourcecleanup.apiextensions.k8s.io"}}}
			}, Fatal, []string{"fatal StuckTerminating CustomResourceDefinition profiles.kubeflow.org"}, []string{"customresourcecleanup"},
		},
		{
			"a webhook without its service selects what is installed", func(f *Facts) {
				f.Webhooks = []Webhook{{report.Ref{Kind: "MutatingWebhookConfiguration", Name: "ghost"}, "ghost.example.com", "old/ghost", true, "Namespace auth"}}
			}, Fatal, []string{"fatal WebhookServiceMissing MutatingWebhookConfiguration ghost"}, []string{"it selects Namespace auth", "kubectl delete mutatingwebhookconfiguration ghost"},
		},
		{"an installation is half there", func(f *Facts) { f.Earlier, f.Created = true, 20 }, Info, []string{"info EarlierInstallation ConfigMap kube-system/kubectl-jupyter"}, []string{"20 of its 180 objects"}},
		{"definitions were kept", func(f *Facts) { f.Kept = 24 }, Info, []string{"info EarlierInstallation"}, []string{"24 objects"}},
		{"nothing gives addresses", func(f *Facts) {
			f.Address.Provider, f.Address.Evidence = "None", []string{"no LoadBalancer controller"}
		}, Info, []string{"info NoLoadBalancerController"}, nil},
		{"k3s, whose Traefik has the ports that the gateway needs", func(f *Facts) {
			f.Address.Provider, f.Address.Product, f.Address.PortsTaken = "ServiceLB", "ServiceLB (k3s)", []string{"port 80 of the nodes: Service kube-system/traefik"}
		}, Warning, []string{"warning HostPortsTaken"}, []string{"Service kube-system/traefik", "--disable traefik"}},
		{"namespaces are to be isolated, and the network enforces that", func(f *Facts) {
			f.Policies, f.Enforcer = users.Enforced, "DaemonSet kube-system/cilium (quay.io/cilium/cilium:v1)"
		}, OK, nil, nil},
		{
			"namespaces are to be isolated, and the network does not enforce that", func(f *Facts) {
				f.Policies, f.Enforcer = users.NotEnforced, "DaemonSet kube-flannel/kube-flannel-ds (flannel:v1)"
			},
			Warning,
			[]string{"warning PoliciesNotEnforced"},
			[]string{"does not enforce network policies", "kube-flannel-ds", "Calico"},
		},
		{"namespaces are to be isolated, and nothing is known of the network", func(f *Facts) { f.Policies = users.NotKnown }, Info, []string{"info PoliciesNotEnforced"}, []string{"is not known"}},
		{"nodes may not be read", func(f *Facts) { f.failed[readNodes] = forbidden("no") }, Unknown, []string{"warning Forbidden", "warning Forbidden"}, []string{`the check "nodes" could not run`}},
		{"the server did not answer in time", func(f *Facts) { f.failed[readStorage] = errors.New("timeout") }, Unknown, []string{"warning Unreadable"}, []string{`"storage"`}},
		{"rights are missing, so nothing was surveyed", func(f *Facts) { f.Missing, f.failed[readSurvey] = []string{"create pods in namespace a"}, errBlocked }, Fatal, []string{"fatal PermissionMissing"}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := good()
			tc.change(f)
			got := Judge(f)
			if got.Result != tc.result {
				t.Errorf("result %s, want %s", got.Result, tc.result)
			}
			if diff := cmp.Diff(tc.want, found(got.Causes)); diff != "" {
				t.Errorf("causes (-want +got):\n%s", diff)
			}
			var text strings.Builder
			for _, c := range got.Causes {
				if !strings.Contains(strings.Join(diagnose.Names(), " "), c.Name) || c.Summary == "" || len(c.Evidence) == 0 || c.Remedy == "" {
					t.Errorf("incomplete, or without a name that is documented: %+v", c)
				}
				text.WriteString(c.Summary + "\n" + strings.Join(c.Evidence, "\n") + "\n" + c.Remedy + "\n")
			}
			for _, a := range got.Answers {
				text.WriteString(a.Found + "\n")
			}
			for _, s := range tc.says {
				if !strings.Contains(text.String(), s) {
					t.Errorf("%q is not in\n%s", s, text.String())
				}
			}
			for _, a := range got.Answers {
				if a.Found == "" || strings.HasSuffix(a.Found, ".") {
					t.Errorf("check %s found %q", a.Check, a.Found)
				}
			}
		})
	}
}

// authnFilter has the shape of the one that Kubeflow up to 1.8 puts in front of the gateway.
func authnFilter() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter",
		"metadata": map[string]any{"name": "authn-filter", "namespace": "istio-system"},
		"spec": map[string]any{"configPatches": []any{map[string]any{
			"applyTo": "HTTP_FILTER", "match": map[string]any{"context": "GATEWAY"},
			"patch": map[string]any{"operation": "INSERT_BEFORE", "value": map[string]any{
				"name": "envoy.filters.http.ext_authz",
				"typed_config": map[string]any{"http_service": map[string]any{"server_uri": map[string]any{
					"cluster": "outbound|8080||authservice.istio-system.svc.cluster.local",
				}}},
			}},
		}}},
	}}
}

func terminating(name string, since time.Time) corev1.Namespace {
	at := metav1.NewTime(since)
	return corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, DeletionTimestamp: &at}}
}

func TestAnOldServerIsAskedNothingElse(t *testing.T) {
	f := good()
	f.Version, f.Missing = version.MustParseGeneric("1.20.15"), []string{"create pods in namespace a"}
	if got := Judge(f); len(got.Answers) != 1 || len(got.Causes) != 1 {
		t.Errorf("%d answers, %d causes, want one of each", len(got.Answers), len(got.Causes))
	}
}

func TestWhoManagesAnObject(t *testing.T) {
	for _, tc := range []struct {
		want          string
		labels, notes map[string]string
		managers      []string
	}{
		{"Helm release certs/cm", map[string]string{"app.kubernetes.io/managed-by": "Helm"}, map[string]string{"meta.helm.sh/release-name": "cm", "meta.helm.sh/release-namespace": "certs"}, nil},
		{"Helm", map[string]string{"app.kubernetes.io/managed-by": "Helm"}, nil, nil},
		{"Argo CD application certs", nil, map[string]string{"argocd.argoproj.io/tracking-id": "certs:apps/Deployment:cert-manager/cert-manager"}, nil},
		{"Argo CD application certs", map[string]string{"argocd.argoproj.io/instance": "certs", "app.kubernetes.io/managed-by": "Helm"}, nil, nil},
		{"Flux HelmRelease flux-system/certs", map[string]string{"helm.toolkit.fluxcd.io/name": "certs", "helm.toolkit.fluxcd.io/namespace": "flux-system"}, nil, nil},
		{"Flux Kustomization flux-system/infra", map[string]string{"kustomize.toolkit.fluxcd.io/name": "infra", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}, nil, nil},
		{"OLM cert-manager.operators", map[string]string{"operators.coreos.com/cert-manager.operators": ""}, nil, nil},
		{"OLM certs/cert-manager.v1", map[string]string{"olm.owner": "cert-manager.v1", "olm.owner.namespace": "certs"}, nil, nil},
		{"the cluster's addon manager", map[string]string{"addonmanager.kubernetes.io/mode": "Reconcile"}, nil, nil},
		{"field manager kubectl-client-side-apply", nil, nil, []string{"kubectl-client-side-apply", "kube-apiserver"}},
		{"an unknown manager", nil, nil, nil},
	} {
		o := &metav1.ObjectMeta{Labels: tc.labels, Annotations: tc.notes}
		for _, m := range tc.managers {
			o.ManagedFields = append(o.ManagedFields, metav1.ManagedFieldsEntry{Manager: m})
		}
		if got := managedBy(o); got != tc.want {
			t.Errorf("labels %v, annotations %v, managers %v: %q, want %q", tc.labels, tc.notes, tc.managers, got, tc.want)
		}
	}
}

func TestAWebhookSelectsWhatItsRulesAndSelectorsSay(t *testing.T) {
	object := func(kind, namespace string, labels map[string]any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": kind,
			"metadata": map[string]any{"name": "x", "namespace": namespace, "labels": labels},
		}}
	}
	rule := func(operation admissionv1.OperationType, resources ...string) []admissionv1.RuleWithOperations {
		return []admissionv1.RuleWithOperations{{Operations: []admissionv1.OperationType{operation}, Rule: admissionv1.Rule{APIGroups: []string{""}, Resources: resources}}}
	}
	selector := func(key, value string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{key: value}}
	}
	namespaces := map[string]map[string]string{"kubeflow": {"istio-injection": "enabled"}}
	for _, tc := range []struct {
		name     string
		hook     hook
		object   *unstructured.Unstructured
		resource string
		want     bool
	}{
		{"by resource", hook{rules: rule(admissionv1.Create, "services")}, object("Service", "auth", nil), "services", true},
		{"by any resource", hook{rules: rule(admissionv1.OperationAll, "*")}, object("Service", "auth", nil), "services", true},
		{"not another resource", hook{rules: rule(admissionv1.Create, "pods")}, object("Service", "auth", nil), "services", false},
		{"not for updates alone", hook{rules: rule(admissionv1.Update, "services")}, object("Service", "auth", nil), "services", false},
		{"by a label of the namespace", hook{rules: rule(admissionv1.Create, "services"), namespaces: selector("istio-injection", "enabled")}, object("Service", "kubeflow", nil), "services", true},
		{"not in another namespace", hook{rules: rule(admissionv1.Create, "services"), namespaces: selector("istio-injection", "enabled")}, object("Service", "auth", nil), "services", false},
		{"by the name of a namespace that does not exist yet", hook{rules: rule(admissionv1.Create, "services"), namespaces: selector("kubernetes.io/metadata.name", "auth")}, object("Service", "auth", nil), "services", true},
		{"a namespace by its own labels", hook{rules: rule(admissionv1.Create, "namespaces"), namespaces: selector("a", "b")}, object("Namespace", "", map[string]any{"a": "b"}), "namespaces", true},
		{"not without the object's label", hook{rules: rule(admissionv1.Create, "services"), objects: selector("a", "b")}, object("Service", "auth", nil), "services", false},
	} {
		if got := tc.hook.selects(tc.object, tc.resource, namespaces); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}
