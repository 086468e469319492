package holders

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage/dra"
)

// show is a row as: STATE DEVICE POD, with ? for what is not known and - for nothing.
func show(rows []Row) []string {
	var out []string
	for _, r := range rows {
		device := "?"
		if r.Device != nil {
			device = r.Device.Index
			if r.Device.Instance != "" {
				device += "/" + r.Device.Instance
			}
			if r.Device.Claimed.Device != "" {
				device = r.Device.Claimed.Device
			}
		}
		pod := "-"
		if r.Pod.Name != "" {
			pod = r.Pod.Namespace + "/" + r.Pod.Name
		}
		out = append(out, fmt.Sprintf("%s %s %s", r.State, device, pod))
	}
	return out
}

// gpu makes a device that the exporter says pods hold, each as NAMESPACE/POD.
func gpu(index string, pods ...string) usage.Device {
	d := usage.Device{UUID: "GPU-" + index, Index: index}
	for _, p := range pods {
		ns, name, _ := strings.Cut(p, "/")
		d.Pods = append(d.Pods, usage.Holder{Namespace: ns, Pod: name, Container: "main"})
	}
	return d
}

func has(namespace, pod string, count int64) held {
	return held{Pod{Namespace: namespace, Name: pod}, count}
}

func TestAssign(t *testing.T) {
	whole := func(capacity, allocatable int64) usage.GPU {
		return usage.GPU{Resource: "nvidia.com/gpu", Replicas: 1, Capacity: capacity, Allocatable: allocatable}
	}
	slots := usage.GPU{Resource: "nvidia.com/gpu", Sharing: usage.TimeSlicing, Replicas: 4, Capacity: 4, Allocatable: 4}
	for _, tt := range []struct {
		name    string
		g       usage.GPU
		devices []usage.Device
		pods    []held
		want    []string
	}{{
		name: "the exporter tells who has which, and the rest is free",
		g:    whole(4, 4), devices: []usage.Device{gpu("0"), gpu("1", "ada/a"), gpu("2", "bob/b"), gpu("3", "ada/a")},
		pods: []held{has("ada", "a", 2), has("bob", "b", 1)},
		want: []string{"held 1 ada/a", "held 2 bob/b", "held 3 ada/a", "free 0 -"},
	}, {
		name: "without an exporter the counts are right and the devices are not known",
		g:    whole(3, 3), pods: []held{has("ada", "a", 2)},
		want: []string{"held ? ada/a", "held ? ada/a", "free ? -"},
	}, {
		name: "an exporter that knows no pods cannot tell held from free",
		g:    whole(3, 3), devices: []usage.Device{gpu("0"), gpu("1"), gpu("2")}, pods: []held{has("ada", "a", 1)},
		want: []string{"held ? ada/a", "free ? -", "free ? -"},
	}, {
		name: "one pod that has all needs no exporter that knows pods",
		g:    whole(2, 2), devices: []usage.Device{gpu("0"), gpu("1")}, pods: []held{has("ada", "a", 2)},
		want: []string{"held 0 ada/a", "held 1 ada/a"},
	}, {
		name: "nor does one GPU",
		g:    whole(1, 1), devices: []usage.Device{gpu("0")}, pods: []held{has("ada", "a", 1)},
		want: []string{"held 0 ada/a"},
	}, {
		name: "while nobody holds anything, every device is free",
		g:    whole(2, 2), devices: []usage.Device{gpu("0"), gpu("1")},
		want: []string{"free 0 -", "free 1 -"},
	}, {
		name: "a pod that has just started is not in the exporter's figures yet",
		g:    whole(3, 3), devices: []usage.Device{gpu("0", "ada/a"), gpu("1"), gpu("2")}, pods: []held{has("ada", "a", 1), has("bob", "b", 1)},
		want: []string{"held 0 ada/a", "held ? bob/b", "free ? -"},
	}, {
		name: "a pod that is gone and still in the exporter's figures holds nothing",
		g:    whole(1, 1), devices: []usage.Device{gpu("0", "ada/gone")},
		want: []string{"free 0 -"},
	}, {
		name: "slots of one GPU are all on it, whoever has them",
		g:    slots, devices: []usage.Device{gpu("0")}, pods: []held{has("ada", "a", 1), has("bob", "b", 2)},
		want: []string{"held 0 ada/a", "held 0 bob/b", "held 0 bob/b", "free 0 -"},
	}, {
		name: "of two shared GPUs the exporter knows who is on which",
		g:    usage.GPU{Sharing: usage.TimeSlicing, Replicas: 2, Capacity: 4, Allocatable: 4}, devices: []usage.Device{gpu("0", "ada/a", "bob/b"), gpu("1", "cyd/c")},
		pods: []held{has("ada", "a", 1), has("bob", "b", 1), has("cyd", "c", 1)},
		want: []string{"held 0 ada/a", "held 0 bob/b", "held 1 cyd/c", "free 1 -"},
	}, {
		name: "a pod with slots on two GPUs has one on each",
		g:    usage.GPU{Sharing: usage.TimeSlicing, Replicas: 2, Capacity: 4, Allocatable: 4}, devices: []usage.Device{gpu("0", "ada/a", "bob/b"), gpu("1", "ada/a")},
		pods: []held{has("ada", "a", 2), has("bob", "b", 1)},
		want: []string{"held 0 ada/a", "held 0 bob/b", "held 1 ada/a", "free 1 -"},
	}, {
		name: "what is in the capacity and not allocatable is unusable",
		g:    whole(2, 1), devices: []usage.Device{gpu("0", "ada/a"), gpu("1")}, pods: []held{has("ada", "a", 1)},
		want: []string{"held 0 ada/a", "unusable 1 -"},
	}, {
		name: "which of the free ones is broken is not known",
		g:    whole(2, 1), devices: []usage.Device{gpu("0"), gpu("1")},
		want: []string{"free ? -", "unusable ? -"},
	}, {
		name: "pods keep what has become unhealthy under them: more is held than allocatable",
		g:    whole(2, 0), pods: []held{has("ada", "a", 1)},
		want: []string{"held ? ada/a", "unusable ? -"},
	}} {
		t.Run(tt.name, func(t *testing.T) {
			got := assign(&usage.Node{Name: "n1"}, tt.g, tt.devices, tt.pods)
			if d := cmp.Diff(tt.want, show(got)); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

func TestRowsWithoutTheRightToListPods(t *testing.T) {
	g := usage.GPU{Resource: "nvidia.com/gpu", Replicas: 1, Capacity: 3, Allocatable: 3}
	rows := unlisted(&usage.Node{Name: "n1"}, g, []usage.Device{gpu("0", "ada/a"), gpu("1")}, usage.Absence{Forbidden: true, Reason: "the user is not allowed to list pods"})
	if d := cmp.Diff([]string{"held 0 ada/a", "unknown 1 -", "unknown ? -"}, show(rows)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if rows[0].Why.Forbidden || !rows[1].Why.Forbidden {
		t.Errorf("want the reason on what is not known alone, got %+v and %+v", rows[0].Why, rows[1].Why)
	}
}

func TestRowsOfClaims(t *testing.T) {
	notebook := func(namespace, pod string) Pod {
		p := Pod{Namespace: namespace, Name: pod}
		if namespace == "ada" && pod == "vision-0" {
			p.Notebook = "vision"
		}
		return p
	}
	named := usage.DRADevice{Driver: "gpu.nvidia.com", Pool: "n1", Device: "gpu-0"}
	busy := usage.Device{UUID: "GPU-x", Index: "0", Live: usage.Live{Utilization: usage.Known(40.0)}}
	for _, tt := range []struct {
		name    string
		d       dra.Device
		devices []usage.Device
		want    []string
		live    bool
	}{{
		name: "a device that nobody claims is free",
		d:    dra.Device{DRADevice: named}, want: []string{"free gpu-0 -"},
	}, {
		name: "a device that pods share has a row for each",
		d:    dra.Device{DRADevice: named, Claims: []dra.Claim{{Namespace: "ada", Name: "c", Pods: []string{"vision-0", "x"}}}},
		want: []string{"held gpu-0 ada/vision-0", "held gpu-0 ada/x"},
	}, {
		name: "a claim that no pod uses yet holds its device",
		d:    dra.Device{DRADevice: named, Claims: []dra.Claim{{Namespace: "ada", Name: "c"}}}, want: []string{"held gpu-0 -"},
	}, {
		name: "the exporter knows a device by its UUID",
		d:    dra.Device{DRADevice: named, UUID: "GPU-x"}, devices: []usage.Device{gpu("1"), busy}, want: []string{"free gpu-0 -"}, live: true,
	}, {
		name: "or by its driver's names",
		d:    dra.Device{DRADevice: named}, devices: []usage.Device{{UUID: "GPU-y", Claimed: named, Live: busy.Live}}, want: []string{"free gpu-0 -"}, live: true,
	}, {
		name: "a MIG device is not the GPU whose part it is",
		d:    dra.Device{DRADevice: named, UUID: "GPU-x"}, devices: []usage.Device{{UUID: "GPU-x", Instance: "3", Live: busy.Live}}, want: []string{"free gpu-0 -"},
	}, {
		name: "a tainted device is unusable",
		d:    dra.Device{DRADevice: named, Unusable: "tainted"}, want: []string{"unusable gpu-0 -"},
	}} {
		t.Run(tt.name, func(t *testing.T) {
			rows := claimed(&usage.Node{Name: "n1"}, tt.d, tt.devices, usage.Absence{}, notebook)
			if d := cmp.Diff(tt.want, show(rows)); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			if p, ok := rows[0].Live().Utilization.Get(); ok != tt.live || tt.live && p != 40 {
				t.Errorf("utilization %v, known %v: want it known: %v", p, ok, tt.live)
			}
			if rows[0].Pod.Name == "vision-0" && rows[0].Pod.Notebook != "vision" {
				t.Errorf("the notebook of %+v is missing", rows[0].Pod)
			}
		})
	}
}
