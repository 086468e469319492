package status

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/version"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// whole is a stack in which everything is there and has been read.
func whole(t *testing.T) *Snapshot {
	t.Helper()
	s := lookedAt(t, "")
	s.Server = version.MustParseGeneric("1.34.0")
	s.Inventory = &rollout.Inventory{Settings: rollout.Settings{Release: components.DefaultRelease, Profile: "default", UserEmail: components.DefaultUserEmail}}
	s.Expected = slices.DeleteFunc(slices.Clone(s.Expected), func(r components.Rendered) bool { return r.Component.OnDemand })
	for _, k := range kinds {
		s.Reads = append(s.Reads, Read{Group: k.group, Kind: k.kind})
	}
	for _, k := range kindsOfSome {
		s.Reads = append(s.Reads, Read{Group: k.Group, Kind: k.Kind})
	}
	for _, u := range s.Objects {
		if u.GetKind() == "DaemonSet" {
			u.SetGeneration(1)
			u.Object["status"] = map[string]any{
				"observedGeneration": int64(1), "desiredNumberScheduled": int64(1), "currentNumberScheduled": int64(1),
				"updatedNumberScheduled": int64(1), "numberAvailable": int64(1), "numberReady": int64(1),
			}
		} else if isWorkload(u.GetKind()) {
			u.Object["status"] = map[string]any{
				"replicas": int64(1), "readyReplicas": int64(1), "availableReplicas": int64(1), "updatedReplicas": int64(1),
				"conditions": []any{map[string]any{"type": "Available", "status": "True"}, map[string]any{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}},
			}
			_ = unstructured.SetNestedField(u.Object, int64(1), "spec", "replicas")
		}
		if strings.HasPrefix(u.GroupVersionKind().Group, "cert-manager.io") {
			u.Object["status"] = map[string]any{"conditions": []any{map[string]any{"type": "Ready", "status": "True"}}}
		}
	}
	return s
}

// without takes objects out of what was read.
func (s *Snapshot) without(refs ...report.Ref) *Snapshot {
	s.Objects = slices.DeleteFunc(s.Objects, func(u *unstructured.Unstructured) bool { return slices.Contains(refs, cluster.RefOf(u)) })
	s.index = nil
	return s
}

func (s *Snapshot) change(t *testing.T, ref report.Ref, v any, path ...string) *Snapshot {
	t.Helper()
	u := s.Object(ref)
	if u == nil {
		t.Fatalf("%s does not exist", ref)
	}
	if err := unstructured.SetNestedField(u.Object, v, path...); err != nil {
		t.Fatal(err)
	}
	return s
}

func rowOf(t *testing.T, r *report.Report, name string) report.Component {
	t.Helper()
	i := slices.IndexFunc(r.Components, func(c report.Component) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("there is no row %s", name)
	}
	return r.Components[i]
}

var (
	dexDeployment = report.Ref{Group: "apps", Kind: "Deployment", Namespace: "auth", Name: "dex"}
	proxies       = report.Ref{Group: "apps", Kind: "Deployment", Namespace: "oauth2-proxy", Name: "oauth2-proxy"}
	jwtPolicy     = report.Ref{Group: "security.istio.io", Kind: "AuthorizationPolicy", Namespace: "istio-system", Name: "istio-ingressgateway-require-jwt"}
)

func TestWhatIsMissingIsNamedByWhatItMeans(t *testing.T) {
	ref := func(group, kind, namespace, name string) report.Ref {
		return report.Ref{Group: group, Kind: kind, Namespace: namespace, Name: name}
	}
	for _, tt := range []struct {
		name     string
		missing  report.Ref
		want     string
		severity report.Severity
	}{
		{"a policy", jwtPolicy, diagnose.PolicyMissing, report.Error},
		{"a route", ref("networking.istio.io", "VirtualService", "auth", "dex"), diagnose.RouteMissing, report.Error},
		{"a Deployment", dexDeployment, diagnose.ObjectMissing, report.Error},
		{"a namespace", ref("", "Namespace", "", "auth"), diagnose.NamespaceMissing, report.Error},
		{"an autoscaler", ref("autoscaling", "HorizontalPodAutoscaler", "istio-system", "istiod"), diagnose.ObjectMissing, report.Warning},
		{"a Profile", ref("kubeflow.org", "Profile", "", "kubeflow-user-example-com"), diagnose.ProfileMissing, report.Error},
	} {
		t.Run(tt.name, func(t *testing.T) {
			causes := checkMissing(whole(t).without(tt.missing))
			wantCause(t, causes, tt.want, tt.severity, tt.missing.String()+": not found")
		})
	}
	s := whole(t)
	s.Unserved = []string{"notebooks.kubeflow.org"}
	wantCause(t, checkMissing(s), diagnose.KindMissing, report.Error, "CustomResourceDefinition notebooks.kubeflow.org: not found")
}

