package clones

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

func TestTheLayoutIsFoundByItsMarkersAndTheVersionsByTheImages(t *testing.T) {
	for _, version := range versions() {
		t.Run(version, func(t *testing.T) {
			release := open(t, smallClone(t, version), Options{}).Release()
			if release.Name != "clone-"+version || release.Clone.Version != version {
				t.Errorf("release %s of version %s", release.Name, release.Clone.Version)
			}
			for name, want := range map[string]string{
				"cert-manager": "v1.2.3", "dex": "v2.3.2", "oauth2-proxy": "v7.1.2", "profiles": "v2.0.1", "kubeflow-roles": version,
			} {
				c, err := release.Component(name)
				if err != nil || c.Version != want {
					t.Errorf("component %s: version %s (%v), want %s", name, c.Version, err, want)
				}
			}
		})
	}
}

func TestACloneWithNewerProgramsThanAnyKnownVersionIsALaterOne(t *testing.T) {
	for _, tt := range []struct{ layout, from, to, want string }{
		{"26.03.1", "cert-manager-controller:v1.2.3", "cert-manager-controller:v1.21.0", "later-than-26.03.1"},
		{"26.03.1", "istio/pilot:1.30.1", "istio/pilot:1.31.0", "later-than-26.03.1"},
		{"26.03.1", "istio/pilot:1.30.1", "istio/pilot:1.29.7", "26.03.1"},
		{"26.03.1", "istio/pilot:1.30.1", "istio/pilot:1.30.9", "26.03.1"},
		{"26.03.1", "istio/pilot:1.30.1", "istio/pilot:latest", "26.03.1"},
		{"v1.11.0", "dexidp/dex:v2.3.2", "dexidp/dex:v2.46.0", "later-than-v1.11.0"},
	} {
		t.Run(tt.layout+" with "+tt.to, func(t *testing.T) {
			dir := smallClone(t, tt.layout)
			replaceInClone(t, dir, tt.from, tt.to)
			release := open(t, dir, Options{}).Release()
			if release.Name != "clone-"+tt.want || release.Clone.Version != tt.want {
				t.Errorf("release %s of version %s, want version %s", release.Name, release.Clone.Version, tt.want)
			}
		})
	}
}

func TestWebhooksOfEveryLayoutAreTested(t *testing.T) {
	for _, version := range versions() {
		release := open(t, smallClone(t, version), Options{}).Release()
		agent := map[bool]string{true: "", false: "kube-system/istio-cni-node"}[version == "v1.9.1" || version == "v1.10.1"]
		for _, name := range []string{"cert-manager", "istio", "poddefaults"} {
			c, err := release.Component(name)
			if err != nil {
				t.Fatal(err)
			}
			if len(c.Gates) != 1 {
				t.Errorf("%s: component %s has %d gates, want 1", version, name, len(c.Gates))
			} else if name == "istio" && c.Gates[0].Agent != agent {
				t.Errorf("%s: sidecars need the agent %q, want %q", version, c.Gates[0].Agent, agent)
			}
		}
		if slices.ContainsFunc(release.Clone.Warnings, func(w string) bool { return strings.Contains(w, "other webhooks") }) {
			t.Errorf("%s: %v", version, release.Clone.Warnings)
		}
	}
}

func TestServersThatIstioWasTestedWith(t *testing.T) {
	for version, want := range map[string][4]int{
		"v1.9.1": {28, 37, 27, 30}, "v1.10.1": {28, 37, 28, 31}, "v1.10.2": {29, 37, 29, 33}, "v1.11.0": {30, 37, 30, 34}, "26.03.1": {32, 37, 32, 36},
	} {
		r := open(t, smallClone(t, version), Options{}).Release()
		if got := [4]int{r.ServedMin, r.ServedMax, r.TestedMin, r.TestedMax}; got != want {
			t.Errorf("%s: served and tested with %v, want %v", version, got, want)
		}
	}
}

