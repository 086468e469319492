package users

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestSharingHasTheNamesThatKFAMGives(t *testing.T) {
	for name, c := range map[string]struct {
		with Contributor
		want string
	}{
		"an address":                 {Contributor{"ada@example.com", Edit}, "user-ada-example-com-clusterrole-edit"},
		"the other role":             {Contributor{"ada@example.com", View}, "user-ada-example-com-clusterrole-view"},
		"characters one after other": {Contributor{"ada.+x@example.com", Edit}, "user-ada-x-example-com-clusterrole-edit"},
	} {
		if got := c.with.Name(); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestSharingIsRefusedThatWouldDoNothing(t *testing.T) {
	for name, c := range map[string]struct {
		with Contributor
		want string
	}{
		"edit":                          {Contributor{"ada@example.com", Edit}, ""},
		"view":                          {Contributor{"ada@example.com", View}, ""},
		"a role that owners have":       {Contributor{"ada@example.com", "admin"}, "the roles are edit and view"},
		"no role":                       {Contributor{"ada@example.com", ""}, "the roles are edit and view"},
		"an address in capital letters": {Contributor{"Ada@example.com", Edit}, "lower case"},
		"no address":                    {Contributor{"", Edit}, "not an e-mail address"},
		"a long address":                {Contributor{strings.Repeat("x", 60) + "@example.com", Edit}, ""},
	} {
		err := c.with.Validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

var door = entrance{gateway: "cluster.local/ns/istio-system/sa/gateway", header: "kubeflow-userid"}

func TestBothObjectsSayWhoseTheyAreAsKFAMReadsIt(t *testing.T) {
	with := Contributor{"ada@example.com", Edit}
	for _, u := range []*unstructured.Unstructured{with.binding("bobs"), with.policy("bobs", "security.istio.io/v1", door)} {
		if d := cmp.Diff(map[string]string{"user": "ada@example.com", "role": "edit"}, u.GetAnnotations()); d != "" {
			t.Errorf("annotations of the %s (-want +got):\n%s", u.GetKind(), d)
		}
		if u.GetName() != "user-ada-example-com-clusterrole-edit" || u.GetNamespace() != "bobs" {
			t.Errorf("%s %s/%s", u.GetKind(), u.GetNamespace(), u.GetName())
		}
	}
	role, _, _ := unstructured.NestedString(with.binding("bobs").Object, "roleRef", "name")
	subjects, _, _ := unstructured.NestedSlice(with.binding("bobs").Object, "subjects")
	if role != "kubeflow-edit" || len(subjects) != 1 { // KFAM lists nothing at all where there are two
		t.Errorf("%s is bound to %v", role, subjects)
	}
}

func TestAPolicyLetsOnePersonInAndOnlyThroughTheGateway(t *testing.T) {
	for _, role := range []Role{Edit, View} {
		rules, _, _ := unstructured.NestedSlice(Contributor{"ada@example.com", role}.policy("bobs", "security.istio.io/v1", door).Object, "spec", "rules")
		if len(rules) != 1 {
			t.Fatalf("%s: %d rules, which would add up", role, len(rules))
		}
		rule := rules[0].(map[string]any)
		if d := cmp.Diff([]any{map[string]any{"source": map[string]any{"principals": []any{door.gateway}}}}, rule["from"]); d != "" {
			t.Errorf("%s: from (-want +got):\n%s", role, d)
		}
		if d := cmp.Diff([]any{map[string]any{"key": "request.headers[kubeflow-userid]", "values": []any{"ada@example.com"}}}, rule["when"]); d != "" {
			t.Errorf("%s: when (-want +got):\n%s", role, d)
		}
		if _, bounded := rule["to"]; bounded != (role == View) {
			t.Errorf("%s: bounded to paths: %t", role, bounded)
		}
	}
}

// matches is how Istio compares a path with a template: {*} is one part, {**} any number.
func matches(template, path string) bool {
	if before, rest := strings.CutSuffix(template, "{**}"); rest {
		parts := strings.Split(before, "/")
		got := strings.SplitN(path, "/", len(parts))
		return len(got) == len(parts) && matches(strings.Join(parts[:len(parts)-1], "/"), strings.Join(got[:len(got)-1], "/"))
	}
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	return slices.EqualFunc(want, got, func(w, g string) bool { return w == "{*}" && g != "" || w == g })
}

func TestAViewerReachesNothingThatRunsAnything(t *testing.T) {
	templates := readOnly("bobs")
	open := func(path string) bool {
		return slices.ContainsFunc(templates, func(template any) bool { return matches(template.(string), path) })
	}
	for path, want := range map[string]bool{
		"/notebook/bobs/lab/":                                  true,
		"/notebook/bobs/lab/lab":                               true,
		"/notebook/bobs/lab/lab/tree/work/a.ipynb":             true,
		"/notebook/bobs/lab/static/lab/main.js":                true,
		"/notebook/bobs/lab/api/contents/work/a.ipynb":         true,
		"/notebook/bobs/lab/files/work/a.csv":                  true,
		"/notebook/bobs/lab/api/sessions":                      true,
		"/notebook/bobs/lab/api/kernels":                       true,
		"/notebook/bobs/lab/api/kernels/1/channels":            false,
		"/notebook/bobs/lab/api/terminals":                     true,
		"/notebook/bobs/lab/terminals/websocket/1":             false,
		"/notebook/bobs/lab/api/events/subscribe":              false,
		"/notebook/bobs/lab/lsp/ws/pylsp":                      false,
		"/notebook/bobs/lab/proxy/8080/run":                    false,
		"/notebook/bobs/lab/nbconvert/html/a.ipynb":            false,
		"/notebook/bobs/lab/api/shutdown":                      false,
		"/notebook/eves/lab/lab":                               false,
		"/notebook/bobs/lab/kernels":                           false,
		"/notebook/bobs/lab/x/lab/tree":                        false,
		"/":                                                    false, // VS Code and RStudio, whose path the gateway takes off
		"/stable-0958016b2af9f09bb4257e0df4a95e2f90590f9f":     false,
		"/notebook/bobs/code/stable-0958016b2af9f09bb4257e0df": false,
	} {
		if got := open(path); got != want {
			t.Errorf("%s is open: %t, want %t", path, got, want)
		}
	}
}
