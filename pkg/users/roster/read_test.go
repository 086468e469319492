package roster

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/utils/ptr"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/users"
)

func person(email string) users.Person { return users.Person{Email: email} }

func TestAListIsReadInEachForm(t *testing.T) {
	bob, eve := users.Contributor{Email: "bob@example.com", Role: users.Edit}, users.Contributor{Email: "eve@example.com", Role: users.View}
	full := Entry{
		Person:       users.Person{Email: "ada@example.com", Profile: "ada", Quota: map[string]string{"cpu": "4", "requests.nvidia.com/gpu": "1", "requests.storage": "100Gi"}},
		Contributors: []users.Contributor{bob, eve}, Isolate: ptr.To(true), Password: true,
	}
	for name, c := range map[string]struct {
		text string
		want []Entry
	}{
		"YAML": {
			"users:\n- email: ada@example.com\n  profile: ada\n  quota: {cpu: 4, gpu: \"1\", requests.storage: 100Gi}\n  isolate: true\n" +
				"  contributors:\n  - {email: bob@example.com, role: edit}\n  - {email: eve@example.com, role: view}\n",
			[]Entry{full},
		},
		"JSON": {`{"users": [{"email": "ada@example.com", "password": false}]}`, []Entry{{Person: person("ada@example.com")}}},
		"YAML with defaults, and who differs from them": {
			"# a course\n---\ndefaults: {quota: {cpu: 2}, isolate: true, password: false}\nusers:\n- email: ada@example.com\n- email: bob@example.com\n  quota: {memory: 1Gi}\n  isolate: false\n  password: true\n",
			[]Entry{
				{Person: users.Person{Email: "ada@example.com", Quota: map[string]string{"cpu": "2"}}, Isolate: ptr.To(true)},
				{Person: users.Person{Email: "bob@example.com", Quota: map[string]string{"memory": "1Gi"}}, Isolate: ptr.To(false), Password: true},
			},
		},
		"CSV": {
			"email,profile,cpu,gpu,quota:requests.storage,edit,view,isolate\nada@example.com,ada,4,1,100Gi,bob@example.com,eve@example.com,yes\n",
			[]Entry{full},
		},
		"CSV with one column": {"email\nada@example.com\nbob@example.com\n", []Entry{{Person: person("ada@example.com"), Password: true}, {Person: person("bob@example.com"), Password: true}}},
		"CSV with semicolons, as spreadsheets write it, and empty cells": {
			"\ufeffemail;cpu;password\r\nada@example.com;;\r\nbob@example.com;500m;no\r\n",
			[]Entry{{Person: person("ada@example.com"), Password: true}, {Person: users.Person{Email: "bob@example.com", Quota: map[string]string{"cpu": "500m"}}}},
		},
		"CSV with comments, blanks and quotes": {
			"# autumn\nemail, view\n# the first\n\"ada@example.com\", \"bob@example.com eve@example.com\"\n",
			[]Entry{{Person: person("ada@example.com"), Password: true, Contributors: []users.Contributor{{Email: "bob@example.com", Role: users.View}, eve}}},
		},
		"CSV that names contributors, and somebody who has none": {
			"email,edit\nada@example.com,\n", []Entry{{Person: person("ada@example.com"), Password: true, Contributors: []users.Contributor{}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Read([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got, cmpopts.IgnoreUnexported(Entry{})); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestAListWithAMistakeIsRefusedWithItsPlace(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"nothing":                          {"", "the list is empty"},
		"a header and nobody":              {"email,cpu\n", "the list is empty"},
		"YAML without anybody":             {"users: []\n", "the list is empty"},
		"a column that does not exist":     {"email,cores\nada@example.com,4\n", `a column "cores"`},
		"no column of addresses":           {"cpu,memory\n4,1Gi\n", "no column email"},
		"a column twice":                   {"email,cpu,cpu\n", `two columns "cpu"`},
		"a row that is too short":          {"email,cpu\nada@example.com\n", "wrong number of fields"},
		"a row without an address":         {"email,cpu\nada@example.com,1\n,2\n", "line 3: the column email is empty"},
		"a field that does not exist":      {"users:\n- email: ada@example.com\n  cores: 4\n", `unknown field "cores"`},
		"a person without an address":      {"users:\n- profile: ada\n", "users[0]: email is missing"},
		"an address as a default":          {"defaults: {email: ada@example.com}\nusers: [{email: bob@example.com}]\n", "one person's"},
		"capital letters":                  {"email\nAda@example.com\n", "line 2 (Ada@example.com)"},
		"no address at all":                {"email\nada\n", "not an e-mail address"},
		"an address twice":                 {"email\nada@example.com\nada@example.com\n", "line 3 (ada@example.com): ada@example.com is in the list already: line 2"},
		"two addresses with one namespace": {"email\na.b@example.com\na-b@example.com\n", "called kubeflow-a-b-example-com, as that of line 2"},
		"a profile that is no namespace":   {"email,profile\nada@example.com,Ada\n", "--profile-name"},
		"an amount that is none":           {"email,cpu\nada@example.com,many\n", "line 2: quota cpu"},
		"a quota that nobody counts":       {"users:\n- email: ada@example.com\n  quota: {nvidia.com/gpu: 1}\n", "use requests.nvidia.com/gpu"},
		"a quota twice":                    {"email,gpu,quota:requests.nvidia.com/gpu\nada@example.com,1,2\n", "given twice"},
		"a quota that is a list":           {"users:\n- email: ada@example.com\n  quota: {cpu: [1]}\n", "not a quantity"},
		"neither true nor false":           {"email,isolate\nada@example.com,perhaps\n", "neither true nor false"},
		"a role that does not exist":       {"users:\n- email: ada@example.com\n  contributors: [{email: bob@example.com, role: admin}]\n", "the roles are edit and view"},
		"the owner as contributor":         {"email,edit\nada@example.com,ada@example.com\n", "owns the namespace"},
		"a contributor with both roles":    {"email,edit,view\nada@example.com,bob@example.com,bob@example.com\n", "named twice"},
		"more mistakes than anybody reads": {"email\n" + strings.Repeat("x\n", 30), "and 20 more"},
		"a quote that does not end":        {"email\n\"ada@example.com\n", "CSV"},
		"YAML that is none":                {"users: [\n", "YAML"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Read([]byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v (%d people), want %q", err, len(got), c.want)
			}
		})
	}
}

// FuzzRead reads lists of anybody: it refuses them, or each person can be added.
func FuzzRead(f *testing.F) {
	for _, text := range []string{
		"email,profile,cpu,gpu,quota:requests.storage,edit,view,isolate,password\nada@example.com,ada,4,1,100Gi,bob@example.com,eve@example.com,yes,no\n",
		"defaults: {quota: {cpu: 2}}\nusers:\n- email: ada@example.com\n  contributors: [{email: bob@example.com, role: view}]\n", "\ufeffemail;cpu\na@b.c;1\n", "{}", "---", "#", ":",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := Read(text)
		if err == nil && len(all) == 0 {
			t.Error("neither people nor a mistake")
		}
		for _, e := range all {
			if err := e.Validate(); err != nil {
				t.Error(err)
			}
			for name, of := range e.Quota {
				if _, _, err := components.Quota(name, of); err != nil {
					t.Error(err)
				}
			}
			for _, c := range e.Contributors {
				if err := c.Validate(); err != nil || c.Email == e.Email {
					t.Errorf("contributor %s of %s: %v", c.Email, e.Email, err)
				}
			}
		}
	})
}
