package rollout

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	dynamicfake "k8s.io/client-go/dynamic/fake"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

func TestAnObjectIsReplacedOnlyForAFieldThatCannotChange(t *testing.T) {
	invalid := func(messages ...string) error {
		var list field.ErrorList
		for _, m := range messages {
			list = append(list, field.Invalid(field.NewPath("spec"), "x", m))
		}
		return apierrors.NewInvalid(schema.GroupKind{Group: "apps", Kind: "Deployment"}, "server", list)
	}
	upgrade := &Plan{From: &components.Release{}}
	for _, test := range []struct {
		name string
		plan *Plan
		kind string
		err  error
		want bool
	}{
		{"a selector", upgrade, "Deployment", invalid("field is immutable"), true},
		{"the role of a binding", upgrade, "RoleBinding", invalid("cannot change roleRef"), true},
		{"a mistake", upgrade, "Deployment", invalid("must be a number"), false},
		{"a selector and a mistake", upgrade, "Deployment", invalid("field is immutable", "must be a number"), false},
		{"an object whose deletion takes others along", upgrade, "Namespace", invalid("field is immutable"), false},
		{"a person's data", upgrade, "Profile", invalid("field is immutable"), false},
		{"no upgrade", &Plan{}, "Deployment", invalid("field is immutable"), false},
		{"another refusal", upgrade, "Deployment", errors.New("field is immutable"), false},
		{"no refusal", upgrade, "Deployment", nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			change := &Change{Ref: report.Ref{Kind: test.kind}, Action: report.Configured, Live: &unstructured.Unstructured{}}
			if got := change.replaces(test.plan, test.err); got != test.want || (change.Action == report.Replaced) != test.want {
				t.Errorf("replaced: %v, action %s, want %v", got, change.Action, test.want)
			}
		})
	}
}

// succession is a plan in which release 99.1 of the made-up components becomes 99.2, as far
// as the engine sees it: objects, and what is in the cluster.
func succession(t *testing.T, live map[string]string, objects ...string) (*run, *node) {
	t.Helper()
	c := &components.Component{Name: "server", Gates: []components.Gate{{
		Condition: components.Injection, Workload: "s/hook", Agent: "s/agent",
		Webhooks: []components.WebhookRef{{Kind: "MutatingWebhookConfiguration", Name: "new"}},
		Handled:  "object.done",
	}}}
	plan := &Plan{
		Release: &components.Release{Name: "99.2", Components: []components.Component{*c}},
		From:    &components.Release{Name: "99.1", Components: []components.Component{*c}},
	}
	survey := &Survey{changes: map[key]*Change{}}
	rendered := components.Rendered{Component: c}
	for _, text := range objects {
		u := object(t, text)
		change := &Change{Ref: keyOf(u).ref(), Action: report.Created}
		if before, ok := live[u.GetKind()+" "+u.GetName()]; ok {
			change.Action, change.Live = report.Configured, object(t, before)
		}
		survey.changes[keyOf(u)] = change
		survey.order = append(survey.order, keyOf(u))
		rendered.Objects = append(rendered.Objects, u)
	}
	plan.Rendered = []components.Rendered{rendered}
	course := survey.course(plan)
	r := &run{Engine: &Engine{events: newEmitter(nil)}, plan: plan, survey: survey, late: course.late, graph: newGraph(plan, course), readyFacts: map[key]*fact{}}
	for _, u := range rendered.Objects {
		r.readyFacts[keyOf(u)] = newFact()
	}
	return r, r.graph.nodes[0]
}

const (
	hookDeployment = `{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: s, name: hook}, spec: {template: {spec: {volumes: [{name: c, configMap: {name: hook-config}}]}}}}`
	agentDaemonSet = `{apiVersion: apps/v1, kind: DaemonSet, metadata: {namespace: s, name: agent}}`
	gateDeployment = `{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: s, name: door}, spec: {template: {metadata: {labels: {app: door, release: new}}}}}`
	hookConfig     = `{apiVersion: v1, kind: ConfigMap, metadata: {namespace: s, name: hook-config}}`
	agentConfig    = `{apiVersion: v1, kind: ConfigMap, metadata: {namespace: s, name: agent-config}}`
	doorService    = `{apiVersion: v1, kind: Service, metadata: {namespace: s, name: door}, spec: {selector: {app: door, release: new}}}`
	oldDoor        = `{apiVersion: v1, kind: Service, metadata: {namespace: s, name: door}, spec: {selector: {app: door}}}`
	newWebhook     = `{apiVersion: admissionregistration.k8s.io/v1, kind: MutatingWebhookConfiguration, metadata: {name: new}, webhooks: [{name: a.example.com, matchConditions: [{name: own, expression: "true"}]}]}`
)