func TestNamesHaveNoHashAndReferencesFollow(t *testing.T) {
	objects, _ := rendered(t, open(t, smallClone(t, "26.03.1"), Options{}), components.Options{})
	for _, id := range []string{"Secret/oauth2-proxy/oauth2-proxy", "ConfigMap/oauth2-proxy/oauth2-proxy-parameters", "ConfigMap/kubeflow/jupyter-web-app-parameters"} {
		if objects[id] == nil {
			t.Errorf("%s is not rendered", id)
		}
	}
	from, _, _ := unstructured.NestedSlice(container(t, objects["Deployment/oauth2-proxy/oauth2-proxy"]), "envFrom")
	want := []any{
		map[string]any{"secretRef": map[string]any{"name": "oauth2-proxy"}},
		map[string]any{"configMapRef": map[string]any{"name": "oauth2-proxy-parameters"}},
	}
	if d := cmp.Diff(want, from); d != "" {
		t.Error(d)
	}
}

func container(t *testing.T, deployment map[string]any) map[string]any {
	t.Helper()
	all, _, err := unstructured.NestedSlice(deployment, "spec", "template", "spec", "containers")
	if err != nil || len(all) != 1 {
		t.Fatalf("containers %v (%v), want one", all, err)
	}
	return all[0].(map[string]any)
}

func TestShippedCredentialsAreReplacedAndNamed(t *testing.T) {
	s := open(t, smallClone(t, "v1.10.1"), Options{})
	objects, _ := rendered(t, s, components.Options{})
	want := map[string]map[string]any{
		"Secret/auth/dex-passwords":        {"DEX_USER_PASSWORD": "$(generated:user-password-bcrypt)"},
		"Secret/auth/dex-oidc-client":      {"OIDC_CLIENT_ID": "a-client", "OIDC_CLIENT_SECRET": "$(generated:oidc-client-secret)"},
		"Secret/oauth2-proxy/oauth2-proxy": {"client-id": "a-client", "client-secret": "$(generated:oidc-client-secret)", "cookie-secret": "$(generated:cookie-secret)"},
	}
	for id, values := range want {
		if d := cmp.Diff(values, objects[id]["stringData"]); d != "" || objects[id]["data"] != nil {
			t.Errorf("%s: data %v\n%s", id, objects[id]["data"], d)
		}
	}
	said := strings.Join(s.Release().Clone.Notes, "\n")
	for _, name := range []string{"dex-passwords: DEX_USER_PASSWORD", "dex-oidc-client: OIDC_CLIENT_SECRET", "oauth2-proxy: client-secret", "oauth2-proxy: cookie-secret"} {
		if !strings.Contains(said, name+" is generated") {
			t.Errorf("it is not said that %s is generated:\n%s", name, said)
		}
	}
	if strings.Contains(said, "client-id") {
		t.Errorf("a name is taken for a secret:\n%s", said)
	}
}

func TestShippedCredentialsAreKeptOnRequestWithAWarningAndNotRecorded(t *testing.T) {
	s := open(t, smallClone(t, "v1.10.1"), Options{KeepCredentials: true})
	objects, _ := rendered(t, s, components.Options{})
	// c2hpcHBlZC1oYXNo is shipped-hash.
	if d := cmp.Diff(map[string]any{"DEX_USER_PASSWORD": "c2hpcHBlZC1oYXNo"}, objects["Secret/auth/dex-passwords"]["data"]); d != "" {
		t.Error(d)
	}
	if said := strings.Join(s.Release().Clone.Warnings, "\n"); strings.Count(said, "is the one that the clone ships") != 4 {
		t.Errorf("warnings about four credentials are wanted:\n%s", said)
	}
	copied, _ := rendered(t, copyOf(t, s), components.Options{})
	for id, object := range copied {
		if strings.HasPrefix(id, "Secret/") && object["data"] != nil {
			t.Errorf("the inventory's copy has the values of %s", id)
		}
	}
	if d := cmp.Diff(map[string]any{"DEX_USER_PASSWORD": "$(generated:user-password-bcrypt)"}, copied["Secret/auth/dex-passwords"]["stringData"]); d != "" {
		t.Error(d)
	}
}

