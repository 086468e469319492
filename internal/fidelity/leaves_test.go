package fidelity

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	objects, err := decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(objects) != 1 {
		t.Fatalf("want one object, got %d", len(objects))
	}
	return objects[0]
}

func TestTwoFormsOfOneMeaningHaveTheSameLeaves(t *testing.T) {
	const deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, namespace: b}\n"
	const container = "spec:\n  template:\n    spec:\n      containers:\n      - name: c\n        image: r/i:1\n"
	for _, test := range []struct{ name, one, other string }{
		{
			"a Secret's data and stringData",
			"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {k: dg==}",
			"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {k: v}",
		},
		{
			"a JSON file and the same file as YAML",
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {f: '{\"x\": [1, 2], \"z\": true}'}",
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  f: |\n    # prose\n    z: true\n    x:\n    - 1\n    - 2\n",
		},
		{
			"settings in another order, with comments",
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {p.cfg: \"a = 1\\nb=2\\n\"}",
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {p.cfg: \"# why\\nb = 2\\n\\na=1\"}",
		},
		{
			"a list of a settings file on one line and on several",
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {p.cfg: \"l = [ \\\"a\\\", \\\"b\\\" ]\\nk=1\"}",
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  p.cfg: |\n    k=1\n    l = [\n      \"a\",\n      # why\n      \"b\",\n    ]\n",
		},
		{
			"rules split in another way",
			"apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: a}\nrules: [{apiGroups: [''], resources: [pods, services], verbs: [get, list]}]",
			"apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: a}\nrules: [{apiGroups: [''], resources: [services], verbs: [list, get]}, {apiGroups: [''], resources: [pods], verbs: [get, list]}]",
		},
		{
			"a binding with and without the groups it implies",
			"apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: a}\nroleRef: {kind: Role, name: r, apiGroup: rbac.authorization.k8s.io}\nsubjects: [{kind: User, name: u, apiGroup: rbac.authorization.k8s.io}]",
			"apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: a}\nroleRef: {kind: Role, name: r}\nsubjects: [{kind: User, name: u}]",
		},
		{
			"an account of the binding's own namespace, named or not",
			"apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: a, namespace: b}\nroleRef: {kind: Role, name: r}\nsubjects: [{kind: ServiceAccount, name: s}]",
			"apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: a, namespace: b}\nroleRef: {kind: Role, name: r}\nsubjects: [{kind: ServiceAccount, name: s, namespace: b}]",
		},
		{
			"environment variables in another order",
			deployment + container + "        env: [{name: A, value: '1'}, {name: B, value: '2'}]",
			deployment + container + "        env: [{name: B, value: '2'}, {name: A, value: '1'}]",
		},
		{
			"arguments in another order, joined or not",
			deployment + container + "        args: [--a=1, --b, '2', -v]",
			deployment + container + "        args: [-v, --b=2, --a, '1']",
		},
		{
			"quantities",
			deployment + container + "        resources: {requests: {cpu: '0.5', memory: 1Gi}}",
			deployment + container + "        resources: {requests: {cpu: 500m, memory: 1024Mi}}",
		},
		{
			"what the server fills in",
			deployment + "spec:\n  replicas: 1\n  template:\n    spec:\n      restartPolicy: Always\n      dnsPolicy: ClusterFirst\n      serviceAccount: s\n      containers:\n      - name: c\n        image: r/i:1\n        imagePullPolicy: IfNotPresent\n        ports: [{containerPort: 80, protocol: TCP}]\n        livenessProbe: {httpGet: {path: /, port: 80, scheme: HTTP}, periodSeconds: 10}\n",
			deployment + "spec:\n  template:\n    spec:\n      serviceAccountName: s\n      containers:\n      - name: c\n        image: r/i:1\n        ports: [{containerPort: 80}]\n        livenessProbe: {httpGet: {path: /, port: 80}}\n",
		},
		{
			"a Service's defaults",
			"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {type: ClusterIP, ports: [{port: 80, targetPort: 80, protocol: TCP}]}",
			"apiVersion: v1\nkind: Service\nmetadata: {name: a, creationTimestamp: null}\nspec: {ports: [{port: 80}]}\nstatus: {loadBalancer: {}}",
		},
		{
			"a schema with and without prose",
			"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a}\nspec: {names: {kind: Thing}, versions: [{name: v1, schema: {openAPIV3Schema: {type: object, properties: {description: {type: string}}}}}]}",
			"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a}\nspec: {names: {kind: Thing, listKind: ThingList, singular: thing}, versions: [{name: v1, schema: {openAPIV3Schema: {type: object, description: prose, properties: {description: {type: string, description: prose}}}}}]}",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			one, err := LeavesOf(object(t, test.one))
			if err != nil {
				t.Fatal(err)
			}
			other, err := LeavesOf(object(t, test.other))
			if err != nil {
				t.Fatal(err)
			}
			if len(one) < 2 {
				t.Errorf("nothing is left to compare: %v", one)
			}
			if difference := cmp.Diff(one, other); difference != "" {
				t.Error(difference)
			}
		})
	}
}

func TestAnotherMeaningHasOtherLeaves(t *testing.T) {
	const base = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: a, namespace: b}
spec:
  replicas: 2
  selector: {matchLabels: {app: a}}
  template:
    metadata: {labels: {app: a}}
    spec:
      containers:
      - name: c
        image: r/i:1
        command: [run, fast]
        args: [--a=1]
        env: [{name: A, value: "1"}]
        ports: [{containerPort: 80}]
        readinessProbe: {httpGet: {path: /ready, port: 80}}
`
	for _, test := range []struct {
		name, path string
		change     func(map[string]any)
	}{
		{"another number of replicas", ".spec.replicas", func(o map[string]any) { at(o, "spec")["replicas"] = int64(3) }},
		{"another selector", ".spec.selector.matchLabels.app", func(o map[string]any) { at(o, "spec", "selector", "matchLabels")["app"] = "x" }},
		{"another image", ".spec.template.spec.containers[c].image", func(o map[string]any) { first(o)["image"] = "r/i:2" }},
		{"the words of a command in another order", ".spec.template.spec.containers[c].command[0]", func(o map[string]any) { first(o)["command"] = []any{"fast", "run"} }},
		{"another value of a flag", ".spec.template.spec.containers[c].args[--a]", func(o map[string]any) { first(o)["args"] = []any{"--a=2"} }},
		{"another value of a variable", ".spec.template.spec.containers[c].env[A].value", func(o map[string]any) {
			first(o)["env"] = []any{map[string]any{"name": "A", "value": "2"}}
		}},
		{"another port", ".spec.template.spec.containers[c].ports[81].containerPort", func(o map[string]any) {
			first(o)["ports"] = []any{map[string]any{"containerPort": int64(81)}}
		}},
		{"no probe", ".spec.template.spec.containers[c].readinessProbe.httpGet.path", func(o map[string]any) { delete(first(o), "readinessProbe") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			facts, err := FactsOf("test", []*unstructured.Unstructured{object(t, base)})
			if err != nil {
				t.Fatal(err)
			}
			changed := object(t, base)
			test.change(changed.Object)
			differences, err := Compare(facts, []*unstructured.Unstructured{changed}, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range differences {
				if d.Path == test.path {
					return
				}
			}
			t.Errorf("no difference at %s: %v", test.path, differences)
		})
	}
}

func TestTheSchemaOfADefinitionIsOneLeafPerVersion(t *testing.T) {
	const crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a}\nspec: {versions: [{name: v1, schema: {openAPIV3Schema: {type: object, properties: {a: {type: %TYPE%}}}}}]}"
	one, err := LeavesOf(object(t, strings.Replace(crd, "%TYPE%", "string", 1)))
	if err != nil {
		t.Fatal(err)
	}
	other, err := LeavesOf(object(t, strings.Replace(crd, "%TYPE%", "integer", 1)))
	if err != nil {
		t.Fatal(err)
	}
	const path = ".spec.versions[v1].schema"
	if one[path] == "" || one[path] == other[path] {
		t.Errorf("the type of a field does not show at %s: %q, %q", path, one[path], other[path])
	}
}

// at finds a map inside an object.
func at(o map[string]any, path ...string) map[string]any {
	for _, key := range path {
		o = o[key].(map[string]any)
	}
	return o
}

// first is the first container of a Deployment.
func first(o map[string]any) map[string]any {
	return at(o, "spec", "template", "spec")["containers"].([]any)[0].(map[string]any)
}