func TestNothingIsMissingOfAWholeStack(t *testing.T) {
	s := whole(t)
	for _, c := range checkMissing(s) {
		// What controllers make is not among the manifests.
		if c.Name != diagnose.ProfileMissing || c.Object.Name != "default-editor" {
			t.Errorf("%s: %s %q", c.Name, c.Object, c.Evidence)
		}
	}
	if subjects := s.Subjects(); len(subjects) > 0 {
		t.Errorf("subjects: %+v", subjects)
	}
}

func TestOfAStackOfSomebodyElseOnlyTheEssentialIsMissed(t *testing.T) {
	s := whole(t).without(
		report.Ref{Kind: "ConfigMap", Namespace: "kubeflow", Name: "jupyter-web-app-config"},
		report.Ref{Group: "networking.istio.io", Kind: "VirtualService", Namespace: "auth", Name: "dex"},
		dexDeployment)
	s.Inventory = nil
	if !s.Foreign() {
		t.Error("it is taken for an installation of this plugin")
	}
	causes := checkMissing(s)
	wantCause(t, causes, diagnose.ObjectMissing, report.Error, "Deployment auth/dex: not found")
	for _, c := range causes {
		if c.Object.Kind == "ConfigMap" || c.Object.Kind == "VirtualService" {
			t.Errorf("%s: %s", c.Name, c.Object)
		}
	}
}

func TestAConfigMapIsRecognisedWithTheSuffixOfItsGenerator(t *testing.T) {
	s := whole(t)
	s.Inventory = nil
	ref := report.Ref{Kind: "ConfigMap", Namespace: "kubeflow", Name: "jupyter-web-app-config"}
	u := s.Object(ref)
	live := u.DeepCopy()
	s.without(ref)
	live.SetName("jupyter-web-app-config-t6fdc2gbb5")
	s.Objects = append(s.Objects, live)
	s.index = nil
	if got := s.live(u); got == nil || got.GetName() != live.GetName() {
		t.Errorf("got %v", got)
	}
	live.SetName("jupyter-web-app-config-of-somebody")
	s.index = nil
	if got := s.live(u); got != nil {
		t.Errorf("got %s", got.GetName())
	}
}

func TestComponentsThatWereLeftOutAreNotMissing(t *testing.T) {
	s := whole(t)
	issuer := report.Ref{Group: "cert-manager.io", Kind: "ClusterIssuer", Name: "kubeflow-self-signing-issuer"}
	s.without(issuer)
	for _, r := range s.Expected {
		for _, u := range r.Objects {
			if cluster.RefOf(u) != issuer {
				s.Inventory.Applied = append(s.Inventory.Applied, cluster.RefOf(u))
			}
		}
	}
	s.settle()
	if !slices.Equal(s.LeftOut, []string{"kubeflow-issuer"}) || s.Component("kubeflow-issuer") != nil {
		t.Errorf("left out: %v", s.LeftOut)
	}
	if c := causeOf(checkMissing(s), diagnose.ObjectMissing); c != nil {
		t.Errorf("missing: %+v", c)
	}
}

func TestVersionsAreReadFromImages(t *testing.T) {
	s := whole(t)
	containers, _, _ := unstructured.NestedSlice(s.Object(dexDeployment).Object, "spec", "template", "spec", "containers")
	containers[0].(map[string]any)["image"] = "registry.example.com:5000/mirror/dex:v2.40.0@sha256:" + strings.Repeat("0", 64)
	s.change(t, dexDeployment, containers, "spec", "template", "spec", "containers")
	r := s.Report(nil)
	if row := rowOf(t, r, "dex"); row.Version != "v2.40.0" || row.Offered != "v2.45.1" {
		t.Errorf("dex %q, offered %q", row.Version, row.Offered)
	}
	if row := rowOf(t, r, "istio"); row.Version != "1.30.8" || row.Offered != "" {
		t.Errorf("istio %q, offered %q", row.Version, row.Offered)
	}
	if row := rowOf(t, r, "istio-crds"); row.Version != "1.30.8" {
		t.Errorf("istio-crds %q: what has no image has the version that was installed", row.Version)
	}
	s.Inventory = nil
	if row := rowOf(t, s.Report(nil), "istio-crds"); row.Version != "" {
		t.Errorf("istio-crds %q: nobody knows", row.Version)
	}
}

