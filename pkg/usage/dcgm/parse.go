// Package dcgm reads what NVIDIA's exporter tells about the GPUs of a node: how busy each
// is, how much of its memory is taken, and which pod holds it. It asks through the API
// server, so that nothing has to be opened and a user's own rights decide.
package dcgm

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
)

// key is what makes two samples speak of the same device.
type key struct{ uuid, instance string }

// The metrics that are read. Memory is in MiB.
const (
	gpuUtil   = "DCGM_FI_DEV_GPU_UTIL"          // percent; not known for MIG instances
	grEngine  = "DCGM_FI_PROF_GR_ENGINE_ACTIVE" // 0 to 1
	fbUsed    = "DCGM_FI_DEV_FB_USED"
	fbFree    = "DCGM_FI_DEV_FB_FREE"
	fbReserve = "DCGM_FI_DEV_FB_RESERVED"
)

// wanted are the names of the metrics, for a body has a hundred others.
var wanted = []string{gpuUtil, grEngine, fbUsed, fbFree, fbReserve}

// maxLine bounds a line of the body in bytes.
const maxLine = 1 << 20

var errTruncated = errors.New("the response ends in the middle of a line")

// Parse reads the exporter's text. A body without GPUs gives none, and no error: an
// exporter that has just started answers so. What is wrong with one line is wrong with
// the body, for a body that was cut or garbled has no trustworthy figures.
func Parse(r io.Reader) ([]usage.Device, error) {
	text, err := relevant(r)
	if err != nil {
		return nil, err
	}
	// Exporters have been seen with names outside of the classic alphabet.
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(text)
	if err != nil {
		return nil, fmt.Errorf("not in the text format: %w", err)
	}
	m := merger{}
	for _, name := range wanted {
		for _, sample := range families[name].GetMetric() {
			m.add(name, sample)
		}
	}
	return m.devices(), nil
}

// relevant keeps the lines of wanted metrics. Comments go as well: the parser refuses a
// body that describes a metric twice, which costs a figure and tells nothing.
func relevant(r io.Reader) (*bytes.Buffer, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	out := &bytes.Buffer{}
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull) && len(line) < maxLine:
			continue
		case errors.Is(err, bufio.ErrBufferFull):
			return nil, fmt.Errorf("a line is longer than %d bytes", maxLine)
		case errors.Is(err, io.EOF):
			if len(bytes.TrimSpace(line)) > 0 {
				return nil, errTruncated
			}
			return out, nil
		case err != nil:
			return nil, err
		}
		if slices.ContainsFunc(wanted, func(name string) bool { return bytes.HasPrefix(line, []byte(name)) }) {
			out.Write(line)
		}
		line = line[:0]
	}
}

// merger joins samples into devices. One device has several samples of one metric where
// it is shared: the exporter repeats the device's value for each pod, or gives each pod's
// own share beside the device's value, which then has no pod.
type merger map[key]*device

type device struct {
	usage.Device
	values map[string]reading
}

type reading struct {
	value float64
	// ofDevice is set where the sample names no pod.
	ofDevice bool
}

func (m merger) add(name string, sample *dto.Metric) {
	labels := map[string]string{}
	for _, l := range sample.GetLabel() {
		labels[l.GetName()] = l.GetValue()
	}
	k := key{cmp.Or(labels["UUID"], labels["uuid"]), labels["GPU_I_ID"]}
	if k.uuid == "" {
		return // a switch, a link, a CPU
	}
	d := m[k]
	if d == nil {
		d = &device{values: map[string]reading{}, Device: usage.Device{UUID: k.uuid, Instance: k.instance}}
		m[k] = d
	}
	d.Index = cmp.Or(d.Index, labels["gpu"])
	d.Profile = cmp.Or(d.Profile, labels["GPU_I_PROFILE"])
	d.Product = cmp.Or(d.Product, labels["modelName"])
	d.Claimed = cmp.Or(d.Claimed, usage.DRADevice{Driver: labels["dra_driver_name"], Pool: labels["dra_pool_name"], Device: labels["dra_device_name"]})
	// The second names are those of --use-old-namespace.
	pod := usage.Holder{
		Namespace: cmp.Or(labels["namespace"], labels["pod_namespace"]),
		Pod:       cmp.Or(labels["pod"], labels["pod_name"]),
		Container: cmp.Or(labels["container"], labels["container_name"]),
	}
	if pod.Pod != "" && !slices.Contains(d.Pods, pod) {
		d.Pods = append(d.Pods, pod)
	}
	v, ok := number(name, sample)
	if !ok {
		return
	}
	was, known := d.values[name]
	now := reading{v, pod.Pod == ""}
	// Of samples of one sort the highest counts, so that the order of lines does not.
	if !known || now.ofDevice && !was.ofDevice || now.ofDevice == was.ofDevice && now.value > was.value {
		d.values[name] = now
	}
}

