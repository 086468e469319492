package pulls

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/scheme"
	clienttesting "k8s.io/client-go/testing"
	psapi "k8s.io/pod-security-admission/api"
	pspolicy "k8s.io/pod-security-admission/policy"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

func node(name string, change func(*corev1.Node)) *corev1.Node {
	n := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"name": name}},
		Status:     corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}},
	}
	if change != nil {
		change(n)
	}
	return n
}

func newCluster(objects ...runtime.Object) (*cluster.Cluster, *fake.FakeDynamicClient) {
	client := fake.NewSimpleDynamicClient(scheme.Scheme, objects...)
	return &cluster.Cluster{Dynamic: client}, client
}

func TestNodesThatTakePodsAreChosen(t *testing.T) {
	tainted := func(effect corev1.TaintEffect) func(*corev1.Node) {
		return func(n *corev1.Node) { n.Spec.Taints = []corev1.Taint{{Key: "gpu", Effect: effect}} }
	}
	c, _ := newCluster(
		node("cordoned", func(n *corev1.Node) { n.Spec.Unschedulable = true }), node("plain", nil), node("preferred", tainted(corev1.TaintEffectPreferNoSchedule)),
		node("silent", func(n *corev1.Node) { n.Status.Conditions = nil }), node("tainted", tainted(corev1.TaintEffectNoSchedule)),
		node("windows", func(n *corev1.Node) { n.Labels[corev1.LabelOSStable] = "windows" }),
	)
	for name, test := range map[string]struct {
		selector string
		tolerate bool
		most     int
		want     []string
	}{
		"without tolerations":                    {"", false, 0, []string{"plain", "preferred"}},
		"with all of them":                       {"", true, 0, []string{"plain", "preferred", "tainted"}},
		"those that a selector has":              {"name in (plain,tainted)", true, 0, []string{"plain", "tainted"}},
		"no more than are asked for, of several": {"", false, 1, []string{"plain"}},
	} {
		t.Run(name, func(t *testing.T) {
			selector, err := labels.Parse(test.selector)
			if err != nil {
				t.Fatal(err)
			}
			nodes, err := Nodes(t.Context(), c, selector, test.tolerate, test.most)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, n := range nodes {
				got = append(got, n.Name)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestImagesAreKnownByTheNamesThatNodesGiveThem(t *testing.T) {
	n := nodeOf(node("a", func(n *corev1.Node) {
		n.Status.Images = []corev1.ContainerImage{
			{Names: []string{"docker.io/library/busybox:1", "docker.io/istio/pilot:1.24.3"}},
			{Names: []string{"quay.io/a/b@sha256:aa", "quay.io/a/b:v1"}},
			{Names: []string{"localhost:5000/c:v1"}},
		}
	}))
	for ref, want := range map[string]bool{
		"busybox:1": true, "docker.io/busybox:1": true, "busybox:2": false, "istio/pilot:1.24.3": true, "docker.io/istio/pilot:1.24.3": true,
		"quay.io/a/b:v1": true, "quay.io/a/b@sha256:aa": true, "quay.io/a/b:v2": false, "localhost:5000/c:v1": true, "a/b:v1": false,
	} {
		if got := n.Has(ref); got != want {
			t.Errorf("%s: has it %t, want %t", ref, got, want)
		}
	}
}

func TestPodsPassTheRestrictedStandardAndRunNothing(t *testing.T) {
	evaluator, err := pspolicy.NewEvaluator(pspolicy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := psapi.LevelVersion{Level: psapi.LevelRestricted, Version: psapi.LatestVersion()}
	c, _ := newCluster()
	for name, s := range map[string]*stage{
		"DaemonSet": {nodes: []string{"a", "b"}, images: []string{"one:v1", "two:v1"}},
		"Job":       {nodes: []string{"a"}, images: []string{"one:v1", "two:v1"}, job: true, owner: &metav1.OwnerReference{Kind: "ConfigMap", Name: "kubectl-jupyter", UID: "1"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := New(c, Options{Secret: "default/mirror"})
			u, err := p.object(s)
			if err != nil {
				t.Fatal(err)
			}
			if u.GetKind() != name {
				t.Fatalf("it is a %s", u.GetKind())
			}
			template := template(t, u)
			if r := pspolicy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &template.ObjectMeta, &template.Spec)); !r.Allowed {
				t.Errorf("%s: %s", r.ForbiddenReason(), r.ForbiddenDetail())
			}
			if got := len(template.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms); got != len(s.nodes) {
				t.Errorf("%d terms for %d nodes", got, len(s.nodes))
			}
			if u.GetNamespace() != "default" || len(template.Spec.ImagePullSecrets) != 1 || template.Spec.ImagePullSecrets[0].Name != "mirror" || *template.Spec.AutomountServiceAccountToken {
				t.Errorf("pull secrets %v, token %v", template.Spec.ImagePullSecrets, template.Spec.AutomountServiceAccountToken)
			}
			for i, c := range template.Spec.Containers {
				if c.Image != s.images[i] || c.ImagePullPolicy != corev1.PullIfNotPresent {
					t.Errorf("container %d has image %s, policy %s", i, c.Image, c.ImagePullPolicy)
				}
				// A Job has to end by itself, and a DaemonSet's pod must not be started again and again.
				if waits := len(c.Env) == 1 && c.Env[0].ValueFrom.ConfigMapKeyRef.Optional == nil; waits == s.job || len(c.Command) != 1 {
					t.Errorf("container %d: variables %v, command %q", i, c.Env, c.Command)
				}
			}
			if s.job {
				job := &batchv1.Job{}
				convert(t, u, job)
				// An owner has to be in the same namespace.
				if job.Spec.TTLSecondsAfterFinished == nil || job.Spec.ActiveDeadlineSeconds == nil || len(job.OwnerReferences) != 0 {
					t.Errorf("nothing deletes it: %+v", job)
				}
			} else if !rollout.IsMember(u) || u.GetLabels()[components.ComponentLabel] != Component {
				t.Errorf("the next run does not know whose it is: %v", u.GetLabels())
			}
		})
	}
}

func TestAKeptDaemonSetIsForNodesThatComeLater(t *testing.T) {
	c, _ := newCluster()
	selector, err := labels.Parse("gpu=true,zone!=b,!old")
	if err != nil {
		t.Fatal(err)
	}
	p := New(c, Options{Keep: true, Selector: selector, Tolerate: true})
	p.Add([]Node{{Name: "a", images: map[string]bool{"docker.io/library/one:v1": true}}}, []string{"one:v1"})
	if len(p.stages) != 1 {
		t.Fatalf("%d stages, although nodes that come later lack the image", len(p.stages))
	}
	u, err := p.object(p.stages[0])
	if err != nil {
		t.Fatal(err)
	}
	template := template(t, u)
	terms := template.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	if len(terms) != 1 || len(terms[0].MatchFields) != 0 {
		t.Fatalf("%+v", terms)
	}
	var got []string
	for _, e := range terms[0].MatchExpressions {
		got = append(got, fmt.Sprint(e.Key, e.Operator, e.Values))
	}
	slices.Sort(got)
	if want := []string{"gpuIn[true]", "oldDoesNotExist[]", "zoneNotIn[b]"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(template.Spec.Tolerations) != 1 || !rollout.IsMember(u) || u.GetLabels()[components.ComponentLabel] != "" {
		t.Errorf("tolerations %v, labels %v", template.Spec.Tolerations, u.GetLabels())
	}
}

func convert(t *testing.T, u *unstructured.Unstructured, into any) {
	t.Helper()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(u.Object, into, true); err != nil {
		t.Fatal(err)
	}
}

func template(t *testing.T, u *unstructured.Unstructured) corev1.PodTemplateSpec {
	t.Helper()
	if u.GetKind() == "Job" {
		job := &batchv1.Job{}
		convert(t, u, job)
		return job.Spec.Template
	}
	set := &appsv1.DaemonSet{}
	convert(t, u, set)
	return set.Spec.Template
}

// kubelet pulls for the pods of DaemonSets and Jobs as one does, by what it says in events.
type kubelet struct {
	t      *testing.T
	client *fake.FakeDynamicClient
	// says is the message of an event instead of success, by image; none: nothing is heard of it.
	says map[string]string

	mu     sync.Mutex
	pulled []string
}

// answer creates the pods of what is created, and tells of their images.
func (k *kubelet) answer(kind schema.GroupVersionResource, u *unstructured.Unstructured) {
	spec := template(k.t, u)
	for _, term := range spec.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		on := term.MatchFields[0].Values[0]
		name := u.GetName() + "-" + on
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: Namespace, UID: types.UID(name), Labels: spec.Labels}, Spec: spec.Spec}
		pod.Spec.NodeName = on
		k.create(podsResource, "Pod", pod)
		for i, c := range pod.Spec.Containers {
			message, other := k.says[c.Image]
			if other && message == "" {
				break
			}
			k.mu.Lock()
			k.pulled = append(k.pulled, c.Image)
			k.mu.Unlock()
			k.event(pod, c.Name, fmt.Sprint(i, "-0"), "Pulling", `Pulling image "`+c.Image+`"`)
			reason := "Failed"
			if !other {
				reason, message = "Pulled", fmt.Sprintf(`Successfully pulled image %q in 1.5s (2s including waiting). Image size: 1000000 bytes.`, c.Image)
			}
			k.event(pod, c.Name, fmt.Sprint(i, "-1"), reason, message)
		}
	}
}

func (k *kubelet) event(pod *corev1.Pod, container, suffix, reason, message string) {
	k.create(eventsResource, "Event", &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Name: pod.Name + "." + suffix, Namespace: Namespace, UID: types.UID(pod.Name + "." + suffix)},
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: Namespace, Name: pod.Name, UID: pod.UID, FieldPath: "spec.containers{" + container + "}"},
		Reason:         reason, Message: message, Source: corev1.EventSource{Component: "kubelet", Host: "a"},
	})
}

