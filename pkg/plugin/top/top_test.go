package top

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/show"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

func topAmount(used, whole string) usage.Amount {
	a := usage.Amount{Allocatable: resource.MustParse(whole), Capacity: resource.MustParse(whole)}
	if used == "" {
		a.Used = usage.Missing[resource.Quantity](usage.Absence{Reason: "not measured"})
	} else {
		a.Used = usage.Known(resource.MustParse(used))
	}
	return a
}

// topSnapshot has a node of each kind that a table must show.
func topSnapshot() *usage.Snapshot {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	live := usage.Live{Utilization: usage.Known(87.6), MemoryUsed: usage.Known[int64](60 << 30), MemoryTotal: usage.Known[int64](80 << 30)}
	none := usage.Live{
		Utilization: usage.Missing[float64](usage.Absence{Reason: "no exporter"}),
		MemoryUsed:  usage.Missing[int64](usage.Absence{Reason: "no exporter"}), MemoryTotal: usage.Missing[int64](usage.Absence{Reason: "no exporter"}),
	}
	sample := &usage.Sample{Time: now.Add(-12 * time.Second), Window: 15 * time.Second, Age: 12 * time.Second}
	old := &usage.Sample{Time: now.Add(-5 * time.Minute), Age: 5 * time.Minute}
	return &usage.Snapshot{Time: now, Nodes: []usage.Node{
		{Name: "cpu-0", Ready: true, Created: now.Add(-time.Hour), CPU: topAmount("123456789n", "8"), Memory: topAmount("1500Mi", "32Gi"), Sample: sample},
		{Name: "gpu-0", Ready: true, Created: now.Add(-26 * time.Hour), CPU: topAmount("15", "16"), Memory: topAmount("100Gi", "128Gi"), Sample: old, GPUs: []usage.GPU{
			{Resource: "nvidia.com/gpu", Origin: usage.DevicePlugin, Product: "NVIDIA-A100-SXM4-80GB", Replicas: 1, Capacity: 4, Allocatable: 3, Requested: usage.Known[int64](1), Live: live},
			{Resource: "nvidia.com/mig-1g.10gb", Origin: usage.DevicePlugin, Product: "NVIDIA-A100-SXM4-80GB-MIG-1g.10gb", Replicas: 1, Capacity: 7, Allocatable: 7, Requested: usage.Known[int64](7), Live: none},
		}},
		{Name: "gpu-1", Cordoned: true, Created: now.Add(-time.Minute), CPU: topAmount("", "16"), Memory: topAmount("", "128Gi"), GPUs: []usage.GPU{
			{
				Resource: "nvidia.com/gpu", Origin: usage.DevicePlugin, Product: "Tesla-T4", Sharing: usage.TimeSlicing, Replicas: 4, Capacity: 4, Allocatable: 4,
				Requested: usage.Missing[int64](usage.Absence{Forbidden: true, Reason: "the user may not list pods"}), Live: none,
			},
		}},
	}}
}

