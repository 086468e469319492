package top

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/activity"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/show"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/top/sums"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage/holders"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

var wasteNow = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// wasted has an A100 of ada that does nothing, and a slot of bob, on a GPU that does little.
func wasted() *holders.Watched {
	device := func(uuid, index string, percent float64) *usage.Device {
		return &usage.Device{Node: "gpu-0", UUID: uuid, Index: index, Live: usage.Live{Utilization: usage.Known(percent), MemoryUsed: usage.Known[int64](30 << 30), MemoryTotal: usage.Known[int64](80 << 30)}}
	}
	node := &usage.Node{Name: "gpu-0", Ready: true}
	return &holders.Watched{
		GPUs: &holders.GPUs{Time: wasteNow, Exported: true, Rows: []holders.Row{
			{Node: node, Resource: "nvidia.com/gpu", Origin: usage.DevicePlugin, Product: "A100", Replicas: 1, State: holders.Held, Device: device("GPU-a", "0", 0), Owner: usage.Known("ada@example.com"), Pod: holders.Pod{Namespace: "kubeflow-ada", Name: "lab-0", Notebook: "lab", Since: wasteNow.Add(-50 * time.Hour)}},
			{Node: node, Resource: "nvidia.com/gpu.shared", Origin: usage.DevicePlugin, Product: "Tesla-T4", Replicas: 4, Sharing: usage.TimeSlicing, State: holders.Held, Device: device("GPU-b", "1", 2), Owner: usage.Missing[string](usage.Absence{Forbidden: true, Reason: "no"}), Pod: holders.Pod{Namespace: "kubeflow-bob", Name: "job", Since: wasteNow.Add(-10 * time.Hour)}},
		}},
		Started: wasteNow.Add(-10 * time.Minute), Samples: 40,
		Uses: []holders.WatchedUse{
			{Peak: usage.Known(0.0), Mean: usage.Known(0.0), Samples: 40},
			{Peak: usage.Known(4.9), Mean: usage.Known(1.2), Samples: 38},
		},
	}
}

