package activity

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
)

func TestWhenANotebookWasLastUsed(t *testing.T) {
	stamp := func(d time.Duration) string { return ago(d).Format(time.RFC3339) }
	record := func(last, looked time.Duration) map[string]string {
		return map[string]string{notebooks.ActivityAnnotation: stamp(last), notebooks.CheckedAnnotation: stamp(looked)}
	}
	reading := &Reading{At: noon, Kernels: []Kernel{{Name: "python3", State: "idle", Last: ago(time.Hour)}}, Terminals: []Terminal{}, Connections: 1, Last: ago(time.Hour), Source: FromKernels}
	busy := &Reading{At: noon, Kernels: []Kernel{{Name: "python3", State: "busy", Last: ago(time.Hour)}}, Terminals: []Terminal{}, Last: ago(time.Hour), Source: FromKernels}
	forbidden := apierrors.NewForbidden(corev1.Resource("pods/portforward"), "n-0", errors.New("no"))
	for name, tc := range map[string]struct {
		kind        notebooks.Type
		annotations map[string]string
		stopped     bool
		quiet       bool // nobody is to be asked
		answer      Result
		asked       bool
		idle        time.Duration
		text        string // how it is known, or why not
	}{
		"the controller's record of a moment ago is enough": {
			annotations: record(2*time.Hour, time.Minute), idle: 2 * time.Hour, text: "controller (60s ago)",
		},
		"a record that the controller does not keep up to date is no record": {
			annotations: record(2*time.Hour, time.Hour), answer: Result{Reading: reading}, asked: true, idle: time.Hour,
			text: "1 kernel, 0 terminals, 1 connection (0s ago)",
		},
		"an old controller does not say when it looked": {
			annotations: map[string]string{notebooks.ActivityAnnotation: stamp(2 * time.Hour)}, idle: 2 * time.Hour, text: "controller",
		},
		"a record that is no time": {
			annotations: map[string]string{notebooks.ActivityAnnotation: "yesterday"}, answer: Result{Reading: reading}, asked: true, idle: time.Hour,
			text: "1 kernel, 0 terminals, 1 connection (0s ago)",
		},
		"without a record, its server says": {
			answer: Result{Reading: reading}, asked: true, idle: time.Hour, text: "1 kernel, 0 terminals, 1 connection (0s ago)",
		},
		"a kernel that is busy is used now": {
			answer: Result{Reading: busy}, asked: true, text: "1 kernel (1 busy), 0 terminals, 0 connections (0s ago)",
		},
		"of VS Code the controller knows nothing, whatever it writes": {
			kind: notebooks.Code, annotations: record(2*time.Hour, time.Minute), answer: Result{Reading: &Reading{At: noon, Last: ago(time.Minute), Source: FromHeartbeat}}, asked: true,
			idle: time.Minute, text: "heartbeat (0s ago)",
		},
		"RStudio tells nobody": {
			kind: notebooks.RStudio, annotations: record(2*time.Hour, time.Minute), answer: Result{Err: ErrSilent}, asked: true,
			text: "the notebook did not say what runs in it: RStudio does not report what runs in it", idle: -1,
		},
		"without the right to ask": {
			answer: Result{Err: forbidden}, asked: true, idle: -1, text: "the user is not allowed to connect to the notebook (create pods/portforward)",
		},
		"nobody is to be asked": {quiet: true, idle: -1, text: "the notebook was not asked"},
		"it does not run":       {stopped: true, idle: -1, text: "its server does not run"},
	} {
		t.Run(name, func(t *testing.T) {
			asked := false
			ask := func(_ context.Context, all []Target) map[string]Result {
				asked = true
				return map[string]Result{all[0].Key(): tc.answer}
			}
			if tc.quiet {
				ask = nil
			}
			s := Subject{Target: Target{Namespace: "ns", Name: "n", Pod: "n-0", Type: tc.kind, Started: ago(9 * time.Hour)}, Annotations: tc.annotations}
			if s.Type == "" {
				s.Type = notebooks.Jupyter
			}
			if tc.stopped {
				s.Pod = ""
			}
			u := Uses(t.Context(), ask, []Subject{s}, noon)["ns/n"]
			if asked != tc.asked {
				t.Errorf("its server was asked: %v", asked)
			}
			idle, known := u.Idle(noon).Get()
			if known != (tc.idle >= 0) || known && idle != tc.idle {
				t.Errorf("idle for %s (known: %v), want %s", idle, known, tc.idle)
			}
			if text := u.Text(noon); !strings.Contains(text, tc.text) {
				t.Errorf("known by %q, want %q", text, tc.text)
			}
			if d := u.Document(); (d != nil) != known {
				t.Errorf("the document has %+v", d)
			}
			if forbidden := u.Last.Why().Forbidden; forbidden != (name == "without the right to ask") {
				t.Errorf("forbidden: %v", forbidden)
			}
		})
	}
}

func TestAWatchAsksNobodyTwiceInAMoment(t *testing.T) {
	now := noon
	var asked [][]string
	ask := remembering(func(_ context.Context, all []Target) map[string]Result {
		out := map[string]Result{}
		for _, target := range all {
			out[target.Key()] = Result{Reading: &Reading{At: now}}
		}
		asked = append(asked, slices.Sorted(maps.Keys(out)))
		return out
	}, func() time.Time { return now })
	a, b := Target{Namespace: "ns", Name: "a", Pod: "a-0", Started: noon}, Target{Namespace: "ns", Name: "b", Pod: "b-0", Started: noon}
	anew := a
	anew.Started = noon.Add(time.Second)
	for _, step := range []struct {
		after time.Duration
		all   []Target
		want  string
	}{
		{0, []Target{a}, "ns/a"},
		{5 * time.Second, []Target{a, b}, "ns/b"},
		{5 * time.Second, []Target{a, b}, ""},
		{5 * time.Second, []Target{anew}, "ns/a"}, // its container was started again
		{fresh, []Target{anew, b}, "ns/a ns/b"},
	} {
		now = now.Add(step.after)
		asked = nil
		if got := ask(t.Context(), step.all); len(got) != len(step.all) {
			t.Errorf("%d answers for %d notebooks", len(got), len(step.all))
		}
		got := ""
		if len(asked) > 0 {
			got = strings.Join(asked[0], " ")
		}
		if got != step.want {
			t.Errorf("after %s: asked %q, want %q", step.after, got, step.want)
		}
	}
}

func TestOfANamespaceThatIsForbiddenOneIsAskedAtATime(t *testing.T) {
	forbidden := apierrors.NewForbidden(corev1.Resource("pods/portforward"), "", errors.New("no"))
	var targets []Target
	for i := range 60 {
		targets = append(targets, Target{Namespace: "ns", Name: string(rune('a' + i)), Pod: "p"})
	}
	dials := make(chan string, len(targets))
	got := read(t.Context(), targets, time.Now, func(_ context.Context, target Target) (getter, func(), error) {
		dials <- target.Name
		return nil, nil, forbidden
	})
	if len(got) != len(targets) {
		t.Errorf("%d results", len(got))
	}
	for key, r := range got {
		if !IsForbidden(r.Err) {
			t.Errorf("%s: %v", key, r.Err)
		}
	}
	if len(dials) > atOnce {
		t.Errorf("%d were tried, want no more than were asked at once", len(dials))
	}
}