func TestPartsOfDifferentVersionsAreNamed(t *testing.T) {
	s := whole(t)
	ref := report.Ref{Group: "apps", Kind: "Deployment", Namespace: "cert-manager", Name: "cert-manager-cainjector"}
	containers, _, _ := unstructured.NestedSlice(s.Object(ref).Object, "spec", "template", "spec", "containers")
	containers[0].(map[string]any)["image"] = "quay.io/jetstack/cert-manager-cainjector:v1.15.0"
	s.change(t, ref, containers, "spec", "template", "spec", "containers")
	wantCause(t, checkVersions(s), diagnose.VersionSkew, report.Warning, "cert-manager-cainjector v1.15.0", "cert-manager-controller v1.20.3")
	if causes := checkVersions(whole(t)); len(causes) > 0 {
		t.Errorf("of a whole stack: %+v", causes)
	}
}

func TestAServerThatTheReleaseDoesNotKnow(t *testing.T) {
	for _, c := range []struct {
		version, want string
		severity      report.Severity
	}{
		{"1.20.0", diagnose.ServerUnsupported, report.Error},
		{"1.37.1", diagnose.ServerUntested, report.Info},
	} {
		s := whole(t)
		s.Server = version.MustParseGeneric(c.version)
		if causes := checkServer(s); len(causes) != 1 || causes[0].Severity != c.severity || causes[0].Name != c.want {
			t.Errorf("%s: %+v", c.version, causes)
		}
	}
	if causes := checkServer(whole(t)); len(causes) > 0 {
		t.Errorf("1.34: %+v", causes)
	}
}

func TestACertificateThatEndsSoonIsNamedUnlessItWillBeRenewed(t *testing.T) {
	ref := report.Ref{Group: "cert-manager.io", Kind: "Certificate", Namespace: "kubeflow", Name: "poddefaults-webhook-cert"}
	day := 24 * time.Hour
	for _, tt := range []struct {
		name       string
		left       time.Duration
		renewal    time.Duration // from now; zero for none
		found      bool
		severity   report.Severity
		mentioning string
	}{
		{"ninety days", 90 * day, 60 * day, false, 0, ""},
		{"twenty days, renewed in ten", 20 * day, 10 * day, false, 0, ""},
		{"twenty days, renewal a day late", 20 * day, -day, true, report.Warning, "renewal was due"},
		{"twenty days and nobody renews it", 20 * day, 0, true, report.Warning, "Secret poddefaults-webhook-certs"},
		{"an hour", time.Hour, -10 * day, true, report.Error, "delete secret poddefaults-webhook-certs"},
		{"ended", -time.Hour, -10 * day, true, report.Error, "has expired"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := whole(t)
			s.change(t, ref, s.Time.Add(tt.left).Format(time.RFC3339), "status", "notAfter")
			if tt.renewal != 0 {
				s.change(t, ref, s.Time.Add(tt.renewal).Format(time.RFC3339), "status", "renewalTime")
			}
			causes := checkCertificates(s)
			if !tt.found {
				if len(causes) > 0 {
					t.Errorf("%+v", causes)
				}
				return
			}
			wantCause(t, causes, diagnose.CertificateExpiring, tt.severity, tt.mentioning)
		})
	}
}

func TestTheProviderOfThePolicyIsInTheMeshAndHasSomebodyBehindIt(t *testing.T) {
	mesh := func(text string) *Snapshot { return whole(t).change(t, meshConfig, text, "data", "mesh") }
	wantCause(t, checkMesh(mesh("extensionProviders: [{name: other}]")), diagnose.ExtAuthzProviderMissing, report.Error, `no provider "oauth2-proxy"`, "istio-system/istio: other")
	wantCause(t, checkMesh(mesh("extensionProviders: {")), diagnose.ExtAuthzProviderMissing, report.Error, "install --adopt")
	wantCause(t, checkMesh(whole(t).without(report.Ref{Kind: "Service", Namespace: "oauth2-proxy", Name: "oauth2-proxy"})),
		diagnose.OAuth2ProxyUnreachable, report.Error, "Service oauth2-proxy/oauth2-proxy: not found")
	s := whole(t)
	s.Reads = append(s.Reads, Read{Group: "discovery.k8s.io", Kind: "EndpointSlice", Namespace: "oauth2-proxy"})
	wantCause(t, checkMesh(s), diagnose.OAuth2ProxyUnreachable, report.Error, "has no ready endpoints")
	s.Objects = append(s.Objects, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
		"metadata":  map[string]any{"name": "oauth2-proxy-x", "namespace": "oauth2-proxy", "labels": map[string]any{"kubernetes.io/service-name": "oauth2-proxy"}},
		"endpoints": []any{map[string]any{"addresses": []any{"10.0.0.9"}, "conditions": map[string]any{"ready": true}}},
	}})
	if causes := checkMesh(s); len(causes) > 0 {
		t.Errorf("with an endpoint: %+v", causes)
	}
}