func printed(t *testing.T, look view.Look, format string) string {
	t.Helper()
	var b strings.Builder
	o := show.LookOptions{Base: &plugin.Base{IOStreams: genericiooptions.IOStreams{Out: io.Discard}}, Format: format, Headers: true}
	if err := o.Looks().Print(&b, look, true); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGPUsThatAreHeldAndNotUsed(t *testing.T) {
	o := &TopGPUsOptions{Below: 5, Rates: holders.Rates{"a100": 2.5, "tesla-t4": 0.4}}
	for format, want := range map[string]string{
		view.FormatTable: `
OWNER             NAMESPACE      POD     NOTEBOOK   NODE    GPU                     DEVICE   PRODUCT    PEAK%   MEAN%   HELD   COST
ada@example.com   kubeflow-ada   lab-0   lab        gpu-0   nvidia.com/gpu          0        A100       0%      0%      2d2h   125.00
<forbidden>       kubeflow-bob   job     -          gpu-0   nvidia.com/gpu.shared   1        Tesla-T4   4%      1%      10h    1.00
`,
		view.FormatCSV: `
owner,namespace,pod,notebook,node,resource,device,uuid,product,peak_percent,mean_percent,samples,held_since,cost
ada@example.com,kubeflow-ada,lab-0,lab,gpu-0,nvidia.com/gpu,0,GPU-a,A100,0,0,40,2026-11-25T10:00:00Z,125
,kubeflow-bob,job,,gpu-0,nvidia.com/gpu.shared,1,GPU-b,Tesla-T4,4.9,1.2,38,2026-11-27T02:00:00Z,1
`,
	} {
		if got := printed(t, o.wasteFace(wasted(), nil), format); got != strings.TrimPrefix(want, "\n") {
			t.Errorf("%s: got\n%s", format, got)
		}
	}
	json := printed(t, o.wasteFace(wasted(), []string{"a gap"}), view.JSON)
	for _, want := range []string{`"kind": "GPUWaste"`, `"belowPercent": 5`, `"peakPercent": 4.9`, `"owner": "ada@example.com"`, `"cost": 125`, `"heldSeconds": 180000`, `"samples": 40`, `"a gap"`} {
		if !strings.Contains(json, want) {
			t.Errorf("JSON lacks %s:\n%s", want, json)
		}
	}
}

func TestSumsByOwner(t *testing.T) {
	want := `
OWNER             GPU                     COUNT   HELD   FREE   UTIL%   VRAM              HOURS   COST
ada@example.com   nvidia.com/gpu          1       1      0      0%      30720Mi/81920Mi   50.0    125.00
<forbidden>       nvidia.com/gpu.shared   1       1      0      2%      30720Mi/81920Mi   10.0    <unknown>
`
	g := wasted().GPUs
	if got := printed(t, sums.GPUs(g, holders.ByOwner, holders.Rates{"a100": 2.5}, nil), view.FormatTable); got != strings.TrimPrefix(want, "\n") {
		t.Errorf("GPUs: got\n%s", got)
	}
	q := resource.MustParse
	n := &holders.Notebooks{Time: wasteNow, Notebooks: []holders.Notebook{
		{Namespace: "kubeflow-ada", Name: "lab", Owner: usage.Known("ada@example.com"), Nodes: []string{"gpu-0"}, CPU: usage.Known(q("250m")), Memory: usage.Known(q("1Gi")), CPURequested: q("500m"), MemoryRequested: q("2Gi"), GPUs: map[string]int64{"nvidia.com/gpu": 1}, Created: wasteNow.Add(-50 * time.Hour), Use: activity.Use{Last: usage.Known(wasteNow.Add(-5 * time.Hour))}},
		{Namespace: "kubeflow-ada", Name: "new", Owner: usage.Known("ada@example.com"), CPU: usage.Missing[resource.Quantity](usage.Absence{}), Memory: usage.Missing[resource.Quantity](usage.Absence{}), CPURequested: q("500m"), MemoryRequested: q("2Gi"), Created: wasteNow, Use: activity.Use{Last: usage.Known(wasteNow.Add(-2 * time.Minute))}},
		{Namespace: "old", Name: "x", Owner: usage.Known(""), CPU: usage.Known(q("1")), Memory: usage.Known(q("1Gi")), Use: activity.Use{Last: usage.Missing[time.Time](usage.Absence{Reason: "it did not answer"})}},
	}}
	want = `
OWNER             NOTEBOOKS   BUSY   CPU(cores)   MEMORY(bytes)   CPU-REQ   MEMORY-REQ   GPU                GPU-HOURS             IDLE
ada@example.com   2           0      >=250m       >=1024Mi        1000m     4096Mi       nvidia.com/gpu:1   nvidia.com/gpu:50.0   2m
-                 1           0      1000m        1024Mi          0m        0Mi          -                  -                     <unknown>
`
	if got := printed(t, sums.Notebooks(n, holders.ByOwner), view.FormatTable); got != strings.TrimPrefix(want, "\n") {
		t.Errorf("notebooks: got\n%s", got)
	}
	if got := printed(t, sums.Notebooks(n, holders.ByOwner), view.Name); got != "ada@example.com\n" {
		t.Errorf("names: %q", got)
	}
	s := &holders.Shares{Time: wasteNow, Shares: []holders.Share{
		{Name: usage.Known("ada@example.com"), Pods: 3, Nodes: 2, CPU: q("1500m"), Memory: q("3Gi"), CPURequested: q("2"), MemoryRequested: q("4Gi"), GPUs: map[string]int64{"nvidia.com/gpu": 1, "nvidia.com/mig-1g.5gb": 2}},
		{Name: usage.Known(""), Pods: 9, Nodes: 3, Unknown: 9, CPURequested: q("1"), MemoryRequested: q("1Gi")},
	}}
	want = `
OWNER             PODS   NODES   CPU(cores)   MEMORY(bytes)   CPU-REQ   MEMORY-REQ   GPU
ada@example.com   3      2       1500m        3072Mi          2000m     4096Mi       nvidia.com/gpu:1,nvidia.com/mig-1g.5gb:2
-                 9      3       <unknown>     <unknown>       1000m     1024Mi       -
`
	if got := printed(t, sums.Shares(s, holders.ByOwner), view.FormatTable); got != strings.ReplaceAll(strings.TrimPrefix(want, "\n"), "<unknown>     <unknown>  ", "<unknown>    <unknown>  ") {
		t.Errorf("nodes: got\n%s", got)
	}
	for _, look := range []view.Look{sums.GPUs(g, holders.ByOwner, nil, nil), sums.Notebooks(n, holders.ByOwner), sums.Shares(s, holders.ByOwner)} {
		rows := look.CSV()
		for _, row := range rows {
			if len(row) != len(rows[0]) {
				t.Errorf("a row of %d fields below %d headers: %v", len(row), len(rows[0]), row)
			}
		}
		if json := printed(t, look, view.JSON); !strings.Contains(json, `"by": "owner"`) || strings.Count(json, `"name": `) < len(rows)-1 {
			t.Errorf("JSON:\n%s", json)
		}
	}
}

func TestALongLookSaysHowFarItIs(t *testing.T) {
	for of, want := range map[int]int{1: 0, 2: 2, 40: 11, 400: 11} {
		var b strings.Builder
		tell := show.Samples(&b, time.Minute)
		for n := 1; n <= of; n++ {
			tell(n, of)
		}
		if got := strings.Count(b.String(), "\n"); got != want || of > 1 && !strings.Contains(b.String(), fmt.Sprintf("Sample %d of %d.", of, of)) {
			t.Errorf("of %d samples it tells in %d lines, want %d:\n%s", of, got, want, b.String())
		}
	}
}
