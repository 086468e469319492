package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

const (
	topTable = `NAME      STATUS   CPU(cores)   CPU%        MEMORY(bytes)   MEMORY%     GPU              PRODUCT   CAPACITY   REQUESTED   FREE
cpu-0     Ready    100m         1%          1Mi             2%          -                -         -          -           -
gpu-0     Ready    <unknown>    <unknown>   <unknown>       <unknown>   nvidia.com/gpu   T4        8          5           3
`
	kubectlTable = `NAME    CPU(cores)   CPU(%)      MEMORY(bytes)   MEMORY(%)
cpu-0   100m         1%          1Mi             2%
gpu-0   <unknown>    <unknown>   <unknown>       <unknown>
`
	plainTable = "cpu-0 100 0\ngpu-0 0 5\n"
)

func TestTheTablesAreComparedCellByCell(t *testing.T) {
	for _, tt := range []struct {
		name              string
		ours, peer, plain string
		want              int
	}{
		{"equal ones have no difference", topTable, kubectlTable, plainTable, 0},
		{"another percentage is one", topTable, strings.Replace(kubectlTable, "2%", "3%", 1), plainTable, 1},
		{"a node that kubectl does not have is one", topTable, strings.Join(strings.SplitAfter(kubectlTable, "\n")[:2], ""), plainTable, 1},
		{"a node that we do not have is one, in both comparisons", strings.Join(strings.SplitAfter(topTable, "\n")[:2], ""), kubectlTable, plainTable, 2},
		{"another count of GPUs is one", topTable, kubectlTable, strings.Replace(plainTable, "0 5", "0 6", 1), 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := append(differentCells(tt.ours, tt.peer), differentRequests(tt.ours, tt.plain)...); len(got) != tt.want {
				t.Errorf("%d differences, want %d: %v", len(got), tt.want, got)
			}
		})
	}
}

func TestTheLargeClusterIsAsLargeAsItSays(t *testing.T) {
	gpus, finished, requesting := 0, 0, 0
	const nodes = 100
	for i := range nodes {
		if mixed.hasGPUs(i) {
			gpus++
		}
	}
	for i := range nodes * mixed.podsPerNode {
		p := mixed.pod(i)
		if p.Spec.NodeName != mixed.nodeName(i/mixed.podsPerNode) {
			t.Fatalf("pod %d is on %s", i, p.Spec.NodeName)
		}
		if mixed.finished(i) {
			finished++
		}
		if q := p.Spec.Containers[0].Resources.Limits["nvidia.com/gpu"]; !q.IsZero() {
			requesting++
			if !mixed.hasGPUs(i / mixed.podsPerNode) {
				t.Fatalf("pod %d asks for a GPU where none is", i)
			}
		}
	}
	if gpus != nodes/mixed.gpuNodeEvery || finished != nodes*mixed.podsPerNode/mixed.finishedEvery || requesting != gpus*mixed.podsPerNode/2 {
		t.Errorf("%d nodes with GPUs, %d finished pods, %d that ask for GPUs", gpus, finished, requesting)
	}
	for i := range 100 {
		if q := dense.pod(i).Spec.Containers[0].Resources.Limits["nvidia.com/gpu"]; q.Value() != 1 || dense.finished(i) || !dense.hasGPUs(i/dense.podsPerNode) {
			t.Fatalf("pod %d of the dense cluster has %s GPUs", i, &q)
		}
	}
	pod, node := mixed.pod(99), mixed.node(9)
	if size := pod.Size(); size < 3000 || size > 6000 { // defaults and managed fields come on top, for some 8.8 kB
		t.Errorf("a pod has %d bytes", size)
	}
	if size := node.Size(); size < 8000 || size > 16000 {
		t.Errorf("a node has %d bytes", size)
	}
}

func TestTheStandInAnswersInBothFormats(t *testing.T) {
	inJSON, inProtobuf, err := figuresOf([]corev1.Node{*mixed.node(0), *mixed.node(1)})
	if err != nil {
		t.Fatal(err)
	}
	var a, b metricsv1beta1.NodeMetricsList
	if err := json.Unmarshal(inJSON, &a); err != nil {
		t.Fatal(err)
	}
	var envelope runtime.Unknown
	if err := envelope.Unmarshal(inProtobuf[4:]); err != nil {
		t.Fatal(err)
	}
	if err := b.Unmarshal(envelope.Raw); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		for _, name := range []corev1.ResourceName{"cpu", "memory"} {
			if x, y := a.Items[i].Usage[name], b.Items[i].Usage[name]; x.Cmp(y) != 0 {
				t.Errorf("%s of %s: %s in JSON, %s in protobuf", name, a.Items[i].Name, &x, &y)
			}
		}
	}
}

func TestTheVerdictOnTop(t *testing.T) {
	runs := func(wall time.Duration, rss int64) []timed { return []timed{{sample: sample{wall: wall, rss: rss}}} }
	stage := topStage{crowd: mixed, nodes: 5000, pods: 50000, requests: map[string]int{reads: 510}, peerAsked: map[string]int{reads: 4}}
	for _, tt := range []struct {
		name              string
		ours, peer, plain time.Duration
		rss               int64
		differences       []string
		want              []bool
	}{
		{"everything is met", 800 * time.Millisecond, time.Second, 4000 * time.Millisecond, 150e6, nil, []bool{true, true, true, true}},
		{"everything is missed", 801 * time.Millisecond, time.Second, 4004 * time.Millisecond, 150e6 + 1, []string{"a node"}, []bool{false, false, false, false}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := stage
			s.ours, s.peer, s.plain, s.differences = runs(tt.ours, tt.rss), runs(tt.peer, 1), runs(tt.plain, 1), tt.differences
			s.refreshes = s.ours
			held := s
			held.crowd, held.gpus, held.differences = dense, s.ours, nil
			f := topFigure([]topStage{s}, held)
			for i, c := range f.checks {
				if c.met != tt.want[i] {
					t.Errorf("%s: %t (%s)", c.what, c.met, c.value)
				}
			}
			if len(f.table) != 10 || len(f.table[0]) != len(f.table[1]) {
				t.Errorf("the table has rows of other columns: %v", f.table)
			}
			for id, target := range ownTarget {
				f.id = id
				if text := document(machine{}, []*figure{f}); strings.Contains(text, "UPSTREAM") || !strings.Contains(text, "`make "+target+"`") {
					t.Errorf("the report does not say how it was made:\n%s", text)
				}
			}
		})
	}
}