func TestAProofThatFailsIsNamedByHowItFails(t *testing.T) {
	pod := report.Ref{Kind: "Pod", Namespace: "kubeflow", Name: probeName}
	with := func(p Proof) *Snapshot { s := whole(t); s.Proofs = []Proof{p}; return s }
	wantCause(t, checkProofs(with(Proof{Component: "istio", Object: pod, Accepted: true, Why: "the response lacks istio-proxy"})), diagnose.InjectorNotInjecting, report.Error, "istio-proxy")
	wantCause(t, checkProofs(with(Proof{Component: "cert-manager", Object: pod, RefusedBy: "webhook.cert-manager.io", Accepted: true})), diagnose.WebhookNotRefusing, report.Error, "webhook.cert-manager.io")
	wantCause(t, checkProofs(with(Proof{Component: "istio", Object: pod, RefusedBy: "rev.validation.istio.io", Accepted: true, Advisory: true})), diagnose.WebhookNotRefusing, report.Warning)
	wantCause(t, checkProofs(with(Proof{Component: "istio", Object: pod, Forbidden: true, Why: "cannot create"})), diagnose.Forbidden, report.Warning, "can-i create pods")
	silent := Proof{Component: "poddefaults", Object: pod, Why: `failed calling webhook "namespace.sidecar-injector.istio.io": no endpoints available for service "istiod"`}
	s := with(silent)
	if causes := checkProofs(s); len(causes) > 0 {
		t.Errorf("one that does not answer is a subject: %+v", causes)
	}
	subjects := s.Subjects()
	if len(subjects) != 1 || subjects[0].Component != "istio" || subjects[0].Message != silent.Why {
		t.Errorf("subjects: %+v, want the injector's component", subjects)
	}
}

func TestRestartsAreCountedAndTheLastOneIsDated(t *testing.T) {
	s := whole(t)
	at := s.Time.Add(-5 * time.Minute)
	s.Objects = append(s.Objects, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": map[string]any{
			"name": "dex-6d4c7-abcde", "namespace": "auth", "labels": map[string]any{"pod-template-hash": "6d4c7"},
			"ownerReferences": []any{map[string]any{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "dex-6d4c7", "uid": "1", "controller": true}},
		},
		"status": map[string]any{"phase": "Running", "containerStatuses": []any{map[string]any{
			"name": "dex", "restartCount": int64(3), "lastState": map[string]any{"terminated": map[string]any{"exitCode": int64(1), "finishedAt": at.UTC().Format(time.RFC3339)}},
		}}},
	}})
	s.index, s.pods = nil, nil
	row := rowOf(t, s.Report(nil), "dex")
	if row.Restarts != 3 || row.LastRestart == nil || !row.LastRestart.Equal(at.Truncate(time.Second)) {
		t.Errorf("%d restarts, the last at %v", row.Restarts, row.LastRestart)
	}
}

// owns gives an object the managed fields of an installation, and of somebody after it.
func owns(t *testing.T, s *Snapshot, ref report.Ref, ours, theirs string, at time.Time) {
	t.Helper()
	u := s.Object(ref)
	stamp := metav1.NewTime(at)
	u.SetManagedFields([]metav1.ManagedFieldsEntry{
		{Manager: rollout.FieldManager, Operation: metav1.ManagedFieldsOperationApply, FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(ours)},
		{Manager: "kubectl-edit", Operation: metav1.ManagedFieldsOperationUpdate, Time: &stamp, FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(theirs)},
	})
	labels := u.GetLabels()
	key, value, _ := strings.Cut(rollout.MemberSelector(), "=")
	labels[key] = value
	u.SetLabels(labels)
}