func TestTheTableOfNodes(t *testing.T) {
	cpuOnly := topSnapshot()
	cpuOnly.Nodes = cpuOnly.Nodes[:1]
	for _, tt := range []struct {
		name     string
		options  TopOptions
		snapshot *usage.Snapshot
		wide     bool
		want     string
	}{
		{"has no columns of GPUs where there are none", TopOptions{}, cpuOnly, false, `
NAME    STATUS   CPU(cores)   CPU%   MEMORY(bytes)   MEMORY%
cpu-0   Ready    124m         1%     1500Mi          4%
`},
		{"has a line for each GPU resource, and says what is not known", TopOptions{}, topSnapshot(), false, `
NAME    STATUS              CPU(cores)   CPU%        MEMORY(bytes)   MEMORY%     GPU                      PRODUCT                             CAPACITY   REQUESTED     FREE          UTIL%       VRAM
cpu-0   Ready               124m         1%          1500Mi          4%          -                        -                                   -          -             -             -           -
gpu-0   Ready               15000m       93%         102400Mi        78%         nvidia.com/gpu           NVIDIA-A100-SXM4-80GB               4          1             2             87%         61440Mi/81920Mi
gpu-0   -                   -            -           -               -           nvidia.com/mig-1g.10gb   NVIDIA-A100-SXM4-80GB-MIG-1g.10gb   7          7             0             <unknown>   <unknown>
gpu-1   NotReady,cordoned   <unknown>    <unknown>   <unknown>       <unknown>   nvidia.com/gpu           Tesla-T4                            4          <forbidden>   <forbidden>   <unknown>   <unknown>
`},
		{"leaves the exporter's columns out with --no-dcgm, and has all others when it is wide", TopOptions{topOptions: topOptions{NoDCGM: true}}, topSnapshot(), true, `
NAME    STATUS              CPU(cores)   CPU%        MEMORY(bytes)   MEMORY%     GPU                      PRODUCT                             CAPACITY   REQUESTED     FREE          ALLOCATABLE   SCHEDULABLE   SHARING          SAMPLE       AGE
cpu-0   Ready               124m         1%          1500Mi          4%          -                        -                                   -          -             -             -             -             -                12s          60m
gpu-0   Ready               15000m       93%         102400Mi        78%         nvidia.com/gpu           NVIDIA-A100-SXM4-80GB               4          1             2             3             2             -                5m (stale)   26h
gpu-0   -                   -            -           -               -           nvidia.com/mig-1g.10gb   NVIDIA-A100-SXM4-80GB-MIG-1g.10gb   7          7             0             7             0             -                -            -
gpu-1   NotReady,cordoned   <unknown>    <unknown>   <unknown>       <unknown>   nvidia.com/gpu           Tesla-T4                            4          <forbidden>   <forbidden>   4             0             time-slicing:4   -            60s
`},
		// CPU and memory of gpu-1 are not known, so the sum is at least what the others use.
		{"ends with the total, each resource on its own", TopOptions{topOptions: topOptions{NoDCGM: true}, Total: true}, topSnapshot(), false, `
NAME    STATUS              CPU(cores)   CPU%        MEMORY(bytes)   MEMORY%     GPU                      PRODUCT                             CAPACITY   REQUESTED     FREE
cpu-0   Ready               124m         1%          1500Mi          4%          -                        -                                   -          -             -
gpu-0   Ready               15000m       93%         102400Mi        78%         nvidia.com/gpu           NVIDIA-A100-SXM4-80GB               4          1             2
gpu-0   -                   -            -           -               -           nvidia.com/mig-1g.10gb   NVIDIA-A100-SXM4-80GB-MIG-1g.10gb   7          7             0
gpu-1   NotReady,cordoned   <unknown>    <unknown>   <unknown>       <unknown>   nvidia.com/gpu           Tesla-T4                            4          <forbidden>   <forbidden>
TOTAL   2/3                 >=15124m     63%         >=103900Mi      63%         nvidia.com/gpu           various                             8          <forbidden>   <forbidden>
TOTAL   -                   -            -           -               -           nvidia.com/mig-1g.10gb   NVIDIA-A100-SXM4-80GB-MIG-1g.10gb   7          7             0
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b strings.Builder
			o := tt.options
			o.Base = &plugin.Base{IOStreams: genericiooptions.IOStreams{Out: io.Discard}}
			o.Format, o.Headers = view.FormatTable, true
			if tt.wide {
				o.Format = view.FormatWide
			}
			if err := o.Looks().Print(&b, o.face(tt.snapshot), true); err != nil {
				t.Fatal(err)
			}
			if want := strings.TrimPrefix(tt.want, "\n"); b.String() != want {
				t.Errorf("got\n%swant\n%s", b.String(), want)
			}
		})
	}
}

func TestTheCSVOfNodesHasBaseUnitsAndNothingForWhatIsNotKnown(t *testing.T) {
	rows := (&TopOptions{}).nodeCSV(topSnapshot())
	var b bytes.Buffer
	if err := csv.NewWriter(&b).WriteAll(rows); err != nil {
		t.Fatal(err)
	}
	const want = `name,ready,cordoned,cpu_cores,cpu_percent,memory_bytes,memory_percent,sample_time,gpu_resource,gpu_product,gpu_capacity,gpu_allocatable,gpu_requested,gpu_free,gpu_schedulable,gpu_util_percent,gpu_memory_used_bytes,gpu_memory_total_bytes
cpu-0,true,false,0.123456789,1.55,1572864000,4.57763671875,2026-03-01T11:59:48Z,,,,,,,,,,
gpu-0,true,false,15,93.75,107374182400,78.125,2026-03-01T11:55:00Z,nvidia.com/gpu,NVIDIA-A100-SXM4-80GB,4,3,1,2,2,87.6,64424509440,85899345920
gpu-0,true,false,15,93.75,107374182400,78.125,2026-03-01T11:55:00Z,nvidia.com/mig-1g.10gb,NVIDIA-A100-SXM4-80GB-MIG-1g.10gb,7,7,7,0,0,,,
gpu-1,false,true,,,,,,nvidia.com/gpu,Tesla-T4,4,4,,,0,,,
`
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

// watched runs --watch without a terminal over the looks, ends it, and returns both streams.
func watched(t *testing.T, format string, looks ...func() (view.Look, error)) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	o := show.LookOptions{Base: &plugin.Base{IOStreams: genericiooptions.IOStreams{Out: &out, ErrOut: &errs}}, Format: format, Headers: true, Watch: true, Interval: time.Millisecond}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	if err := o.Show(ctx, func(context.Context) (view.Look, error) {
		n++
		if n == len(looks) {
			cancel()
		}
		if n > len(looks) {
			t.Fatal("it goes on after its end")
		}
		return looks[n-1]()
	}); err != nil {
		t.Fatalf("ending it is an error: %v", err)
	}
	return out.String(), errs.String()
}

func TestWatchingWithoutATerminal(t *testing.T) {
	snapshot := topSnapshot()
	snapshot.Nodes = snapshot.Nodes[:1]
	o := &TopOptions{}
	fine := func() (view.Look, error) { return o.face(snapshot), nil }
	gap := func() (view.Look, error) { f := o.face(snapshot); f.Problems = []string{"a gap"}; return f, nil }
	away := func() (view.Look, error) { return view.Look{}, errors.New("the server is away") }
	const table = `NAME    STATUS   CPU(cores)   CPU%   MEMORY(bytes)   MEMORY%
cpu-0   Ready    124m         1%     1500Mi          4%
`
	t.Run("prints table after table, and a problem once as long as it stays", func(t *testing.T) {
		stdout, stderr := watched(t, view.FormatTable, fine, gap, gap, away, fine, fine)
		// The last look is cut off by the end of watching.
		if want := strings.Join([]string{table, table, table, table}, "\n"); stdout != want {
			t.Errorf("got\n%swant\n%s", stdout, want)
		}
		if stderr != "warning: a gap\nwarning: the server is away\n" {
			t.Errorf("stderr %q", stderr)
		}
	})
	t.Run("prints one line of JSON for each look", func(t *testing.T) {
		stdout, _ := watched(t, "json", fine, fine, fine)
		lines := strings.Split(strings.TrimSpace(stdout), "\n")
		if len(lines) != 2 {
			t.Fatalf("%d lines", len(lines))
		}
		var d usage.Document
		if err := json.Unmarshal([]byte(lines[1]), &d); err != nil || d.Kind != usage.Kind || len(d.Nodes) != 1 {
			t.Errorf("%v: %s", err, lines[1])
		}
	})
	t.Run("has one header for all rows of a csv", func(t *testing.T) {
		stdout, _ := watched(t, view.FormatCSV, fine, fine, fine)
		if strings.Count(stdout, "cpu_cores") != 1 || strings.Count(stdout, "cpu-0,") != 2 {
			t.Errorf("%s", stdout)
		}
	})
	t.Run("leaves a look that takes too long, and goes on", func(t *testing.T) {
		var out, errs bytes.Buffer
		o := show.LookOptions{
			Base: &plugin.Base{IOStreams: genericiooptions.IOStreams{Out: &out, ErrOut: &errs}}, Format: view.FormatTable, Headers: true, Watch: true,
			Interval: time.Millisecond, Timeout: 20 * time.Millisecond,
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		looks := 0
		if err := o.Show(ctx, func(ctx context.Context) (view.Look, error) {
			switch looks++; looks {
			case 2:
				<-ctx.Done()
				return view.Look{}, ctx.Err()
			case 4:
				cancel()
			}
			return fine()
		}); err != nil {
			t.Fatal(err)
		}
		if want := strings.Join([]string{table, table}, "\n"); out.String() != want {
			t.Errorf("got\n%swant\n%s", out.String(), want)
		}
		if want := "warning: the cluster did not answer all requests within 20ms (--timeout): context deadline exceeded\n"; errs.String() != want {
			t.Errorf("stderr %q, want %q", errs.String(), want)
		}
	})
	t.Run("fails where the first look fails", func(t *testing.T) {
		o := show.LookOptions{Base: &plugin.Base{}, Format: view.FormatTable, Watch: true, Interval: time.Hour}
		if err := o.Show(t.Context(), func(context.Context) (view.Look, error) { return away() }); err == nil || err.Error() != "the server is away" {
			t.Errorf("got %v", err)
		}
	})
}
