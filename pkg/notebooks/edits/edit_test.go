package edits

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/fake"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

const lab = `
apiVersion: kubeflow.org/v1
kind: Notebook
metadata: {name: lab, namespace: ada, uid: u, annotations: {mine: stays}}
spec:
  template:
    spec:
      unheardOf: stays
      containers:
      - name: lab
        image: scipy:1
        volumeMounts: []
        unheardOf: stays
        resources: {requests: {cpu: 500m, memory: 1Gi}, limits: {memory: 1Gi}}
      - {name: helper, image: helper:1}
`

func notebook(t *testing.T, change ...func(*unstructured.Unstructured)) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(lab), &u.Object); err != nil {
		t.Fatal(err)
	}
	for _, c := range change {
		c(u)
	}
	return u
}

func stopped(u *unstructured.Unstructured) {
	annotate(u, notebooks.StoppedAnnotation, "2026-11-01T00:00:00Z")
}

// controller stands in for the notebook controller: it says of the notebook, as it is
// stored, what the real one would make of it.
type controller struct {
	t      *testing.T
	client *fake.FakeDynamicClient
	now    time.Time
	// starts tells what becomes of a notebook that is to run with an image.
	starts func(image string) (notebooks.State, *report.Cause)
	// log are the states of the stored notebook that were seen, in their order.
	log []string
	// interrupt ends the edit at that state.
	interrupt string
	cancel    context.CancelFunc
}

func (c *controller) stored() *unstructured.Unstructured {
	c.t.Helper()
	u, err := c.client.Resource(notebooks.Resource).Namespace("ada").Get(c.t.Context(), "lab", metav1.GetOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	return u
}

func (c *controller) follow(ctx context.Context, _ string, see func(*notebooks.Notebook) (bool, error)) error {
	for range 10 {
		n, err := notebooks.Parse(c.stored())
		if err != nil {
			return err
		}
		if n.State = notebooks.Stopped; n.Stopped.IsZero() {
			n.Pod = "lab-0"
			n.State, n.Cause = c.starts(n.Image)
		}
		state := string(n.State) + " " + n.Image
		if len(c.log) == 0 || c.log[len(c.log)-1] != state {
			c.log = append(c.log, state)
		}
		if c.interrupt == state {
			c.cancel()
			return ctx.Err()
		}
		if done, err := see(n); done || err != nil {
			return err
		}
		c.now = c.now.Add(10 * time.Second)
	}
	<-ctx.Done() // nothing changes any more
	return ctx.Err()
}

func bed(t *testing.T, u *unstructured.Unstructured, starts func(string) (notebooks.State, *report.Cause)) (*controller, *Editor) {
	c := &controller{t: t, now: noon, starts: starts, client: fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(),
		map[schema.GroupVersionResource]string{notebooks.Resource: "NotebookList"}, u)}
	return c, &Editor{
		Timeout: time.Minute, Say: func(string) {}, client: c.client.Resource(notebooks.Resource).Namespace("ada"),
		follow: c.follow, now: func() time.Time { return c.now },
	}
}

func works(string) (notebooks.State, *report.Cause) { return notebooks.Running, nil }