func TestInAnUpgradeNothingStopsServingBeforeItsSuccessorIsReady(t *testing.T) {
	all := []string{hookDeployment, agentDaemonSet, gateDeployment, hookConfig, agentConfig, doorService, newWebhook}
	for _, test := range []struct {
		name string
		live map[string]string
		kind string
		// object that waits, and for what beside what it waits for in an installation
		object string
		want   []string
	}{
		{"the nodes are prepared before the webhook's program changes", nil, "Deployment", "hook", []string{"DaemonSet s/agent"}},
		{"and before its configuration, which the program before reads too", nil, "ConfigMap", "hook-config", []string{"DaemonSet s/agent"}},
		{"what prepares them waits only for its own configuration", nil, "DaemonSet", "agent", []string{"ConfigMap s/agent-config", "Service s/door"}},
		{"a component's other programs follow its webhook", nil, "Deployment", "door", []string{"Deployment s/hook"}},
		{"a Service moves to pods that are ready", map[string]string{"Service door": oldDoor}, "Service", "door", []string{"Deployment s/door"}},
		{"a Service that stays where it is waits for nothing", map[string]string{"Service door": doorService}, "Service", "door", nil},
		{"a Service that is new waits for nothing", nil, "Service", "door", nil},
		{"a new webhook configuration waits for who answers", nil, "MutatingWebhookConfiguration", "new", []string{"Service s/door", "Deployment s/hook"}},
		{"one that is there already does not", map[string]string{"MutatingWebhookConfiguration new": newWebhook}, "MutatingWebhookConfiguration", "new", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, n := succession(t, test.live, all...)
			for _, u := range n.Objects {
				if u.GetKind() != test.kind || u.GetName() != test.object {
					continue
				}
				var got []string
				for _, p := range r.follows(n, u) {
					got = append(got, p.say)
				}
				if d := cmp.Diff(test.want, got); d != "" {
					t.Errorf("%s waits (-want +got):\n%s", keyOf(u).ref(), d)
				}
				for _, p := range r.withoutHeld(n, u, r.graph.prerequisites(n, u)) {
					if p.fact == n.foundations.fact && u.GetName() == "agent" {
						t.Error("the agent waits for configuration that waits for the agent")
					}
				}
				if u.GetKind() == "Service" && n.foundation(u) && len(got) > 0 {
					t.Error("its pods wait for the Service that waits for them")
				}
				r.plan.From = nil
				if more := r.follows(n, u); len(more) > 0 {
					t.Errorf("an installation waits too: %v", more)
				}
				return
			}
			t.Fatalf("no %s %s", test.kind, test.object)
		})
	}
}

func TestWhatRestrictsComesLast(t *testing.T) {
	namespace := func(level string) string {
		return fmt.Sprintf(`{apiVersion: v1, kind: Namespace, metadata: {name: s, labels: {new: label, pod-security.kubernetes.io/enforce: %q}}}`, level)
	}
	const forOne = `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: s, name: one}, spec: {podSelector: {matchLabels: {a: b}}}}`
	const forAll = `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: s, name: all}, spec: {podSelector: {}}}`
	for _, test := range []struct {
		name    string
		live    map[string]string
		objects []string
		want    map[string]int
	}{
		{"policies for single pods before those for all, and both last", nil, []string{forAll, forOne, hookDeployment}, map[string]int{"one": 1, "all": 2}},
		{"a policy that is there already in its turn", map[string]string{"NetworkPolicy one": forOne}, []string{forOne}, map[string]int{}},
		{"a stricter level at the very end", map[string]string{"Namespace s": namespace("privileged")}, []string{namespace("restricted")}, map[string]int{"s": 3}},
		{"a level where there was none too", map[string]string{"Namespace s": `{apiVersion: v1, kind: Namespace, metadata: {name: s}}`}, []string{namespace("baseline")}, map[string]int{"s": 3}},
		{"a looser level in its turn", map[string]string{"Namespace s": namespace("restricted")}, []string{namespace("baseline")}, map[string]int{}},
		{"a namespace that is new in its turn", nil, []string{namespace("restricted")}, map[string]int{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, n := succession(t, test.live, test.objects...)
			got := map[string]int{}
			for k, wave := range r.late {
				got[k.name] = wave
			}
			if d := cmp.Diff(test.want, got); d != "" {
				t.Errorf("late (-want +got):\n%s", d)
			}
			counted := 0
			for _, u := range n.Objects {
				if u.GetKind() == "Namespace" || r.late[keyOf(u)] == 0 {
					counted++
				}
			}
			if n.accepted.left != counted {
				t.Errorf("the component is accepted after %d objects, want %d: nothing may wait for what is late", n.accepted.left, counted)
			}
		})
	}
	t.Run("a namespace keeps its level until then", func(t *testing.T) {
		got := stillLoose(object(t, namespace("restricted")), object(t, namespace("privileged"))).GetLabels()
		if d := cmp.Diff(map[string]string{"new": "label", enforceLabel: "privileged"}, got); d != "" {
			t.Errorf("labels (-want +got):\n%s", d)
		}
	})
}