// number is a sample's value, unless it stands for one that DCGM does not have: 2^47 and
// above for a blank of 64 bits, 0x7ffffff0 to 0x7ffffff3 for one of 32.
func number(name string, sample *dto.Metric) (float64, bool) {
	var v float64
	switch {
	case sample.Untyped != nil:
		v = sample.Untyped.GetValue()
	case sample.Gauge != nil:
		v = sample.Gauge.GetValue()
	case sample.Counter != nil:
		v = sample.Counter.GetValue()
	default:
		return 0, false
	}
	top := float64(1<<47 - 1)
	switch name {
	case gpuUtil:
		top = 100
	case grEngine:
		top = 1
	}
	blank32 := v >= 0x7ffffff0 && v <= 0x7ffffff3
	return v, !math.IsNaN(v) && v >= 0 && v <= top && !blank32
}

func (m merger) devices() []usage.Device {
	split := map[string]bool{}
	for k := range m {
		if k.instance != "" {
			split[k.uuid] = true
		}
	}
	var out []usage.Device
	for k, d := range m {
		// A GPU that is split into instances is not one more device.
		if k.instance == "" && split[k.uuid] {
			continue
		}
		out = append(out, d.finish())
	}
	sortDevices(out)
	return out
}

func (d *device) finish() usage.Device {
	out := d.Device
	util, known := d.values[gpuUtil]
	engine, active := d.values[grEngine]
	// GPU_UTIL is blank or that of the whole GPU for an instance.
	if active && (out.Instance != "" || !known) {
		util, known = reading{value: engine.value * 100}, true
	} else if out.Instance != "" {
		known = false
	}
	none := usage.Absence{Reason: "the exporter has no value for it"}
	out.Live = usage.Live{Utilization: usage.Missing[float64](none), MemoryUsed: usage.Missing[int64](none), MemoryTotal: usage.Missing[int64](none)}
	if known {
		out.Live.Utilization = usage.Known(util.value)
	}
	used, hasUsed := d.values[fbUsed]
	free, hasFree := d.values[fbFree]
	if hasUsed {
		out.Live.MemoryUsed = usage.Known(mebibytes(used.value))
	}
	if hasUsed && hasFree {
		out.Live.MemoryTotal = usage.Known(mebibytes(used.value + free.value + d.values[fbReserve].value))
	}
	slices.SortFunc(out.Pods, func(a, b usage.Holder) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Pod, b.Pod), cmp.Compare(a.Container, b.Container))
	})
	return out
}

// mebibytes in bytes, whole ones: the exporter's figures are integers.
func mebibytes(v float64) int64 { return int64(math.Min(v, 1<<42)) << 20 }

// sortDevices brings the order of the GPUs on the node, 2 before 10.
func sortDevices(d []usage.Device) {
	slices.SortFunc(d, func(a, b usage.Device) int {
		return cmp.Or(
			cmp.Compare(len(a.Index), len(b.Index)), cmp.Compare(a.Index, b.Index), cmp.Compare(a.UUID, b.UUID),
			cmp.Compare(len(a.Instance), len(b.Instance)), cmp.Compare(a.Instance, b.Instance),
		)
	})
}
