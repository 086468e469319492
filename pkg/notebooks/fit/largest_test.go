package fit

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/form"
)

func resources(text string) corev1.ResourceList {
	out := corev1.ResourceList{}
	for _, a := range strings.Fields(text) {
		name, amount, _ := strings.Cut(a, "=")
		out[corev1.ResourceName(name)] = resource.MustParse(amount)
	}
	return out
}

func node(name, has string) corev1.Node {
	return corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{Allocatable: resources(has)}}
}

func quota(hard, used string) corev1.ResourceQuota {
	return corev1.ResourceQuota{Status: corev1.ResourceQuotaStatus{Hard: resources(hard), Used: resources(used)}}
}

func most(kind corev1.LimitType, amounts string) corev1.LimitRange {
	return corev1.LimitRange{Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{Type: kind, Max: resources(amounts)}}}}
}

func TestASizeIsCutDownToWhatThereIs(t *testing.T) {
	large := []corev1.Node{node("large", "cpu=64 memory=256Gi nvidia.com/gpu=8")}
	sidecar := extra{resources("cpu=100m memory=128Mi"), resources("cpu=2 memory=1Gi")}
	for name, tc := range map[string]struct {
		nodes  []corev1.Node
		used   map[string]corev1.ResourceList
		unread bool
		quotas []corev1.ResourceQuota
		limits []corev1.LimitRange
		want   Size
		limit  string
		got    Size
	}{
		"what fits stays as it is": {nodes: large, want: Size{CPU: 4, Memory: 8}, got: Size{CPU: 4, Memory: 8}},
		"a node's room is less its sidecar, and rounded down": {
			nodes: []corev1.Node{node("a", "cpu=4 memory=8Gi")}, want: Size{CPU: 8, Memory: 4}, got: Size{CPU: 3.9, Memory: 4},
		},
		"what runs on a node counts": {
			nodes: []corev1.Node{node("a", "cpu=4 memory=8Gi")}, used: map[string]corev1.ResourceList{"a": resources("cpu=2 memory=6Gi")},
			want: Size{CPU: 8, Memory: 8}, got: Size{CPU: 1.9, Memory: 1.8},
		},
		"GPUs count more than CPU": {
			nodes: []corev1.Node{node("cpus", "cpu=64 memory=64Gi"), node("gpus", "cpu=8 memory=16Gi nvidia.com/gpu=2")},
			want:  Size{CPU: 16, Memory: 8, GPUs: 4, GPU: "nvidia.com/gpu"}, got: Size{CPU: 7.9, Memory: 8, GPUs: 2, GPU: "nvidia.com/gpu"},
		},
		"GPUs of several nodes are not one notebook's": {
			nodes: []corev1.Node{node("a", "cpu=8 memory=16Gi nvidia.com/gpu=2"), node("b", "cpu=8 memory=16Gi nvidia.com/gpu=3")},
			want:  Size{CPU: 1, Memory: 1, GPUs: 5, GPU: "nvidia.com/gpu"}, got: Size{CPU: 1, Memory: 1, GPUs: 3, GPU: "nvidia.com/gpu"},
		},
		"a quota of requests": {nodes: large, quotas: []corev1.ResourceQuota{quota("requests.cpu=4", "requests.cpu=1")}, want: Size{CPU: 8, Memory: 1}, got: Size{CPU: 2.9, Memory: 1}},
		"a quota of limits is divided by what the form multiplies with": {
			nodes: large, quotas: []corev1.ResourceQuota{quota("limits.memory=13Gi", "")}, want: Size{CPU: 1, Memory: 20}, limit: "cpu=2 memory=40Gi", got: Size{CPU: 1, Memory: 6},
		},
		"a quota of GPUs": {
			nodes: large, quotas: []corev1.ResourceQuota{quota("requests.nvidia.com/gpu=3", "requests.nvidia.com/gpu=2")},
			want: Size{CPU: 1, Memory: 1, GPUs: 2, GPU: "nvidia.com/gpu"}, got: Size{CPU: 1, Memory: 1, GPUs: 1, GPU: "nvidia.com/gpu"},
		},
		"a quota of other pods is nobody's here": {
			nodes: large, quotas: []corev1.ResourceQuota{{Spec: corev1.ResourceQuotaSpec{Hard: resources("requests.cpu=1"), Scopes: []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopeBestEffort}}}},
			want: Size{CPU: 8, Memory: 1}, got: Size{CPU: 8, Memory: 1},
		},
		"the most of a container":           {nodes: large, limits: []corev1.LimitRange{most(corev1.LimitTypeContainer, "cpu=4")}, want: Size{CPU: 8, Memory: 1}, limit: "cpu=16", got: Size{CPU: 2, Memory: 1}},
		"the most of a pod":                 {nodes: large, limits: []corev1.LimitRange{most(corev1.LimitTypePod, "memory=5Gi")}, want: Size{CPU: 1, Memory: 8}, got: Size{CPU: 1, Memory: 4}},
		"nodes that nobody may see are not": {unread: true, want: Size{CPU: 800, Memory: 1}, got: Size{CPU: 800, Memory: 1}},
		"no node has any room":              {nodes: []corev1.Node{node("a", "cpu=50m memory=8Gi")}, want: Size{CPU: 1, Memory: 1}, got: Size{}},
	} {
		t.Run(name, func(t *testing.T) {
			room := &diagnose.Snapshot{Nodes: tc.nodes, Requested: tc.used, Read: []string{"nodes", "pods of all nodes"}}
			if tc.unread {
				room.Read = nil
			}
			f := &Facts{room: room, quotas: tc.quotas, limits: tc.limits}
			pod := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{
					corev1.ResourceCPU:    *resource.NewMilliQuantity(int64(tc.want.CPU*1000), resource.DecimalSI),
					corev1.ResourceMemory: *resource.NewQuantity(int64(tc.want.Memory*gibi), resource.BinarySI),
				},
				Limits: resources(tc.limit),
			}}}}}
			if diff := cmp.Diff(tc.got, f.cap(tc.want, pod, sidecar)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestASizeIsWrittenAsFlags(t *testing.T) {
	for want, s := range map[string]Size{
		"--cpu 0.5 --memory 1Gi":                        {CPU: 0.5, Memory: 1},
		"--cpu 15.3 --memory 2.1Gi --gpu 2:amd.com/gpu": {CPU: down(15.34), Memory: down(2.1), GPUs: 2, GPU: "amd.com/gpu"},
	} {
		if got := s.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestTheSizeOfANotebookIsWhatItRequests(t *testing.T) {
	o := &form.Objects{Notebook: &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"name": "lab", "namespace": "ada", "labels": map[string]any{"team": "vision"}},
		"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"containers": []any{map[string]any{
			"name": "lab", "resources": map[string]any{"requests": map[string]any{"cpu": "500m", "memory": "2Gi"}, "limits": map[string]any{"nvidia.com/gpu": "2"}},
		}}}}},
	}}}
	got, err := SizeOf(o)
	if err != nil || got != (Size{0.5, 2, 2, "nvidia.com/gpu"}) {
		t.Errorf("%+v, %v", got, err)
	}
	pod, err := podOf(o.Notebook)
	if err != nil || pod.Name != "lab-0" || pod.Labels["notebook-name"] != "lab" || pod.Labels["team"] != "vision" {
		t.Errorf("the pod of it is %+v, %v", pod, err)
	}
}