func TestAWebhookConfigurationThatTakesOverLeavesToTheOldOneWhatThatHandles(t *testing.T) {
	r, n := succession(t, nil, newWebhook)
	u := n.Objects[0]
	for handled, want := range map[string]string{"object.done": "!(object.done)", "": "false"} {
		n.Component.Gates[0].Handled = handled
		out, err := r.taking(n, u)
		if err != nil {
			t.Fatal(err)
		}
		webhooks, _, _ := unstructured.NestedSlice(out.Object, "webhooks")
		conditions, _ := webhooks[0].(map[string]any)["matchConditions"].([]any)
		if d := cmp.Diff([]any{map[string]any{"name": "own", "expression": "true"}, map[string]any{"name": "upgrade", "expression": want}}, conditions); d != "" {
			t.Errorf("handled %q (-want +got):\n%s", handled, d)
		}
	}
	if again, _, _ := unstructured.NestedSlice(u.Object, "webhooks"); len(again[0].(map[string]any)["matchConditions"].([]any)) != 1 {
		t.Error("what is sent afterwards has the condition too")
	}
}

func TestTheConditionsOfEveryReleaseAreAboutTheObject(t *testing.T) {
	for _, release := range components.Releases() {
		for _, c := range release.Components {
			for _, g := range c.Gates {
				if g.Handled != "" && !strings.Contains(g.Handled, "object.") {
					t.Errorf("release %s, component %s: %q", release.Name, c.Name, g.Handled)
				}
			}
		}
	}
}

func TestLeftoversOfTheReleaseBeforeAreFoundByName(t *testing.T) {
	secret := func(name string) components.Leftover {
		return components.Leftover{Kind: "Secret", Namespace: "s", Name: name}
	}
	before := &components.Component{Name: "server", Leaves: []components.Leftover{
		secret("old-certs"), secret("same-certs"), secret("planned"), secret("pattern-*"), {Group: "apiextensions.k8s.io", Kind: crdKind, Name: "things.example.com"},
	}}
	plan := &Plan{
		From:    &components.Release{Components: []components.Component{*before}},
		Release: &components.Release{Components: []components.Component{{Name: "server", Leaves: []components.Leftover{secret("same-*"), secret("new-certs")}}}},
		Rendered: []components.Rendered{{Component: before, Objects: []*unstructured.Unstructured{
			object(t, `{apiVersion: v1, kind: Secret, metadata: {namespace: s, name: planned}}`),
		}}},
	}
	got := outgrowable(plan, plan.keys(), before)
	if d := cmp.Diff([]string{"Secret s/old-certs"}, names(got)); d != "" {
		t.Errorf("to be removed (-want +got):\n%s", d)
	}
}

func names(keys []key) []string {
	var out []string
	for _, k := range keys {
		out = append(out, k.ref().String())
	}
	return out
}