func (k *kubelet) create(resource schema.GroupVersionResource, kind string, object any) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		k.t.Error(err)
		return
	}
	u := &unstructured.Unstructured{Object: content}
	u.SetAPIVersion("v1")
	u.SetKind(kind)
	if err := k.client.Tracker().Create(resource, u, Namespace); err != nil {
		k.t.Error(err)
	}
}

// pulling is a puller on a cluster with a kubelet that tells of one image other things.
func pulling(t *testing.T, says map[string]string, o Options) (*Puller, *kubelet) {
	t.Helper()
	c, client := newCluster()
	k := &kubelet{t: t, client: client, says: says}
	for _, kind := range []schema.GroupVersionResource{daemonSets, jobs} {
		client.PrependReactor("create", kind.Resource, func(a clienttesting.Action) (bool, runtime.Object, error) {
			k.answer(kind, a.(clienttesting.CreateAction).GetObject().(*unstructured.Unstructured))
			return false, nil, nil
		})
	}
	p := New(c, o)
	p.every = time.Millisecond
	return p, k
}

// left are the names of what a puller has made and not deleted.
func (k *kubelet) left(kind schema.GroupVersionResource) []string {
	list, err := k.client.Resource(kind).Namespace(Namespace).List(k.t.Context(), metav1.ListOptions{})
	if err != nil {
		k.t.Fatal(err)
	}
	var out []string
	for _, u := range list.Items {
		out = append(out, u.GetName())
	}
	return out
}