func plan(t *testing.T, u *unstructured.Unstructured) *Edit {
	t.Helper()
	e, err := Plan(u, Change{Image: "torch:2", Memory: quantity("2Gi")}, noon)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// container0 is the notebook's container as it is stored.
func container0(t *testing.T, u *unstructured.Unstructured) map[string]any {
	t.Helper()
	all, _, err := unstructured.NestedSlice(u.Object, "spec", "template", "spec", "containers")
	if err != nil || len(all) != 2 {
		t.Fatalf("containers %v, error %v: want two", all, err)
	}
	return all[0].(map[string]any)
}

func TestARunningNotebookIsStoppedChangedAndStarted(t *testing.T) {
	c, x := bed(t, notebook(t), works)
	if err := x.Apply(t.Context(), plan(t, notebook(t))); err != nil {
		t.Fatal(err)
	}
	if want := []string{"Stopped scipy:1", "Running torch:2"}; !slices.Equal(c.log, want) {
		t.Errorf("it went through %v, want %v", c.log, want)
	}
	got := container0(t, c.stored())
	want := map[string]any{
		"name": "lab", "image": "torch:2", "volumeMounts": []any{}, "unheardOf": "stays", "env": []any{},
		"resources": map[string]any{"requests": map[string]any{"cpu": "500m", "memory": "2Gi"}, "limits": map[string]any{"memory": "2Gi"}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the container (-want +got):\n%s", d)
	}
	if left := c.stored().GetAnnotations(); len(left) != 1 || left["mine"] != "stays" {
		t.Errorf("annotations %v: want no trace of the edit", left)
	}
}

func TestAStoppedNotebookIsChangedAndStaysStopped(t *testing.T) {
	c, x := bed(t, notebook(t, stopped), works)
	if err := x.Apply(t.Context(), plan(t, notebook(t, stopped))); err != nil {
		t.Fatal(err)
	}
	u := c.stored()
	if container0(t, u)["image"] != "torch:2" || u.GetAnnotations()[notebooks.StoppedAnnotation] == "" || u.GetAnnotations()[recordAnnotation] != "" || len(c.log) != 0 {
		t.Errorf("annotations %v, image %v, states %v: want it changed, stopped, without a record, and nothing waited for", u.GetAnnotations(), container0(t, u)["image"], c.log)
	}
}

func TestOldValuesComeBackWhenTheNewOnesDoNotWork(t *testing.T) {
	broken := func(name string, severity report.Severity, evidence ...string) func(string) (notebooks.State, *report.Cause) {
		return func(image string) (notebooks.State, *report.Cause) {
			if image == "scipy:1" {
				return notebooks.Running, nil
			}
			state := notebooks.Starting
			if severity >= report.Error {
				state = notebooks.Failed
			}
			return state, &report.Cause{Name: name, Severity: severity, Summary: "it does not work", Evidence: evidence}
		}
	}
	for _, c := range []struct {
		name   string
		starts func(string) (notebooks.State, *report.Cause)
		says   string
	}{
		{"as waiting does not help", broken(diagnose.InvalidImageName, report.Error), "does not start: it does not work"},
		{"as it lasts", broken(diagnose.InsufficientMemory, report.Error), "does not start: it does not work"},
		{"as time is over", broken(diagnose.ContainerStarting, report.Delay), "did not start within 2s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, x := bed(t, notebook(t), c.starts)
			if strings.Contains(c.says, "within") {
				x.Timeout = 2 * time.Second
			}
			err := x.Apply(t.Context(), plan(t, notebook(t)))
			var restored *Restored
			if !errors.As(err, &restored) {
				t.Fatalf("%v: want it restored", err)
			}
			// It is printed as the failure that is found first.
			var failure *rollout.Failure
			if !errors.As(err, &failure) || failure.Error() != err.Error() || len(failure.Causes) != 1 {
				t.Errorf("%v: want it to be one failure, with its cause", failure)
			}
			if !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "the old values are back, and the notebook runs again") {
				t.Errorf("%q: want it to say %q, and that the old values are back", err, c.says)
			}
			if last := k.log[len(k.log)-1]; last != "Running scipy:1" {
				t.Errorf("it went through %v: want it to end as Running scipy:1", k.log)
			}
			u := k.stored()
			got := container0(t, u)
			want := map[string]any{"requests": map[string]any{"cpu": "500m", "memory": "1Gi"}, "limits": map[string]any{"memory": "1Gi"}}
			if d := cmp.Diff(want, got["resources"]); d != "" {
				t.Errorf("resources (-want +got):\n%s", d)
			}
			if left := u.GetAnnotations(); len(left) != 1 {
				t.Errorf("annotations %v: want no trace of the edit", left)
			}
		})
	}
}

