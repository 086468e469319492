package notebooks

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
)

func mounting(namespace, name string, claims ...string) Notebook {
	n := Notebook{Namespace: namespace, Name: name}
	for _, c := range claims {
		n.Spec.Volumes = append(n.Spec.Volumes, corev1.Volume{VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: c}}})
	}
	return n
}

func TestNotebooksAreFoundByNameInTheirOrder(t *testing.T) {
	l := &List{Notebooks: []Notebook{mounting("ada", "a"), mounting("ada", "b"), mounting("bob", "c")}}
	found, err := l.Find("ada", []string{"b", "a"})
	if err != nil || found[0].Name != "b" || found[1].Name != "a" {
		t.Errorf("%v, %v", found, err)
	}
	if _, err := l.Find("ada", []string{"a", "c"}); !IsMissing(err) || !strings.Contains(err.Error(), "notebook list -n ada") {
		t.Error(err)
	}
}

func TestAClaimIsSharedByThoseOfTheSameNamespace(t *testing.T) {
	l := &List{Notebooks: []Notebook{mounting("ada", "a", "home", "data"), mounting("ada", "b", "data"), mounting("bob", "c", "data")}}
	if got := l.Sharing(&l.Notebooks[0], "data"); !slices.Equal(got, []string{"b"}) {
		t.Error(got)
	}
	if got := l.Sharing(&l.Notebooks[0], "home"); got != nil {
		t.Error(got)
	}
}

func TestIdleIsToldOfWhatRuns(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	recorded := func(at string) map[string]string { return map[string]string{ActivityAnnotation: at} }
	stale := recorded("2026-11-27T09:00:00Z")
	stale[CheckedAnnotation] = "2026-11-27T11:00:00Z"
	said := usage.Known(now.Add(-time.Hour))
	for name, tc := range map[string]struct {
		n    Notebook
		want time.Duration
		why  string
	}{
		"since the controller's word":      {Notebook{Type: Jupyter, State: Running, Annotations: recorded("2026-11-27T09:00:00Z")}, 3 * time.Hour, ""},
		"a clock that is ahead":            {Notebook{Type: Jupyter, State: Running, Annotations: recorded("2026-11-27T12:00:05Z")}, 0, ""},
		"without culling nobody writes it": {Notebook{Type: Jupyter, State: Running}, 0, "does not record its activity"},
		"what is no time":                  {Notebook{Type: Jupyter, State: Running, Annotations: recorded("soon")}, 0, "does not record its activity"},
		"the controller looks no more":     {Notebook{Type: Jupyter, State: Running, Annotations: stale}, 0, "does not record its activity"},
		"of VS Code it knows nothing":      {Notebook{Type: Code, State: Running, Annotations: recorded("2026-11-27T09:00:00Z")}, 0, "does not record its activity"},
		"what its server says comes first": {Notebook{Type: Jupyter, State: Running, Annotations: recorded("2026-11-27T09:00:00Z"), Used: &said}, time.Hour, ""},
		"it does not run":                  {Notebook{Type: Jupyter, State: Stopped, Annotations: recorded("2026-11-27T09:00:00Z")}, 0, "does not run"},
	} {
		t.Run(name, func(t *testing.T) {
			idle := tc.n.Idle(now)
			got, known := idle.Get()
			if known != (tc.why == "") || got != tc.want || !strings.Contains(idle.Why().Reason, tc.why) {
				t.Errorf("%s, %q", got, idle.Why().Reason)
			}
			_, missing := tc.n.Document(now).Missing["idleSeconds"]
			if missing != (tc.why != "" && tc.n.State == Running) {
				t.Error("the document says otherwise")
			}
		})
	}
}