func TestASecretThatNobodyKnowsIsInstalledWithAWarning(t *testing.T) {
	dir := smallClone(t, "26.03.1")
	writeFile(t, filepath.Join(dir, "common", "dex", "overlays", "oauth2-proxy", "own.yaml"),
		"apiVersion: v1\nkind: Secret\nmetadata: {name: ldap, namespace: auth}\nstringData: {password: of-the-directory}\n")
	writeFile(t, filepath.Join(dir, "common", "dex", "overlays", "oauth2-proxy", "kustomization.yaml"),
		strings.Replace(smallFiles["dex"]["kustomization.yaml"], "[all.yaml]", "[all.yaml, own.yaml]", 1))
	s := open(t, dir, Options{})
	objects, _ := rendered(t, s, components.Options{})
	if d := cmp.Diff(map[string]any{"password": "b2YtdGhlLWRpcmVjdG9yeQ=="}, objects["Secret/auth/ldap"]["data"]); d != "" {
		t.Error(d)
	}
	if said := strings.Join(s.Release().Clone.Warnings, "\n"); !strings.Contains(said, "Secret auth/ldap: password is installed as it is in the clone") {
		t.Errorf("the warnings are:\n%s", said)
	}
	copied, _ := rendered(t, copyOf(t, s), components.Options{})
	if d := cmp.Diff(map[string]any{"password": "$(generated:auth/ldap/password)"}, copied["Secret/auth/ldap"]["stringData"]); d != "" {
		t.Error(d)
	}
}

func TestWhatIsMissingWithoutTheDashboardIsAdded(t *testing.T) {
	for _, version := range versions() {
		t.Run(version, func(t *testing.T) {
			s := open(t, smallClone(t, version), Options{})
			objects, _ := rendered(t, s, components.Options{UserEmail: "someone@example.com"})
			routes, _, _ := unstructured.NestedSlice(objects["VirtualService/kubeflow/jupyter-web-app-jupyter-web-app"], "spec", "http")
			if len(routes) != 5 {
				t.Errorf("%d routes, want the clone's and four more", len(routes))
			}
			policy := objects["AuthorizationPolicy/kubeflow/profiles-kfam"]
			rules, _, _ := unstructured.NestedSlice(policy, "spec", "rules")
			if len(rules) != 2 {
				t.Errorf("%d rules, want the clone's and one for people", len(rules))
			}
			pods, _, _ := unstructured.NestedMap(policy, "spec", "selector", "matchLabels")
			filtered, _, _ := unstructured.NestedMap(objects["EnvoyFilter/kubeflow/profiles-kfam-people"], "spec", "workloadSelector", "labels")
			if len(filtered) == 0 || !reflect.DeepEqual(pods, filtered) {
				t.Errorf("the filter is for %v, the policy for %v", filtered, pods)
			}
			env := container(t, objects["Deployment/kubeflow/jupyter-web-app-deployment"])["env"].([]any)[0].(map[string]any)
			if _, reads, _ := unstructured.NestedMap(env, "valueFrom", "configMapKeyRef"); !reads || env["value"] != nil {
				t.Errorf("the setting of cookies is %v, want it read from the ConfigMap", env)
			}
			if secure, _, _ := unstructured.NestedString(objects["ConfigMap/kubeflow/jupyter-web-app-parameters"], "data", "JWA_APP_SECURE_COOKIES"); secure != "false" {
				t.Errorf("cookies are Secure: %s", secure)
			}
			filter, err := yaml.Marshal(objects["EnvoyFilter/istio-system/istio-ingressgateway-credentials"])
			if err != nil {
				t.Fatal(err)
			}
			// Envoy refuses an operator that it does not know, and with it the whole listener.
			for operator, want := range map[string]bool{"%UPSTREAM_CLUSTER%": version == "v1.9.1", "%UPSTREAM_CLUSTER_RAW%": version != "v1.9.1"} {
				if strings.Contains(string(filter), operator) != want {
					t.Errorf("the filter for credentials has %s: %t", operator, !want)
				}
			}
			if outside := objects["NetworkPolicy/istio-system/istio-ingressgateway"]; (outside != nil) != strings.HasPrefix(version, "26") {
				t.Errorf("the policy for clients from outside is there: %t", outside != nil)
			}
		})
	}
}