func many(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("image-%02d:v1", i))
	}
	return out
}

func TestImagesArePulledInTheirOrderAndNothingIsLeft(t *testing.T) {
	var events []report.Event
	p, k := pulling(t, nil, Options{Events: func(e report.Event) { events = append(events, e) }})
	has := Node{Name: "a", images: map[string]bool{"docker.io/library/image-03:v1": true}}
	p.Add([]Node{has}, many(17))
	p.AddAlone([]Node{has}, []string{"notebook:v1"})
	if err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := append(slices.Delete(many(17), 3, 4), "notebook:v1")
	if !slices.Equal(k.pulled, want) {
		t.Errorf("pulled %q, want %q", k.pulled, want)
	}
	s := Sums(p.Images())
	if s.There != 18 || s.Total != 18 || s.Bytes != 17_000_000 {
		t.Errorf("%+v", s)
	}
	if left := k.left(daemonSets); left != nil {
		t.Errorf("left: %q", left)
	}
	last := events[len(events)-1]
	if last.Component != Component || last.State != report.Ready || last.Done != 18 || last.Total != 18 {
		t.Errorf("last told: %+v", last)
	}
}

func TestWhatOthersWaitForIsAskedForFirstAndTheRestIsLeftToItsPods(t *testing.T) {
	p, k := pulling(t, nil, Options{})
	early, late := []string{"e0:v1", "e1:v1", "e2:v1", "e3:v1"}, many(7)
	// The pod that needs the rest of them, and what was heard of another time.
	other := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "other", UID: "other"}}
	k.event(other, "a", "0", "Pulled", `Successfully pulled image "e3:v1" in 2s`)
	k.client.PrependReactor("create", "jobs", func(clienttesting.Action) (bool, runtime.Object, error) {
		k.event(other, "a", "1", "Pulled", `Successfully pulled image "e3:v1" in 3s (3s including waiting). Image size: 5000000 bytes.`)
		return false, nil, nil
	})
	p.AddBeside(Node{Name: "a"}, early, late)
	p.AddAlone([]Node{{Name: "a"}}, []string{"notebook:v1"})
	if err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := slices.Concat([]string{"e0:v1"}, late[:6], []string{"e1:v1", "e2:v1"}, late[6:], []string{"notebook:v1"})
	if !slices.Equal(k.pulled, want) {
		t.Errorf("pulled %q, want %q", k.pulled, want)
	}
	if s := Sums(p.Images()); s.There != 12 || s.Total != 12 || s.Bytes != 16_000_000 {
		t.Errorf("%+v", s)
	}
	if left := k.left(daemonSets); left != nil {
		t.Errorf("left: %q", left)
	}
}

func TestWhatIsThereIsNotPulled(t *testing.T) {
	p, k := pulling(t, nil, Options{})
	p.Add([]Node{{Name: "a", images: map[string]bool{"docker.io/library/image-00:v1": true}}}, many(1))
	if err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !p.Needless() || len(k.pulled) > 0 || len(k.client.Actions()) > 0 {
		t.Errorf("pulled %q with %d requests", k.pulled, len(k.client.Actions()))
	}
}