func TestAPolicyThatMovesIsOneOfACustomKindWithAnotherSelector(t *testing.T) {
	policy := func(kind, labels string) *unstructured.Unstructured {
		return object(t, `{apiVersion: security.istio.io/v1, kind: `+kind+`, metadata: {namespace: s, name: p}, spec: {selector: {matchLabels: `+labels+`}}}`)
	}
	if !movedPolicy(policy("AuthorizationPolicy", "{a: b}"), policy("AuthorizationPolicy", "{a: c}")) {
		t.Error("another selector is no move")
	}
	if movedPolicy(policy("AuthorizationPolicy", "{a: b}"), policy("AuthorizationPolicy", "{a: b}")) || movedPolicy(nil, policy("AuthorizationPolicy", "{a: b}")) {
		t.Error("the same selector, or none before, is a move")
	}
	deployment := object(t, `{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: s, name: d}, spec: {selector: {matchLabels: {a: b}}}}`)
	if movedPolicy(deployment, object(t, hookDeployment)) {
		t.Error("a workload is a policy")
	}
}

func TestOnlyUpgradeLeadsToAnotherRelease(t *testing.T) {
	for _, test := range []struct {
		name      string
		upgrade   bool
		to        string
		given     []string
		installed Settings
		only      []string
		want      string // release, and the one that is replaced
		wrong     string
	}{
		{name: "to a later one", upgrade: true, to: "26.03", installed: Settings{Release: "1.10"}, want: "26.03 from 1.10"},
		{name: "to an earlier one, with the reason", upgrade: true, to: "1.10", installed: Settings{Release: "26.03"}, wrong: "--to: release 26.03 is installed, and an older one (1.10) cannot replace it, nothing was changed: release 26.03 lets"},
		{name: "install leads to upgrade", to: "26.03", given: []string{"release"}, installed: Settings{Release: "1.10"}, wrong: "run `kubectl jupyter upgrade --to 26.03`"},
		{name: "install keeps what is there", to: "26.03", installed: Settings{Release: "1.10"}, want: "1.10"},
		{name: "install completes an upgrade", to: "1.10", installed: Settings{Release: "26.03", From: "1.10"}, want: "26.03 from 1.10"},
		{name: "upgrade completes an upgrade", upgrade: true, to: "26.03", installed: Settings{Release: "26.03", From: "1.10"}, want: "26.03 from 1.10"},
		{name: "an upgrade under way is not turned around", upgrade: true, to: "1.10", given: []string{"to"}, installed: Settings{Release: "26.03", From: "1.10"}, wrong: "the upgrade from release 1.10 to release 26.03 is not complete, nothing was changed: complete it with `kubectl jupyter upgrade`"},
		{name: "nor done in part", to: "26.03", only: []string{"dex"}, installed: Settings{Release: "26.03", From: "1.10"}, wrong: "--only, --skip: the upgrade from release 1.10"},
		{name: "what the plugin does not have cannot be upgraded", upgrade: true, to: "26.03", installed: Settings{Release: "99.9"}, wrong: "release 99.9 is installed, which this version of the plugin does not have"},
	} {
		t.Run(test.name, func(t *testing.T) {
			source, err := components.NewEmbedded(test.to)
			if err != nil {
				t.Fatal(err)
			}
			intent := &Intent{Source: source, Upgrade: test.upgrade, Only: test.only, Given: func(flag string) bool { return slices.Contains(test.given, flag) }}
			test.installed.Profile = components.ProfileDefault
			err = intent.Keep(&test.installed)
			if test.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), test.wrong) {
					t.Errorf("got %v, want an error with %q", err, test.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := intent.Source.Release().Name
			if intent.from != nil {
				got += " from " + intent.from.Name
			}
			if got != test.want {
				t.Errorf("release %s, want %s", got, test.want)
			}
		})
	}
}

func TestEveryReleaseButTheFirstSaysWhyThereIsNoWayBack(t *testing.T) {
	for i, release := range components.Releases() {
		if (release.NoWayBack != "") != (i > 0) {
			t.Errorf("release %s: %q", release.Name, release.NoWayBack)
		}
	}
}

