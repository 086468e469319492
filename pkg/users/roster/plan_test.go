package roster

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/ptr"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/users"
)

// course is a cluster with some people.
func course() state {
	return state{
		first: users.First{Email: "user@example.com"},
		all: []users.User{
			{Email: "ada@example.com", Profile: "kubeflow-ada-example-com", Password: true, Quota: map[string]string{"cpu": "1000m", "memory": "1Gi"}, Contributors: []users.Contributor{{Email: "eve@example.com", Role: users.Edit}}},
			{Email: "bob@example.com", Profile: "lab", Password: false, Isolated: true},
			{Email: "cy@example.com", Password: true},
			{Email: "dan@example.com", Profile: "one", Password: true},
			{Email: "dan@example.com", Profile: "two", Password: true},
			{Email: "eve@example.com", Profile: "kubeflow-eve-example-com", Deleting: true},
			{Email: "user@example.com", Profile: "kubeflow-user-example-com", Password: true, First: true},
		},
		namespaces: map[string]bool{"kube-system": true, "kubeflow-gus-example-com": true},
	}
}

func TestAListChangesOnlyWhatDiffers(t *testing.T) {
	bob, eve := users.Contributor{Email: "bob@example.com", Role: users.Edit}, users.Contributor{Email: "eve@example.com", Role: users.View}
	for name, c := range map[string]struct {
		entry   Entry
		isolate bool // what the installation says
		prune   bool
		want    string // empty: nothing changes
	}{
		"somebody new":                            {Entry{Person: person("new@example.com"), Password: true}, false, false, "new namespace kubeflow-new-example-com; generated password"},
		"somebody new of an identity provider":    {Entry{Person: person("new@example.com")}, false, false, "new namespace kubeflow-new-example-com"},
		"somebody new where all are isolated":     {Entry{Person: person("new@example.com")}, true, false, "new namespace kubeflow-new-example-com; isolated"},
		"somebody new who is not to be":           {Entry{Person: person("new@example.com"), Isolate: ptr.To(false)}, true, false, "new namespace kubeflow-new-example-com"},
		"somebody who is there":                   {Entry{Person: person("ada@example.com"), Password: true}, true, true, ""},
		"a namespace of another name":             {Entry{Person: person("bob@example.com"), Isolate: ptr.To(true)}, false, false, ""},
		"a password that was removed":             {Entry{Person: person("bob@example.com"), Password: true}, false, false, "generated password"},
		"a password without a namespace":          {Entry{Person: person("cy@example.com"), Password: true}, false, false, "new namespace kubeflow-cy-example-com"},
		"the quota that is there, in other words": {Entry{Person: users.Person{Email: "ada@example.com", Quota: map[string]string{"cpu": "1", "memory": "1024Mi"}}}, false, false, ""},
		"another quota":                           {Entry{Person: users.Person{Email: "ada@example.com", Quota: map[string]string{"cpu": "2", "gpu": "1"}}}, false, false, "quota cpu=2 (was 1000m),gpu=1,no memory"},
		"somebody to share with":                  {Entry{Person: person("ada@example.com"), Contributors: []users.Contributor{bob}}, false, false, "shared with bob@example.com (edit)"},
		"another role":                            {Entry{Person: person("ada@example.com"), Contributors: []users.Contributor{eve}}, false, true, "shared with eve@example.com (view)"},
		"no contributors, without --prune":        {Entry{Person: person("ada@example.com"), Contributors: []users.Contributor{}}, false, false, ""},
		"no contributors, with --prune":           {Entry{Person: person("ada@example.com"), Contributors: []users.Contributor{}}, false, true, "no longer shared with eve@example.com (edit)"},
		"a list without contributors, and prune":  {Entry{Person: person("ada@example.com")}, false, true, ""},
		"no isolation any more":                   {Entry{Person: person("bob@example.com"), Isolate: ptr.To(false)}, true, false, "no longer isolated"},
		"the first user":                          {Entry{Person: person("user@example.com"), Password: true, Contributors: []users.Contributor{bob}}, false, false, "shared with bob@example.com (edit)"},
		"one of several Profiles":                 {Entry{Person: users.Person{Email: "dan@example.com", Profile: "two"}, Password: true}, false, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := course()
			s.isolate = c.isolate
			plan, err := s.compare([]Entry{c.entry}, c.prune)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for i := range plan.Changes {
				got += plan.Changes[i].Text()
			}
			if got != c.want || (plan.Unchanged == 1) != (c.want == "") {
				t.Errorf("%q (%d unchanged), want %q", got, plan.Unchanged, c.want)
			}
		})
	}
}

func TestWhatIsSomebodyElsesIsNotTaken(t *testing.T) {
	for name, c := range map[string]struct {
		entry Entry
		want  string
	}{
		"somebody else's Profile":         {Entry{Person: users.Person{Email: "new@example.com", Profile: "lab"}}, "Profile lab belongs to bob@example.com"},
		"a namespace of the system":       {Entry{Person: users.Person{Email: "new@example.com", Profile: "kube-system"}}, "Namespace kube-system exists"},
		"a namespace of the person's own": {Entry{Person: person("gus@example.com")}, "Namespace kubeflow-gus-example-com exists"},
		"a Profile that is being deleted": {Entry{Person: person("eve@example.com")}, "being deleted"},
		"several Profiles":                {Entry{Person: person("dan@example.com")}, "owns the Profiles one, two"},
		"the first user's quota":          {Entry{Person: users.Person{Email: "user@example.com", Quota: map[string]string{"cpu": "1"}}}, "belongs to the installation"},
	} {
		t.Run(name, func(t *testing.T) {
			c.entry.where = "line 7"
			if _, err := course().compare([]Entry{c.entry}, false); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "line 7: ") {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestOnlyWithPruneDoesAnybodyLoseAPassword(t *testing.T) {
	for prune, want := range map[bool][]string{false: nil, true: {"cy@example.com", "dan@example.com"}} {
		plan, err := course().compare([]Entry{{Person: person("ada@example.com"), Password: true}}, prune)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, u := range plan.Pruned {
			got = append(got, u.Email)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("pruned with prune=%t (-want +got):\n%s", prune, d)
		}
	}
}

func TestAListOfThousandsIsComparedInNoTime(t *testing.T) {
	s, list := course(), []Entry(nil)
	for n := range 5000 {
		email := fmt.Sprintf("student%d@example.com", n)
		s.all = append(s.all, users.User{Email: email, Profile: person(email).Name(), Password: true})
		list = append(list, Entry{Person: person(email), Password: true})
	}
	plan, err := s.compare(list, true)
	if err != nil || plan.Unchanged != len(list) || len(plan.Changes) != 0 {
		t.Errorf("%d unchanged of %d, %v", plan.Unchanged, len(list), err)
	}
}