func TestNothingIsAddedToACloneThatIsInstalledAsItIs(t *testing.T) {
	s := open(t, smallClone(t, "26.03.1"), Options{AsIs: true})
	objects, _ := rendered(t, s, components.Options{})
	for id := range objects {
		if strings.HasPrefix(id, "EnvoyFilter/") || id == "NetworkPolicy/istio-system/istio-ingressgateway" {
			t.Errorf("%s was added", id)
		}
	}
	routes, _, _ := unstructured.NestedSlice(objects["VirtualService/kubeflow/jupyter-web-app-jupyter-web-app"], "spec", "http")
	env := container(t, objects["Deployment/kubeflow/jupyter-web-app-deployment"])["env"].([]any)[0].(map[string]any)
	if len(routes) != 1 || env["value"] != "true" {
		t.Errorf("%d routes, cookies Secure: %v", len(routes), env["value"])
	}
	if got := objects["Secret/auth/dex-passwords"]["stringData"]; got == nil {
		t.Error("the shipped password is installed: only --keep-shipped-credentials does that")
	}
}

func TestOptionsOfExposeHoldForAClone(t *testing.T) {
	for _, version := range versions() {
		s := open(t, smallClone(t, version), Options{})
		objects, _ := rendered(t, s, components.Options{TLS: components.TLS{Secret: "mine", Hosts: []string{"jupyter.example.com"}}})
		servers, _, _ := unstructured.NestedSlice(objects["Gateway/kubeflow/kubeflow-gateway"], "spec", "servers")
		if len(servers) != 2 {
			t.Errorf("%s: the gateway has %d servers, want one for HTTPS too", version, len(servers))
		}
		if secure, _, _ := unstructured.NestedString(objects["ConfigMap/kubeflow/jupyter-web-app-parameters"], "data", "JWA_APP_SECURE_COOKIES"); secure != "true" {
			t.Errorf("%s: cookies are Secure: %s", version, secure)
		}
		if _, err := s.Render(t.Context(), []string{components.CertificateComponent, "metallb"}, components.Options{}); err != nil {
			t.Errorf("%s: %v", version, err)
		}
	}
}

func TestTheFirstUserIsTheClonesUnlessAnotherIsNamed(t *testing.T) {
	for _, version := range []string{"v1.10.1", "26.03.1"} {
		s := open(t, smallClone(t, version), Options{})
		if c := s.Release().Clone; c.UserEmail != "someone@example.com" || c.UserProfile != "team-one" {
			t.Errorf("%s: the first user is %s with Profile %s", version, c.UserEmail, c.UserProfile)
		}
		for email, profile := range map[string]string{"someone@example.com": "team-one", "ada@example.org": "kubeflow-ada-example-org"} {
			objects, byName := rendered(t, s, components.Options{UserEmail: email})
			owner, _, _ := unstructured.NestedString(objects["Profile//"+profile], "spec", "owner", "name")
			if owner != email {
				t.Errorf("%s: Profile %s has the owner %q, want %s", version, profile, owner, email)
			}
			config, _, _ := unstructured.NestedString(objects["ConfigMap/auth/dex"], "data", "config.yaml")
			if !strings.Contains(config, "email: "+email+"\n") {
				t.Errorf("%s: Dex does not know %s:\n%s", version, email, config)
			}
			if made := byName["user-profile"].Component.Produces[0].Namespace; made != profile {
				t.Errorf("%s: an account is awaited in %s, want %s", version, made, profile)
			}
		}
	}
}

func TestWhatAClientMustNotSendIsLeftOut(t *testing.T) {
	objects, _ := rendered(t, open(t, smallClone(t, "v1.10.1"), Options{}), components.Options{})
	for id, object := range objects {
		if object["status"] != nil {
			t.Errorf("%s has a status", id)
		}
		if strings.Contains(id, "WebhookConfiguration/") {
			w := object["webhooks"].([]any)[0].(map[string]any)
			if _, has := w["clientConfig"].(map[string]any)["caBundle"]; has {
				t.Errorf("%s would take away the caBundle", id)
			}
		}
	}
	if _, has := objects["ClusterRole//kubeflow-admin"]["rules"]; has {
		t.Error("the rules of an aggregated role are sent")
	}
	if _, has, _ := unstructured.NestedFieldNoCopy(objects["Deployment/istio-system/istiod"], "spec", "replicas"); has {
		t.Error("the replicas of what an autoscaler scales are sent")
	}
	if objects["ConfigMap/kubeflow/default-install-config"] == nil {
		t.Error("a ConfigMap without a namespace is not in kubeflow")
	}
	annotations, _, _ := unstructured.NestedStringMap(objects["ValidatingWebhookConfiguration//istio-validator-istio-system"], "metadata", "annotations")
	if annotations["kubectl-jupyter/create-only-fields"] == "" {
		t.Error("istiod could not take its webhook over")
	}
}

