package clones

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// A small clone has of each component what is looked at, in the directories of a layout. Its
// credentials, names and versions are made up.

// smallFiles of a component's last piece; @@NAME@@ differs between layouts.
var smallFiles = map[string]map[string]string{
	"cert-manager": {
		"kustomization.yaml": "resources: [all.yaml]\n",
		"all.yaml": namespace("cert-manager") +
			deployment("cert-manager", "cert-manager", "quay.io/jetstack/cert-manager-controller:v1.2.3", "args: [--acme-http01-solver-image=quay.io/jetstack/cert-manager-acmesolver:v1.2.3]") +
			deployment("cert-manager", "cert-manager-webhook", "quay.io/jetstack/cert-manager-webhook:v1.2.3", "") +
			webhooks("MutatingWebhookConfiguration", "cert-manager-webhook") + webhooks("ValidatingWebhookConfiguration", "cert-manager-webhook"),
	},
	"kubeflow-issuer": {
		"kustomization.yaml": "resources: [issuer.yaml]\n",
		"issuer.yaml":        "apiVersion: cert-manager.io/v1\nkind: ClusterIssuer\nmetadata: {name: kubeflow-self-signing-issuer}\nspec: {selfSigned: {}}\n",
	},
	"istio-crds": {
		"kustomization.yaml": "resources: [crds.yaml]\n",
		"crds.yaml": definition("networking.istio.io", "VirtualService", "virtualservices", "Namespaced") +
			definition("networking.istio.io", "Gateway", "gateways", "Namespaced"),
	},
	"kubeflow-namespace": {
		"kustomization.yaml": "resources: [namespace.yaml]\n",
		"namespace.yaml":     namespace("kubeflow"),
	},
	"istio": {
		"kustomization.yaml": "resources: [all.yaml]\n",
		"all.yaml": deployment("istio-system", "istiod", "example.org/istio/pilot:1.@@ISTIO@@.1", "") +
			deployment("istio-system", "istio-ingressgateway", "example.org/istio/proxyv2:1.@@ISTIO@@.1", "") +
			webhooks("MutatingWebhookConfiguration", "istio-sidecar-injector") +
			webhooks("ValidatingWebhookConfiguration", "istio-validator-istio-system") + `
---
apiVersion: v1
kind: ConfigMap
metadata: {name: istio-sidecar-injector, namespace: istio-system}
data:
  values: |
    {"global": {"hub": "example.org/istio", "tag": "1.@@ISTIO@@.1", "proxy": {"image": "proxyv2"}, "proxy_init": {"image": "proxyv2"}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: istiod, namespace: istio-system}
spec: {maxReplicas: 5, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: istiod}}
@@POLICIES@@@@CNI@@`,
	},
	"kubeflow-roles": {
		"kustomization.yaml": "resources: [roles.yaml]\n",
		"roles.yaml":         "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: kubeflow-admin}\naggregationRule: {clusterRoleSelectors: [{matchLabels: {a: b}}]}\nrules: []\n",
	},
	"kubeflow-gateway": {
		"kustomization.yaml": "resources: [gateway.yaml]\n",
		"gateway.yaml":       "apiVersion: networking.istio.io/v1alpha3\nkind: Gateway\nmetadata: {name: kubeflow-gateway, namespace: kubeflow}\nspec: {servers: [{hosts: ['*'], port: {name: http, number: 80, protocol: HTTP}}]}\n",
	},
	"poddefaults": {
		"kustomization.yaml": "resources: [all.yaml]\n",
		"all.yaml": deployment("kubeflow", "@@PODDEFAULTS@@-deployment", "example.org/webhook:v2.0.1", "") +
			webhooks("MutatingWebhookConfiguration", "@@PODDEFAULTS@@-mutating-webhook-configuration"),
	},
	"dex": {
		"kustomization.yaml": "resources: [all.yaml]\nsecretGenerator:\n- name: dex-oidc-client\n  namespace: auth\n  envs: [client.env]\ngeneratorOptions: {disableNameSuffixHash: true}\n",
		"client.env":         "OIDC_CLIENT_ID=a-client\nOIDC_CLIENT_SECRET=shipped-client-secret\n",
		"all.yaml": namespace("auth") + deployment("auth", "dex", "ghcr.io/dexidp/dex:v2.3.2", "") + `
---
apiVersion: v1
kind: Secret
metadata: {name: dex-passwords, namespace: auth}
stringData: {DEX_USER_PASSWORD: shipped-hash}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: dex, namespace: auth}
data:
  config.yaml: |
    enablePasswordDB: true
    staticPasswords:
    - email: someone@example.com
      hashFromEnv: DEX_USER_PASSWORD
`,
	},
	"oauth2-proxy": {
		"kustomization.yaml": `namespace: oauth2-proxy
resources: [all.yaml]
secretGenerator:
- name: oauth2-proxy
  literals: [client-id=a-client, client-secret=shipped-client-secret, cookie-secret=shipped-cookie-key]
configMapGenerator:
- name: oauth2-proxy-parameters
  literals: [FORCE_HTTPS=false]
`,
		"all.yaml": namespace("oauth2-proxy") + deployment("oauth2-proxy", "oauth2-proxy", "quay.io/oauth2-proxy/oauth2-proxy:v7.1.2",
			"envFrom: [{secretRef: {name: oauth2-proxy}}, {configMapRef: {name: oauth2-proxy-parameters}}]"),
	},
	"notebook-controller": {
		"kustomization.yaml": "resources: [all.yaml]\n",
		"all.yaml":           deployment("kubeflow", "notebook-controller-deployment", "example.org/notebook-controller:v2.0.1", ""),
	},
	"jupyter-web-app": {
		"kustomization.yaml": "namespace: kubeflow\nresources: [all.yaml]\nconfigMapGenerator:\n- name: jupyter-web-app-parameters\n  literals: [JWA_APP_SECURE_COOKIES=true]\n",
		"all.yaml": deployment("kubeflow", "jupyter-web-app-deployment", "example.org/jupyter-web-app:v2.0.1", "env: [{name: APP_SECURE_COOKIES, value: \"true\"}]") + `
---
apiVersion: networking.istio.io/v1alpha3
kind: VirtualService
metadata: {name: jupyter-web-app-jupyter-web-app, namespace: kubeflow}
spec: {http: [{match: [{uri: {prefix: /jupyter/}}]}]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: jupyter-web-app-cluster-role}
rules: [{apiGroups: [kubeflow.org], resources: [notebooks], verbs: [list]}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: jupyter-web-app-config, namespace: kubeflow}
data:
  spawner_ui_config.yaml: |
    spawnerFormDefaults:
      image: {value: "example.org/jupyter:v2.0.1", options: ["example.org/jupyter:v2.0.1", "example.org/torch:v2.0.1"]}
`,
	},
	"profiles": {
		"kustomization.yaml": "resources: [all.yaml]\n",
		"all.yaml": definition("kubeflow.org", "Profile", "profiles", "Cluster") +
			deployment("kubeflow", "profiles-deployment", "example.org/profile-controller:v2.0.1", "") + `---
apiVersion: security.istio.io/v1beta1
kind: AuthorizationPolicy
metadata: {name: profiles-kfam, namespace: kubeflow}
spec:
  selector: {matchLabels: {from: the-clone}}
  rules:
  - from: [{source: {principals: [cluster.local/ns/kubeflow/sa/centraldashboard]}}]
`,
	},
	"user-profile": {
		"kustomization.yaml": "resources: [profile.yaml]\n@@USER@@",
		"profile.yaml":       "apiVersion: kubeflow.org/v1beta1\nkind: Profile\nmetadata: {name: @@PROFILE@@}\nspec: {owner: {kind: User, name: @@OWNER@@}}\n",
	},
}

