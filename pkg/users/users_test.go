package users

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/bcrypt"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// The first is base32 of the address and of 0xcbf29ce484222325, where FNV-1 starts.
func TestAPasswordIsNamedAsDexLooksForIt(t *testing.T) {
	for email, want := range map[string]string{
		"admin@example.com": "mfsg22loibsxqylnobwgkltdn5w4x4u44scceizf",
		"Admin@Example.com": "mfsg22loibsxqylnobwgkltdn5w4x4u44scceizf",
	} {
		if got := ObjectName(email); got != want {
			t.Errorf("ObjectName(%q) = %q, want %q", email, got, want)
		}
	}
}

func TestAHashIsOneThatDexAccepts(t *testing.T) {
	hash, err := Hash([]byte("correct horse"), Cost)
	if err != nil {
		t.Fatal(err)
	}
	cost, err := bcrypt.Cost([]byte(hash))
	if err != nil || cost < 10 || cost > 16 {
		t.Errorf("the hash costs %d (%v); Dex takes 10 to 16", cost, err)
	}
	if bcrypt.CompareHashAndPassword([]byte(hash), []byte("correct horse")) != nil {
		t.Error("the hash is not one of the password")
	}
	if _, err := Hash([]byte(strings.Repeat("x", 73)), Cost); err == nil {
		t.Error("a password that bcrypt would cut was taken")
	}
}

func TestGeneratedPasswordsAreLongAndDifferent(t *testing.T) {
	a, b := GeneratePassword(), GeneratePassword()
	if len(a) != 20 || string(a) == string(b) {
		t.Errorf("passwords %d characters long, the same twice: %t", len(a), string(a) == string(b))
	}
}

func TestAPersonIsRefusedWhomDexOrKubernetesWouldNotTakeAsTheyAre(t *testing.T) {
	for name, c := range map[string]struct {
		person Person
		want   string // empty: taken
	}{
		"an address":                              {Person{Email: "ada@example.com"}, ""},
		"an address with a plus sign":             {Person{Email: "ada+lab@example.com"}, ""},
		"an address with capital letters":         {Person{Email: "Ada@example.com"}, "lower case"},
		"an address with letters beyond ASCII":    {Person{Email: "adä@example.com"}, "not an e-mail address"},
		"no address":                              {Person{Email: "ada"}, "not an e-mail address"},
		"an address too long for a namespace":     {Person{Email: strings.Repeat("a", 60) + "@example.com"}, "namespace name"},
		"a name of a namespace":                   {Person{Email: "ada@example.com", Profile: "ada"}, ""},
		"a name that no namespace can have":       {Person{Email: "ada@example.com", Profile: "Ada_1"}, "--profile-name"},
		"a long address with a name of its own":   {Person{Email: strings.Repeat("a", 60) + "@example.com", Profile: "ada"}, ""},
		"an address that would end a YAML string": {Person{Email: `a"b@example.com`}, "not an e-mail address"},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.person.Validate()
			if c.want == "" && err != nil {
				t.Errorf("refused: %v", err)
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error = %v, want one about %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "--user-email") {
				t.Errorf("the error names a flag that these commands do not have: %v", err)
			}
		})
	}
}

func profile(name, email string, hard map[string]any) unstructured.Unstructured {
	u := unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "kubeflow.org/v1", "kind": "Profile", "metadata": map[string]any{"name": name},
		"spec": map[string]any{"owner": map[string]any{"kind": "User", "name": email}},
	}}
	u.SetCreationTimestamp(metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)))
	if hard != nil {
		_ = unstructured.SetNestedMap(u.Object, hard, "spec", "resourceQuotaSpec", "hard")
	}
	return u
}

func TestTheListJoinsWhatBelongsToOneAddress(t *testing.T) {
	people := &Users{First: First{Email: "first@example.com"}}
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	got := people.join(
		[]unstructured.Unstructured{
			profile("kubeflow-first", "first@example.com", nil),
			profile("ada", "Ada@example.com", map[string]any{"cpu": "4"}),
			profile("gone", "gone@example.com", nil),
		},
		[]unstructured.Unstructured{
			*passwordObject("dex.coreos.com/v1", "ada@example.com", "h"),
			*passwordObject("dex.coreos.com/v1", "homeless@example.com", "h"),
			*passwordObject("dex.coreos.com/v1", "first@example.com", "h"),
		},
		map[string]int{"ada": 2, "somewhere": 5},
	)
	want := []User{
		{Email: "Ada@example.com", Profile: "ada", Password: true, Notebooks: 2, Quota: map[string]string{"cpu": "4"}, Since: &since},
		{Email: "first@example.com", Profile: "kubeflow-first", Password: true, First: true, Since: &since},
		{Email: "gone@example.com", Profile: "gone", Since: &since},
		{Email: "homeless@example.com", Password: true},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("people (-want +got):\n%s", d)
	}
}

func TestALockedFirstUserHasNoPasswordEvenIfAnObjectSaysSo(t *testing.T) {
	people := &Users{First: First{Email: "first@example.com", Locked: true}}
	got := people.join([]unstructured.Unstructured{profile("kubeflow-first", "first@example.com", nil)},
		[]unstructured.Unstructured{*passwordObject("dex.coreos.com/v1", "first@example.com", "h")}, nil)
	if len(got) != 1 || got[0].Password || !got[0].First {
		t.Errorf("people = %+v, want the first user alone and without a password: Dex prefers its own entry", got)
	}
}

func TestAPersonsProfileIsTheirsAndNotTheInstallations(t *testing.T) {
	source, err := components.NewEmbedded(components.DefaultRelease)
	if err != nil {
		t.Fatal(err)
	}
	person := Person{Email: "ada@example.com", Profile: "ada", Quota: map[string]string{"cpu": "4", "requests.nvidia.com/gpu": "1"}}
	somebodys, err := profileOf(t.Context(), source, somebody)
	if err != nil {
		t.Fatal(err)
	}
	home, err := (&Adding{profile: somebodys}).profileFor(person)
	if err != nil {
		t.Fatal(err)
	}
	if home.GetName() != "ada" || owner(home) != "ada@example.com" {
		t.Errorf("Profile %s belongs to %s", home.GetName(), owner(home))
	}
	if d := cmp.Diff(person.Quota, quotaOf(home)); d != "" {
		t.Errorf("quota (-want +got):\n%s", d)
	}
	if home.GetLabels()[components.ComponentLabel] != "" {
		t.Errorf("Profile %s carries a component's label: the next install would prune it", home.GetName())
	}
}
