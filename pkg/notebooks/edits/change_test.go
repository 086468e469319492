package edits

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/form"
)

func quantity(text string) *resource.Quantity {
	q := resource.MustParse(text)
	return &q
}

// container is that of a notebook as the form makes it, with one GPU.
func container() *corev1.Container {
	return &corev1.Container{
		Name: "lab", Image: "scipy:1",
		Env: []corev1.EnvVar{{Name: "A", Value: "1"}, {Name: "TOKEN", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{Key: "k"}}}},
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{"cpu": resource.MustParse("500m"), "memory": resource.MustParse("1Gi")},
			Limits:   corev1.ResourceList{"cpu": resource.MustParse("600m"), "memory": resource.MustParse("1.2Gi"), "nvidia.com/gpu": resource.MustParse("1")},
		},
	}
}

func TestAChangeIsMadeOfWhatItNamesAndNothingElse(t *testing.T) {
	for _, c := range []struct {
		name   string
		change Change
		// want are the differences as FIELD: BEFORE -> AFTER.
		want []string
	}{
		{"nothing", Change{}, nil},
		{"the values that it has", Change{Image: "scipy:1", CPU: quantity("0.5"), GPU: &form.GPURequest{Count: 1, Resource: "nvidia.com/gpu"}}, nil},
		{"an image", Change{Image: "torch:2"}, []string{"image: scipy:1 -> torch:2"}},
		{"CPU, with the limit in proportion", Change{CPU: quantity("2")}, []string{"cpu: 500m -> 2", "cpu limit: 600m -> 2400m"}},
		{"memory, with the limit in proportion", Change{Memory: quantity("10Gi")}, []string{"memory: 1Gi -> 10Gi", "memory limit: 1.2Gi -> 12Gi"}},
		{
			"GPUs of another kind in the place of those that there are",
			Change{GPU: &form.GPURequest{Count: 2, Resource: "nvidia.com/mig-1g.10gb"}},
			[]string{"nvidia.com/gpu: 1 -> 0", "nvidia.com/mig-1g.10gb: 0 -> 2"},
		},
		{"no GPU", Change{GPU: &form.GPURequest{}}, []string{"nvidia.com/gpu: 1 -> 0"}},
		{
			"variables, whose values are not shown",
			Change{Env: []EnvChange{{Name: "A", Value: "2"}, {Name: "B", Value: "secret"}, {Name: "TOKEN", Remove: true}}},
			[]string{"env A: set -> set to another value", "env B:  -> set", "env TOKEN: set -> "},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, after := container(), container()
			if err := c.change.Apply(after); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range Differences(before, after) {
				got = append(got, d.Field+": "+d.Before+" -> "+d.After)
			}
			if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("differences:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

func TestALimitKeepsItsProportion(t *testing.T) {
	for _, c := range []struct{ name, request, limit, to, want string }{
		{"a limit above the request", "0.5", "0.6", "100m", "120m"},
		{"a limit like the request", "2", "2", "3", "3"},
		{"a limit without a request is for both", "", "2", "4", "4"},
		{"no limit stays none", "1", "", "4", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := corev1.ResourceRequirements{Requests: corev1.ResourceList{}, Limits: corev1.ResourceList{}}
			if c.request != "" {
				r.Requests["cpu"] = resource.MustParse(c.request)
			}
			if c.limit != "" {
				r.Limits["cpu"] = resource.MustParse(c.limit)
			}
			scale(&r, "cpu", resource.MustParse(c.to))
			if got := text(r.Limits, "cpu"); got != c.want || text(r.Requests, "cpu") != c.to {
				t.Errorf("request %q and limit %q, want %q and %q", text(r.Requests, "cpu"), got, c.to, c.want)
			}
		})
	}
}

func TestVariablesAreSetWithAValueAndRemovedWithADash(t *testing.T) {
	for text, want := range map[string]EnvChange{
		"A=1": {Name: "A", Value: "1"}, "A=": {Name: "A"}, "A=b=c": {Name: "A", Value: "b=c"}, "A-": {Name: "A", Remove: true}, "A=x-": {Name: "A", Value: "x-"},
	} {
		if got, err := ParseEnv(text); err != nil || got != want {
			t.Errorf("%q is %+v, error %v: want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "A", "-", "=1", "A B=1"} {
		if got, err := ParseEnv(text); err == nil || !strings.HasPrefix(err.Error(), "--env: ") {
			t.Errorf("%q passes for %+v, error %v", text, got, err)
		}
	}
}

func TestAVariableThatIsNotThereCannotBeRemoved(t *testing.T) {
	err := Change{Env: []EnvChange{{Name: "DEBUGG", Remove: true}}}.Apply(container())
	if err == nil || err.Error() != "--env: the notebook has no variable DEBUGG: it has A, TOKEN" {
		t.Errorf("%v: want it to name the variables that there are", err)
	}
}