func TestImagesInConfigurationAreMirroredToo(t *testing.T) {
	s := open(t, smallClone(t, "26.03.1"), Options{})
	o := components.Options{Registry: "mirror.example.com"}
	objects, byName := rendered(t, s, o)
	values, _, _ := unstructured.NestedString(objects["ConfigMap/istio-system/istio-sidecar-injector"], "data", "values")
	if !strings.Contains(values, `"image": "mirror.example.com/istio/proxyv2:1.30.1"`) {
		t.Errorf("the sidecar's image is not the mirror's:\n%s", values)
	}
	var all []components.Rendered
	for _, r := range byName {
		all = append(all, r)
	}
	var refs []string
	for _, image := range components.Images(all, o) {
		refs = append(refs, image.Ref)
	}
	for _, want := range []string{"jetstack/cert-manager-acmesolver:v1.2.3", "istio/proxyv2:1.30.1", "torch:v2.0.1", "jupyter-web-app:v2.0.1"} {
		if !slices.Contains(refs, "mirror.example.com/"+want) {
			t.Errorf("%s is not among the images: %v", want, refs)
		}
	}
}

func TestAnotherOverlayHoldsAndObjectsStayWhereTheyBelong(t *testing.T) {
	dir := smallClone(t, "v1.11.0")
	overlay := "common/istio/istio-install/overlays/insecure"
	writeFile(t, filepath.Join(dir, overlay, "kustomization.yaml"), "resources: [../oauth2-proxy, more.yaml]\n")
	writeFile(t, filepath.Join(dir, overlay, "more.yaml"),
		strings.ReplaceAll(namespace("kubeflow")+namespace("extra")+namespace("team-one"), "from: its-own-component", "enforce: privileged"))
	s := open(t, dir, Options{Overlays: map[string]string{"istio": overlay}})
	objects, byName := rendered(t, s, components.Options{UserEmail: "someone@example.com"})
	labels, _, _ := unstructured.NestedStringMap(objects["Namespace//kubeflow"], "metadata", "labels")
	if labels["enforce"] != "privileged" || labels["from"] != "its-own-component" || labels[components.ComponentLabel] != "kubeflow-namespace" {
		t.Errorf("namespace kubeflow has the labels %v", labels)
	}
	if find(byName["istio"].Objects, "Namespace", "", "extra") == nil {
		t.Error("a namespace that only the overlay has is gone")
	}
	if objects["Namespace//team-one"] != nil {
		t.Error("the first user's namespace is created before the profile controller does")
	}
	if s.Release().Clone.Overlays["istio"] != overlay {
		t.Error("the overlay is not recorded")
	}
}

func copyOf(t *testing.T, s *components.Files) *components.Files {
	t.Helper()
	data, err := s.Copy()
	if err != nil {
		t.Fatal(err)
	}
	copied, err := components.FromCopy(data)
	if err != nil {
		t.Fatal(err)
	}
	return copied
}

func TestTheInventorysCopyIsTheReleaseWithoutSchemas(t *testing.T) {
	s := open(t, smallClone(t, "26.03.1"), Options{})
	copied := copyOf(t, s)
	o := components.Options{Outlines: true, UserEmail: "ada@example.org", Registry: "mirror.example.com"}
	want, byName := rendered(t, s, o)
	got, copiedByName := rendered(t, copied, o)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("objects (-clone, +copy):\n%s", d)
	}
	for name, r := range byName {
		if d := cmp.Diff(r.Component, copiedByName[name].Component); d != "" {
			t.Errorf("component %s (-clone, +copy):\n%s", name, d)
		}
	}
	a, b := *s.Release().Clone, *copied.Release().Clone
	a.Notes, a.Warnings = nil, nil
	if d := cmp.Diff(a, b); d != "" {
		t.Error(d)
	}
	again, err := copied.Copy()
	if err != nil {
		t.Fatal(err)
	}
	if first, _ := s.Copy(); !slices.Equal(first, again) {
		t.Error("the copy of a copy is another one: every command would record it anew")
	}
}