func TestACauseThatGoesByIsNoReasonToGiveUp(t *testing.T) {
	looks := 0
	c, x := bed(t, notebook(t), func(image string) (notebooks.State, *report.Cause) {
		if looks++; image == "torch:2" && looks < 2 {
			return notebooks.Failed, &report.Cause{Name: diagnose.QuotaExceeded, Severity: report.Error, Summary: "what was said before"}
		}
		return notebooks.Running, nil
	})
	if err := x.Apply(t.Context(), plan(t, notebook(t))); err != nil {
		t.Fatal(err)
	}
	if want := []string{"Stopped scipy:1", "Failed torch:2", "Running torch:2"}; !slices.Equal(c.log, want) {
		t.Errorf("it went through %v, want %v", c.log, want)
	}
}

func TestAnInterruptedEditIsFinishedOrTakenBackByTheNext(t *testing.T) {
	for _, at := range []string{"Stopped scipy:1", "Running torch:2"} {
		for finish, image := range map[string]string{"continue": "torch:2", "undo": "scipy:1"} {
			t.Run(at+" "+finish, func(t *testing.T) {
				c, x := bed(t, notebook(t), works)
				ctx, cancel := context.WithCancel(t.Context())
				c.interrupt, c.cancel = at, cancel
				err := x.Apply(ctx, plan(t, notebook(t)))
				if err == nil || !strings.Contains(err.Error(), "notebook edit lab -n ada` with --continue or --undo") {
					t.Fatalf("%v: want it to say how to go on", err)
				}
				c.interrupt = ""
				e, err := Interrupted(c.stored())
				if err != nil || e == nil {
					t.Fatalf("found %v, error %v: want the edit that was interrupted", e, err)
				}
				if !e.Began().Equal(noon) || len(e.Differences()) != 3 || !e.Runs() {
					t.Errorf("begun %s, differences %v: want noon, and image, memory and its limit", e.Began(), e.Differences())
				}
				if finish == "undo" {
					err = x.Undo(t.Context(), e)
				} else {
					err = x.Apply(t.Context(), e)
				}
				if err != nil {
					t.Fatal(err)
				}
				u := c.stored()
				if got := container0(t, u)["image"]; got != image || u.GetAnnotations()[recordAnnotation] != "" || u.GetAnnotations()[notebooks.StoppedAnnotation] != "" {
					t.Errorf("image %v, annotations %v: want %s running, without a record", got, u.GetAnnotations(), image)
				}
			})
		}
	}
}

func TestWhatWasWrittenDownOfAnEditIsReadWithCare(t *testing.T) {
	if e, err := Interrupted(notebook(t)); e != nil || err != nil {
		t.Errorf("%v, error %v: want none", e, err)
	}
	for text, want := range map[string]string{
		"{":                      "annotation kubectl-jupyter/edit: unexpected end of JSON input: remove it",
		`{"container": "other"}`: "there is no container other",
		`{"container": "lab", "before": {"resources": {"limits": {"cpu": "many"}}}}`: "annotation kubectl-jupyter/edit: ",
	} {
		_, err := Interrupted(notebook(t, func(u *unstructured.Unstructured) { annotate(u, recordAnnotation, text) }))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "Notebook ada/lab") {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestAnotherNotebookOfTheNameIsLeftAlone(t *testing.T) {
	other := notebook(t)
	other.SetUID("other")
	_, x := bed(t, other, works)
	err := x.Apply(t.Context(), plan(t, notebook(t)))
	if err == nil || !strings.Contains(err.Error(), "another notebook has taken its name meanwhile") {
		t.Errorf("%v: want it to say that the notebook is another one", err)
	}
}

func TestThePodOfAnEditHasTheNewValues(t *testing.T) {
	u, err := plan(t, notebook(t)).Changed(notebook(t))
	if err != nil {
		t.Fatal(err)
	}
	if got := container0(t, u); got["image"] != "torch:2" || container0(t, notebook(t))["image"] != "scipy:1" {
		t.Errorf("image %v: want torch:2, and the notebook itself as it was", got["image"])
	}
}