// before is what a small clone has of a component's pieces before the last one.
var before = map[string]map[string]string{
	"istio": {"kustomization.yaml": "resources: [namespace.yaml]\n", "namespace.yaml": namespace("istio-system")},
}

func namespace(name string) string {
	return "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: " + name + ", labels: {from: its-own-component}}\n"
}

func deployment(namespace, name, image, more string) string {
	return "\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: " + name + ", namespace: " + namespace + "}\nspec:\n  replicas: 1\n" +
		"  selector: {matchLabels: {app: " + name + "}}\n  template:\n    metadata: {labels: {app: " + name + "}}\n    spec:\n      containers:\n      - name: main\n        image: " + image + "\n        " + more + "\n"
}

func webhooks(kind, name string) string {
	return "\n---\napiVersion: admissionregistration.k8s.io/v1\nkind: " + kind + "\nmetadata: {name: " + name + "}\nwebhooks: [{name: a.example.org, clientConfig: {caBundle: \"\"}}]\n"
}

func definition(group, kind, plural, scope string) string {
	return "\n---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: " + plural + "." + group + ", creationTimestamp: null}\n" +
		"spec: {group: " + group + ", scope: " + scope + ", names: {kind: " + kind + ", plural: " + plural + "}, versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]}\nstatus: {conditions: []}\n"
}