func TestAnUpgradeNamesTheReplicaSetsOfReplacedDeploymentsAsMembers(t *testing.T) {
	plan := &Plan{Settings: Settings{Release: "99.2", From: "99.1"}}
	parent, err := parentFor(plan, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(groupKindsOf(parent), schema.GroupKind{Group: "apps", Kind: "ReplicaSet"}) {
		t.Errorf("kinds %v", groupKindsOf(parent))
	}
	plan.Settings.From = ""
	if parent, err = parentFor(plan, parent, ""); err != nil {
		t.Fatal(err)
	}
	if kinds := groupKindsOf(parent); slices.Contains(kinds, schema.GroupKind{Group: "apps", Kind: "ReplicaSet"}) {
		t.Errorf("after the upgrade: kinds %v", kinds)
	}
}

func TestUninstallRemovesWhatBothReleasesOfAnUpgradeHaveMade(t *testing.T) {
	newer, err := components.ReleaseNamed("26.03")
	if err != nil {
		t.Fatal(err)
	}
	certs := key{"", "Secret", "kubeflow", "webhook-certs"}
	for from, want := range map[string]string{"": "", "1.10": "poddefaults"} {
		release, err := (&Settings{Release: "26.03", From: from}).Leaving(newer)
		if err != nil {
			t.Fatal(err)
		}
		if got := leftBy(release, certs); got != want {
			t.Errorf("from %q: %s is of component %q, want %q", from, certs.ref(), got, want)
		}
	}
	if leftBy(newer, certs) != "" {
		t.Error("the release itself has been changed")
	}
}

func TestAnUpgradeThatFailedSaysWhatAnswersNobody(t *testing.T) {
	workload := func(kind, name string, available int64) *unstructured.Unstructured {
		u := object(t, `{apiVersion: apps/v1, kind: `+kind+`, metadata: {namespace: s, name: `+name+`}}`)
		if err := unstructured.SetNestedField(u.Object, available, "status", "availableReplicas"); err != nil {
			t.Fatal(err)
		}
		return u
	}
	old := func(kind, name string) member { return member{key: key{"apps", kind, "s", name}, component: "server"} }
	for _, test := range []struct {
		name    string
		cluster []runtime.Object
		pruned  []member
		want    string
	}{
		{"a pod of either release is available", []runtime.Object{workload("Deployment", "hook", 1)}, nil, "programs of release 99.1 serve where those of release 99.2 are not ready"},
		{"none is", []runtime.Object{workload("Deployment", "hook", 0)}, nil, "no pod serves of Deployment s/hook;"},
		{"the pods of a replaced Deployment are", []runtime.Object{workload("Deployment", "hook", 0), workload("ReplicaSet", "hook-1", 1)}, []member{old("ReplicaSet", "hook-1")}, "programs of release 99.1 serve"},
		{"the Deployment before had another name", []runtime.Object{workload("Deployment", "old-hook", 1)}, []member{old("Deployment", "old-hook")}, "programs of release 99.1 serve"},
		{"it is not there, and nothing else", nil, nil, "no pod serves of Deployment s/hook;"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, _ := succession(t, nil, hookDeployment, agentDaemonSet)
			r.survey.pruned = test.pruned
			r.cluster = &cluster.Cluster{Dynamic: dynamicfake.NewSimpleDynamicClient(runtime.NewScheme(), test.cluster...)}
			got := r.standing(t.Context())
			if !strings.HasPrefix(got, test.want) || !strings.HasSuffix(got, "; run `kubectl jupyter upgrade` again to continue") {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestWhatWasLeftOutStaysOutAndWhatWasBegunComes(t *testing.T) {
	from, err := components.ReleaseNamed("1.10")
	if err != nil {
		t.Fatal(err)
	}
	all := slices.DeleteFunc(from.Names(), func(n string) bool { return n == "jupyter-web-app" || n == "dex" || n == "kubeflow-issuer" })
	for _, test := range []struct {
		name string
		last *LastRun
		want []string
	}{
		{"the last run has finished", &LastRun{Result: RunFinished}, []string{"dex", "jupyter-web-app"}},
		{"an older version of the plugin has recorded no run", nil, []string{"dex", "jupyter-web-app"}},
		{"a run of another component failed", &LastRun{Result: RunFailed, Pending: []string{"Deployment.apps/metallb-system/controller"}}, []string{"dex", "jupyter-web-app"}},
		{"a run was killed before it came to a component", &LastRun{Result: RunStarted, Pending: []string{"Deployment.apps/auth/dex"}}, []string{"jupyter-web-app"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			intent := &Intent{from: from, Manifests: components.Options{Profile: components.ProfileSlim}} // slim has no issuer
			got, err := intent.leftOut(t.Context(), all, test.last)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(test.want, got); d != "" {
				t.Errorf("left out (-want +got):\n%s", d)
			}
		})
	}
}