func TestADirectoryThatCannotBeInstalledIsRefused(t *testing.T) {
	with := func(version string, change func(dir string)) string {
		dir := smallClone(t, version)
		change(dir)
		return dir
	}
	remove := func(path string) func(string) {
		return func(dir string) {
			if err := os.RemoveAll(filepath.Join(dir, path)); err != nil {
				t.Fatal(err)
			}
		}
	}
	marked := func(path string) string {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, path), 0o755); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	file := filepath.Join(t.TempDir(), "file")
	writeFile(t, file, "")
	for _, test := range []struct {
		name, dir string
		o         Options
		want      []string
	}{
		{"a path that does not exist", filepath.Join(t.TempDir(), "none"), Options{}, []string{"no such file or directory"}},
		{"a file", file, Options{}, []string{"not a directory"}},
		{"no clone", t.TempDir(), Options{}, []string{"not a clone of kubeflow/manifests v1.9.1 to 26.03.1", "applications/notebooks-v1 (since 26.03.1)", "common/istio-1-24 (since v1.10.0)"}},
		{"a directory inside of a clone", filepath.Join(smallClone(t, "26.03.1"), "common"), Options{}, []string{"the directory above it is one"}},
		{"a version before the first", marked("common/oidc-client/oauth2-proxy"), Options{}, []string{"v1.9.0", "versions v1.9.1 to 26.03.1 can be installed"}},
		{"an even older version", marked("common/oidc-client/oidc-authservice"), Options{}, []string{"v1.8 or earlier"}},
		{"pieces that do not exist", with("26.03.1", remove("common/dex")), Options{}, []string{"layout of kubeflow/manifests 26.03.1", "common/dex/overlays/oauth2-proxy (component dex)", "--overlay COMPONENT=PATH"}},
		{"a piece that cannot be rendered", with("v1.10.1", remove("common/dex/overlays/oauth2-proxy/client.env")), Options{}, []string{"component dex", "kustomize build common/dex/overlays/oauth2-proxy", "client.env"}},
		{"an overlay of no component", smallClone(t, "v1.10.1"), Options{Overlays: map[string]string{"grafana": "x"}}, []string{`unknown component "grafana"`, "cert-manager, dex"}},
		{"an overlay that does not exist", smallClone(t, "v1.10.1"), Options{Overlays: map[string]string{"dex": "common/dex/overlays/github"}}, []string{"--overlay dex=common/dex/overlays/github", "does not exist"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Open(t.Context(), test.dir, test.o)
			if err == nil {
				t.Fatal("it was opened")
			}
			for _, w := range test.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("the error does not say %q:\n%v", w, err)
				}
			}
		})
	}
}

func TestAMovedPieceCanBeNamed(t *testing.T) {
	dir := smallClone(t, "26.03.1")
	if err := os.Rename(filepath.Join(dir, "common", "dex"), filepath.Join(dir, "common", "identity")); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir, Options{Overlays: map[string]string{"dex": "common/identity/overlays/oauth2-proxy"}})
	if c, err := s.Release().Component("dex"); err != nil || c.Version != "v2.3.2" {
		t.Errorf("%v, %v", c, err)
	}
}

func TestGitTellsTheVersionAndLocalChanges(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("no git here")
	}
	dir := smallClone(t, "26.03.1")
	for _, args := range [][]string{
		{"init", "-q"},
		{"add", "-A"},
		{"-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-q", "-m", "all"},
		{"tag", "26.10"},
		{"tag", "mine"},
	} {
		if out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	c := open(t, dir, Options{}).Release().Clone
	if c.Version != "26.10" || len(c.Commit) != 40 || c.Changed {
		t.Errorf("version %s, commit %s, changed %t", c.Version, c.Commit, c.Changed)
	}
	writeFile(t, filepath.Join(dir, "README.md"), "not part of it")
	if open(t, dir, Options{}).Release().Clone.Changed {
		t.Error("a file outside of the pieces is taken for a local change")
	}
	writeFile(t, filepath.Join(dir, "common", "dex", "overlays", "oauth2-proxy", "client.env"), "OIDC_CLIENT_ID=other\n")
	c = open(t, dir, Options{}).Release().Clone
	if said := strings.Join(c.Warnings, "\n"); !c.Changed || !strings.Contains(said, "local changes, which are installed: common/dex/overlays/oauth2-proxy/client.env") {
		t.Errorf("changed %t; the warnings are:\n%s", c.Changed, said)
	}
}