func TestPodDefaultsAreAskedForByNameOrLabel(t *testing.T) {
	f := &Facts{namespace: "ada", defaults: []podDefault{
		{"pipelines", map[string]string{"access-ml-pipeline": "true"}}, {"gpu-tools", map[string]string{"tools": "gpu", "more": "true"}},
	}}
	for name, tc := range map[string]struct {
		names []string
		want  map[string]string
		err   string
	}{
		"by its label":     {[]string{"access-ml-pipeline"}, map[string]string{"access-ml-pipeline": "true"}, ""},
		"by its name":      {[]string{"gpu-tools"}, map[string]string{"tools": "gpu", "more": "true"}, ""},
		"one that is none": {[]string{"nope"}, nil, `namespace ada has no PodDefault "nope": it has gpu-tools, pipelines`},
		"none at all":      {nil, map[string]string{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := f.Labels(tc.names)
			if diff := cmp.Diff(tc.want, got); diff != "" || (err == nil) != (tc.err == "") || err != nil && err.Error() != tc.err {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestAnImageThatNodesHaveIsTold(t *testing.T) {
	f := &Facts{room: &diagnose.Snapshot{Nodes: make([]corev1.Node, 3)}, images: map[string]image{"docker.io/team/lab:1": {2_500_000_000, []string{"a", "b"}}}}
	if got := f.ImageText("team/lab:1"); got != "2500 MB, on 2 of 3 nodes" {
		t.Error(got)
	}
	if got := f.ImageText("team/lab:2"); got != "" {
		t.Error(got)
	}
}

func TestWhatTheAPIServerRefusesIsACauseOrAnError(t *testing.T) {
	for name, tc := range map[string]struct{ message, cause, err string }{
		"a quota":        {`pods "lab-0" is forbidden: exceeded quota: small, requested: requests.cpu=2, used: requests.cpu=1, limited: requests.cpu=2`, diagnose.QuotaExceeded, ""},
		"a LimitRange":   {`pods "lab-0" is forbidden: maximum cpu usage per Container is 2, but limit is 4`, diagnose.LimitRangeExceeded, ""},
		"a webhook":      {`admission webhook "poddefaults.admission-webhook.kubeflow.org" denied the request: conflict`, diagnose.WebhookRefused, ""},
		"a right":        {`notebooks.kubeflow.org is forbidden: User "eve" cannot create resource "notebooks" in API group "kubeflow.org" in the namespace "ada"`, "", "docs/rbac/notebook-user.yaml"},
		"something else": {`the moon is full`, "", "cannot be created: the moon is full"},
	} {
		t.Run(name, func(t *testing.T) {
			v := &Verdict{}
			err := v.refused(notebookRef, errorText(tc.message))
			switch {
			case tc.cause != "" && (err != nil || len(v.Causes) != 1 || v.Causes[0].Name != tc.cause):
				t.Errorf("%v, %v", v.Causes, err)
			case tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)):
				t.Errorf("%v, want %q", err, tc.err)
			}
		})
	}
}

type errorText string

func (e errorText) Error() string { return string(e) }

var notebookRef = notebooks.RefOf("ada", "lab")