func TestWhatOtherPodsHaveSaidIsNotTakenForAnAnswer(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	p, k := pulling(t, map[string]string{"image-00:v1": ""}, Options{})
	earlier := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "of-an-earlier-run", UID: "earlier"}}
	k.event(earlier, "image-0", "0", "Pulled", `Successfully pulled image "image-00:v1" in 2s`)
	p.Add([]Node{{Name: "a"}}, many(1))
	if err := p.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if got := p.Images()[0].State; got != Waiting {
		t.Errorf("the image is %s, although no pod of this run has it", got)
	}
}

func TestAFailureIsNamedAndEndsNothing(t *testing.T) {
	var warnings []string
	ctx, cancel := context.WithCancel(t.Context())
	p, k := pulling(t, map[string]string{"image-01:v1": `Failed to pull image "image-01:v1": not found`}, Options{Events: func(e report.Event) {
		if e.Kind == report.EventWarning {
			warnings = append(warnings, e.Message)
		}
		if e.Kind == report.EventComponent && e.Done == 4 {
			cancel() // it would go on trying for a while
		}
	}})
	p.Add([]Node{{Name: "a"}, {Name: "b"}}, many(3))
	if err := p.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if s := Sums(p.Images()); s.There != 4 || s.Failed != 2 {
		t.Errorf("%+v", s)
	}
	if len(warnings) != 2 || !strings.Contains(warnings[0], `node a cannot pull image-01:v1: Failed to pull image "image-01:v1": not found`) {
		t.Errorf("%q", warnings)
	}
	if left := k.left(daemonSets); left != nil {
		t.Errorf("left: %q", left)
	}
}

func TestAnInterruptedRunLeavesOnlyWhatEndsByItself(t *testing.T) {
	for name, test := range map[string]struct {
		forbidden bool
		jobs      int
	}{
		"a Job": {false, 1},
		"and nothing, for somebody who may not make Jobs": {true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			p, k := pulling(t, map[string]string{"notebook:v1": ""}, Options{})
			k.client.PrependReactor("create", "jobs", func(clienttesting.Action) (bool, runtime.Object, error) {
				time.AfterFunc(20*time.Millisecond, cancel)
				if test.forbidden {
					return true, nil, apierrors.NewForbidden(jobs.GroupResource(), "", nil)
				}
				return false, nil, nil
			})
			p.Add([]Node{{Name: "a"}}, many(2))
			p.AddAlone([]Node{{Name: "a"}}, []string{"notebook:v1"})
			if err := p.Run(ctx); err != nil {
				t.Fatal(err)
			}
			if left := k.left(daemonSets); left != nil {
				t.Errorf("DaemonSets left: %q", left)
			}
			if left := k.left(jobs); len(left) != test.jobs {
				t.Errorf("Jobs left: %q", left)
			}
			if left := p.Left(); len(left) != test.jobs {
				t.Errorf("it says that it leaves %+v", left)
			}
		})
	}
}

func TestAPodTellsByItsStatusWhatItsEventsDoNot(t *testing.T) {
	c, _ := newCluster()
	for reason, want := range map[string]State{
		"ContainerCreating": Waiting, "CreateContainerConfigError": Pulled, "CreateContainerError": Pulled, "RunContainerError": Pulled,
		"ErrImagePull": Failed, "ImagePullBackOff": Failed, "InvalidImageName": Failed,
	} {
		p := New(c, Options{})
		p.Add([]Node{{Name: "a"}}, many(1))
		pod := &corev1.Pod{Spec: corev1.PodSpec{NodeName: "a", Containers: []corev1.Container{{Name: "image-0", Image: "image-00:v1"}}}}
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "image-0", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}}}
		changed := p.seen(pod)
		if got := p.Images()[0].State; got != want || changed != (want != Waiting) {
			t.Errorf("%s: %s (changed: %t), want %s", reason, got, changed, want)
		}
	}
}

func TestOnlyWhatWasKeptIsRemoved(t *testing.T) {
	c, client := newCluster()
	for _, keep := range []bool{true, false} {
		p := New(c, Options{Keep: keep, Selector: labels.Everything()})
		p.Add([]Node{{Name: "a"}}, many(1))
		if err := p.send(t.Context(), p.stages[0]); err != nil {
			t.Fatal(err)
		}
	}
	n, err := New(c, Options{}).RemoveKept(t.Context())
	if err != nil || n != 1 {
		t.Fatalf("%d removed, %v", n, err)
	}
	k := &kubelet{t: t, client: client}
	if left := k.left(daemonSets); len(left) != 1 {
		t.Errorf("left: %q", left)
	}
}