func TestDriftNamesWhoTookWhichFieldFromTheInstallation(t *testing.T) {
	const allButSpec = `{"f:metadata":{"f:labels":{},"f:annotations":{}}}`
	s := whole(t)
	s.Expected = []components.Rendered{*s.Component("oauth2-proxy")}
	for _, r := range s.Expected {
		for _, u := range r.Objects {
			if s.Object(cluster.RefOf(u)) != nil {
				owns(t, s, cluster.RefOf(u), `{"f:metadata":{},"f:spec":{},"f:data":{}}`, `{}`, s.Time.Time)
			}
		}
	}
	if causes := checkDrift(s); len(causes) > 0 {
		t.Fatalf("of a stack whose fields are all the installation's: %+v", causes)
	}
	s.change(t, jwtPolicy, "ALLOW", "spec", "action")
	owns(t, s, jwtPolicy, allButSpec, `{"f:spec":{"f:action":{}}}`, s.Time.Time)
	causes := checkDrift(s)
	if len(causes) != 1 {
		t.Fatalf("causes: %+v", causes)
	}
	wantCause(t, causes, diagnose.PolicyChanged, report.Error, "spec.action was DENY, is ALLOW, by kubectl-edit (Update, 2026-03-01T12:00:00Z)")
	s.change(t, jwtPolicy, "DENY", "spec", "action")
	if causes := checkDrift(s); len(causes) > 0 {
		t.Errorf("of a field that somebody has set to what it was: %+v", causes)
	}
}

func TestDriftShowsNoValuesOfEnvironmentsAndData(t *testing.T) {
	for _, path := range [][]step{
		{{field: "data"}, {field: "password"}},
		{{field: "spec"}, {field: "containers"}, {item: map[string]any{"name": "a"}}, {field: "env"}, {item: map[string]any{"name": "SECRET"}}, {field: "value"}},
	} {
		if got := change(difference{path, "pl4nted", "hunter2"}); strings.Contains(got, "pl4nted") || strings.Contains(got, "hunter2") {
			t.Errorf("shown: %s", got)
		}
	}
}

func TestASnapshotOfAnotherShapeIsNoPanic(t *testing.T) {
	s := whole(t)
	s.Expected = append(s.Expected, components.Rendered{}) // no component
	causes := Check(s)
	if c := causeOf(causes, diagnose.DiagnosisFailed); c == nil || c.Severity != report.Warning {
		t.Errorf("causes: %+v", causes)
	}
}

func TestAWorkloadThatWasSwitchedOffIsNotReady(t *testing.T) {
	off := func() *Snapshot {
		return whole(t).change(t, proxies, int64(0), "spec", "replicas").change(t, proxies, int64(0), "status", "readyReplicas")
	}
	s := off()
	causes := checkScaled(s)
	wantCause(t, causes, diagnose.ScaledToZero, report.Error, "oauth2-proxy/oauth2-proxy", "replicas: 0", "kubectl -n oauth2-proxy scale deployment oauth2-proxy --replicas=2")
	if row := rowOf(t, s.Report(causes), "oauth2-proxy"); row.State != report.Failed || row.Cause != diagnose.ScaledToZero {
		t.Errorf("%s, cause %q", row.State, row.Cause)
	}
	// kubectl's scaling takes the field away from whoever sent it.
	s = off()
	s.Object(proxies).SetManagedFields([]metav1.ManagedFieldsEntry{{
		Manager: rollout.FieldManager, Operation: metav1.ManagedFieldsOperationApply,
		FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:selector":{}}}`),
	}})
	for who, lines := range drifts(s.Component("oauth2-proxy").Objects[slices.IndexFunc(s.Component("oauth2-proxy").Objects, func(u *unstructured.Unstructured) bool { return cluster.RefOf(u) == proxies })], s.Object(proxies)) {
		if slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, "replicas") }) {
			t.Errorf("told a second time, as a change of %s: %q", who, lines)
		}
	}
	// An installation with a kustomization may want none.
	s = off()
	s.Object(proxies).SetManagedFields([]metav1.ManagedFieldsEntry{{
		Manager: rollout.FieldManager, Operation: metav1.ManagedFieldsOperationApply,
		FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:replicas":{}}}`),
	}})
	if causes := checkScaled(s); len(causes) > 0 {
		t.Errorf("of what was installed so: %+v", causes)
	}
	if causes := checkScaled(whole(t)); len(causes) > 0 {
		t.Errorf("of a whole stack: %+v", causes)
	}
}