// smallClone writes a clone of a version's layout.
func smallClone(t *testing.T, version string) string {
	t.Helper()
	i := slices.IndexFunc(layouts, func(l layout) bool { return l.version == version })
	if i < 0 {
		t.Fatalf("no layout of %s", version)
	}
	l := layouts[i]
	values := []string{"@@PODDEFAULTS@@", "admission-webhook", "@@POLICIES@@", "", "@@CNI@@", "", "@@ISTIO@@", "24"}
	agent := strings.Replace(deployment("kube-system", "istio-cni-node", "example.org/istio/install-cni:1.28.1", ""), "Deployment", "DaemonSet", 1)
	switch version {
	case "v1.9.1":
		values[7] = "22"
	case "v1.10.2":
		values[5], values[7] = agent, "26"
	case "v1.11.0":
		values[5], values[7] = agent, "28"
	case "26.03", "26.03.1":
		values[7] = map[string]string{"26.03": "28", "26.03.1": "30"}[version]
		values[3] = "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: default, namespace: istio-system}\nspec: {podSelector: {}}\n"
		values[5] = agent
	}
	if version == "26.03.1" {
		values[1] = "poddefaults-webhook"
	}
	if strings.HasPrefix(version, "v") {
		values = append(values, "@@PROFILE@@", "$(profile-name)", "@@OWNER@@", "$(user)",
			"@@USER@@", "configMapGenerator:\n- name: default-install-config\n  literals: [user=someone@example.com, profile-name=team-one]\n")
	} else {
		values = append(values, "@@PROFILE@@", "team-one", "@@OWNER@@", "someone@example.com", "@@USER@@", "")
	}
	fill := strings.NewReplacer(values...)
	dir := t.TempDir()
	write := func(path string, files map[string]string) {
		for name, text := range files {
			writeFile(t, filepath.Join(dir, filepath.FromSlash(path), name), fill.Replace(text))
		}
	}
	for name, paths := range l.pieces {
		if len(paths) > 1 {
			write(paths[0], before[name])
		}
		write(paths[len(paths)-1], smallFiles[name])
	}
	if version == "26.03" {
		// The issuer's overlay has cert-manager in it, which is in its own directory too.
		write("common/cert-manager/overlays/kubeflow", map[string]string{"kustomization.yaml": "resources: [issuer.yaml, ../../base]\n"})
	}
	if err := os.MkdirAll(filepath.Join(dir, filepath.FromSlash(l.marker)), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func writeFile(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// open opens a clone that has to be one.
func open(t *testing.T, dir string, o Options) *components.Files {
	t.Helper()
	s, err := Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// rendered are the objects of all components but those on demand, by KIND/NAMESPACE/NAME,
// and the components by name.
func rendered(t *testing.T, s components.Source, o components.Options) (map[string]map[string]any, map[string]components.Rendered) {
	t.Helper()
	var names []string
	for _, c := range s.Release().Components {
		if !c.OnDemand {
			names = append(names, c.Name)
		}
	}
	all, err := s.Render(t.Context(), names, o)
	if err != nil {
		t.Fatal(err)
	}
	objects, byName := map[string]map[string]any{}, map[string]components.Rendered{}
	for _, r := range all {
		byName[r.Component.Name] = r
		for _, u := range r.Objects {
			id := u.GetKind() + "/" + u.GetNamespace() + "/" + u.GetName()
			if objects[id] != nil {
				t.Errorf("%s is there twice", id)
			}
			objects[id] = u.Object
		}
	}
	return objects, byName
}

// versions of all layouts.
func versions() []string {
	var out []string
	for _, l := range layouts {
		out = append(out, l.version)
	}
	return out
}

func TestASmallCloneHasEveryComponentOfEveryLayout(t *testing.T) {
	want := slices.Sorted(maps.Keys(smallFiles))
	for _, l := range layouts {
		if got := slices.Sorted(maps.Keys(l.pieces)); !slices.Equal(got, want) {
			t.Errorf("layout %s has the components %v, the small clones have %v", l.version, got, want)
		}
	}
}