func TestTheCNIPluginIsPutWhereTheNodesLookForItUnlessTheCloneSaysWhere(t *testing.T) {
	agent := "  volumes: [{name: bin, hostPath: {path: %BIN%}}, {name: conf, hostPath: {path: /etc/cni/net.d}}]\n"
	for bin, want := range map[string]string{"/opt/cni/bin": "/var/lib/k3s/bin", "/home/kubernetes/bin": "/home/kubernetes/bin"} {
		dir := smallClone(t, "26.03.1")
		file := filepath.Join(dir, "common", "istio", "istio-install", "overlays", "oauth2-proxy", "all.yaml")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, file, strings.TrimRight(string(text), "\n ")+"\n    "+strings.Replace(agent, "%BIN%", bin, 1))
		s := open(t, dir, Options{})
		if s.Release().UsesCNI() != (bin == "/opt/cni/bin") {
			t.Errorf("%s: the directory can be chosen: %t", bin, s.Release().UsesCNI())
		}
		objects, _ := rendered(t, s, components.Options{CNI: components.CNI{BinDir: "/var/lib/k3s/bin"}})
		volumes, _, err := unstructured.NestedSlice(objects["DaemonSet/kube-system/istio-cni-node"], "spec", "template", "spec", "volumes")
		if err != nil || len(volumes) != 2 {
			t.Fatalf("volumes %v (%v)", volumes, err)
		}
		if got := volumes[0].(map[string]any)["hostPath"].(map[string]any)["path"]; got != want {
			t.Errorf("programs are put into %v, want %s", got, want)
		}
	}
}

func TestTheInjectorsValuesMayBeYAML(t *testing.T) {
	dir := smallClone(t, "v1.10.1")
	file := filepath.Join(dir, "common", "istio-1-24", "istio-install", "overlays", "oauth2-proxy", "all.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	values := `{"global": {"hub": "example.org/istio", "tag": "1.24.1", "proxy": {"image": "proxyv2"}, "proxy_init": {"image": "proxyv2"}}}`
	changed := strings.Replace(string(text), values, "global:\n      hub: example.org/istio\n      tag: 1.24.1\n      proxy: {image: proxyv2}\n", 1)
	if changed == string(text) {
		t.Fatal("the small clone has no such values")
	}
	writeFile(t, file, changed)
	objects, _ := rendered(t, open(t, dir, Options{}), components.Options{})
	got, _, _ := unstructured.NestedString(objects["ConfigMap/istio-system/istio-sidecar-injector"], "data", "values")
	if !strings.Contains(got, `"image": "example.org/istio/proxyv2:1.24.1"`) {
		t.Errorf("the values are:\n%s", got)
	}
}

func TestAnInterruptedCommandDoesNotGoOnToReadAClone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if s, err := Open(ctx, smallClone(t, "26.03.1"), Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("opened %v, error %v, want %v", s, err, context.Canceled)
	}
}

func TestAProxyWithoutTheFilterForHeadersGetsNoneForCredentials(t *testing.T) {
	dir := smallClone(t, "v1.9.1")
	replaceInClone(t, dir, "istio/pilot:1.22.1", "istio/pilot:1.19.0")
	s := open(t, dir, Options{})
	if objects, _ := rendered(t, s, components.Options{}); objects["EnvoyFilter/istio-system/istio-ingressgateway-credentials"] != nil {
		t.Error("there is a filter")
	}
	if said := strings.Join(s.Release().Clone.Warnings, "\n"); !strings.Contains(said, "the filter against it needs Istio 1.20") {
		t.Errorf("the warnings are:\n%s", said)
	}
}

// replaceInClone changes a text in the files of a clone.
func replaceInClone(t *testing.T, dir, before, after string) {
	t.Helper()
	changed := 0
	if err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(text), before) {
			changed++
			writeFile(t, path, strings.ReplaceAll(string(text), before, after))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if changed == 0 {
		t.Fatalf("the clone has no %s", before)
	}
}
