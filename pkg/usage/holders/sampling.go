package holders

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
)

// Sampling is for how long GPUs are watched, and how often.
type Sampling struct {
	For, Every time.Duration
	// Taken is told after each sample how many there are of how many; nil drops it.
	Taken func(n, of int)
}

// EveryOf is how often to look within a time: the exporter measures twice a minute or less
// often, and a short look is to have more than one sample.
func EveryOf(whole time.Duration) time.Duration {
	return min(15*time.Second, max(time.Second, whole/20)).Round(time.Second)
}

// Watched are GPUs that were looked at for a while.
type Watched struct {
	*GPUs
	// Started is when the first sample was taken; GPUs.Time is that of the last one.
	Started time.Time
	Samples int
	// Uses are what the rows of GPUs did in that time, in their order.
	Uses []WatchedUse
}

// WatchedUse is what one GPU did.
type WatchedUse struct {
	// Peak and Mean of the samples, in percent.
	Peak, Mean usage.Maybe[float64]
	// Samples that its exporter had a figure in.
	Samples int
}

// Below tells whether nobody used a GPU: in no sample as much as a percentage. It is false
// where that is not known.
func (u WatchedUse) Below(percent float64) bool {
	peak, known := u.Peak.Get()
	return known && peak < percent
}

// series are the samples of one device.
type series struct {
	taken     int
	sum, peak float64
	missing   usage.Absence
}

// id is what a device is known by from one sample to the next.
type id struct{ node, uuid, instance string }

func idOf(d *usage.Device) id { return id{d.Node, d.UUID, d.Instance} }

// Watch looks at every GPU for a while. Who holds what is read before and after; in between
// only exporters are asked. A GPU that another pod holds afterwards was not watched.
func Watch(ctx context.Context, c *cluster.Cluster, o Options, s Sampling) (*Watched, error) {
	return watch(ctx, s, o.Live, func(ctx context.Context) (*GPUs, error) { return ReadGPUs(ctx, c, o) })
}

func watch(ctx context.Context, s Sampling, live usage.LiveSource, read func(context.Context) (*GPUs, error)) (*Watched, error) {
	taken := s.Taken
	if taken == nil {
		taken = func(int, int) {}
	}
	planned := 1
	if s.Every > 0 {
		planned += int(s.For / s.Every)
	}
	before, err := read(ctx)
	if err != nil {
		return nil, err
	}
	seen := map[id]*series{}
	var nodes []string
	for i := range before.Rows {
		r := &before.Rows[i]
		if r.State != Held || r.Device == nil {
			continue
		}
		if seen[idOf(r.Device)] == nil {
			seen[idOf(r.Device)] = &series{}
		}
		if !slices.Contains(nodes, r.Device.Node) {
			nodes = append(nodes, r.Device.Node)
		}
	}
	add := func(devices []usage.Device) {
		counted := map[id]bool{}
		for i := range devices {
			if one := seen[idOf(&devices[i])]; one != nil && !counted[idOf(&devices[i])] {
				counted[idOf(&devices[i])] = true
				one.add(devices[i].Live.Utilization)
			}
		}
	}
	add(devicesOf(before))
	taken(1, planned)
	after := before
	tick := time.NewTicker(max(s.Every, time.Millisecond))
	defer tick.Stop()
	for n := 2; n <= planned; n++ {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
		if n < planned {
			byNode, _, _ := live.Devices(ctx, nodes)
			for _, devices := range byNode {
				add(devices)
			}
		} else {
			if after, err = read(ctx); err != nil {
				return nil, err
			}
			add(devicesOf(after))
		}
		taken(n, planned)
	}
	out := &Watched{GPUs: after, Started: before.Time, Samples: planned}
	for i := range after.Rows {
		out.Uses = append(out.Uses, useOf(before, &after.Rows[i], seen, planned))
	}
	return out, nil
}

// devicesOf are the devices of rows.
func devicesOf(g *GPUs) []usage.Device {
	var out []usage.Device
	for _, r := range g.Rows {
		if r.Device != nil {
			out = append(out, *r.Device)
		}
	}
	return out
}

func (s *series) add(m usage.Maybe[float64]) {
	v, ok := m.Get()
	if !ok {
		s.missing = m.Why()
		return
	}
	s.taken++
	s.sum += v
	s.peak = max(s.peak, v)
}

// useOf is what a row did. One whose exporter was silent in more than a tenth of the samples
// may have been used in those.
func useOf(before *GPUs, r *Row, seen map[id]*series, planned int) WatchedUse {
	none := func(why usage.Absence) WatchedUse {
		return WatchedUse{Peak: usage.Missing[float64](why), Mean: usage.Missing[float64](why)}
	}
	switch {
	case r.State != Held:
		return none(usage.Absence{Reason: "nobody holds it"})
	case r.Device == nil:
		return none(r.Live().Utilization.Why())
	}
	one := seen[idOf(r.Device)]
	if one == nil || !slices.ContainsFunc(before.Rows, func(b Row) bool {
		return b.State == Held && b.Device != nil && idOf(b.Device) == idOf(r.Device) && b.Pod == r.Pod
	}) {
		return none(usage.Absence{Reason: "it got its holder while it was watched"})
	}
	switch {
	case one.taken == 0:
		return none(one.missing)
	case (planned-one.taken)*10 > planned:
		u := none(usage.Absence{Forbidden: one.missing.Forbidden, Reason: fmt.Sprintf("only %d of %d samples have a figure: %s", one.taken, planned, one.missing.Reason)})
		u.Samples = one.taken
		return u
	}
	return WatchedUse{Peak: usage.Known(one.peak), Mean: usage.Known(one.sum / float64(one.taken)), Samples: one.taken}
}

// Keep leaves the rows that keep says, with what they did.
func (w *Watched) Keep(keep func(Row, WatchedUse) bool) {
	var rows []Row
	var uses []WatchedUse
	for i, r := range w.Rows {
		if keep(r, w.Uses[i]) {
			rows, uses = append(rows, r), append(uses, w.Uses[i])
		}
	}
	g := *w.GPUs
	g.Rows = rows
	w.GPUs, w.Uses = &g, uses
}

// Unknown says how many held GPUs nothing is known of, and why of the first.
func (w *Watched) Unknown() string {
	held, unknown := 0, 0
	var why usage.Absence
	for i, r := range w.Rows {
		if r.State != Held {
			continue
		}
		held++
		if _, known := w.Uses[i].Peak.Get(); !known {
			if unknown == 0 {
				why = w.Uses[i].Peak.Why()
			}
			unknown++
		}
	}
	if unknown == 0 {
		return ""
	}
	return fmt.Sprintf("whether %d of %d held GPUs are used is unknown: %s", unknown, held, why.Reason)
}

// OfNotebook is what the GPUs of one notebook did: the highest peak of them, and unknown as
// soon as that of one is.
func (w *Watched) OfNotebook(namespace, name string) WatchedUse {
	none := usage.Missing[float64](usage.Absence{Reason: "it has no GPUs that are listed one by one"})
	out := WatchedUse{Peak: none, Mean: none}
	first := true
	for i, r := range w.Rows {
		if r.Pod.Namespace != namespace || r.Pod.Notebook != name || r.State != Held {
			continue
		}
		u := w.Uses[i]
		peak, known := u.Peak.Get()
		most, had := out.Peak.Get()
		switch {
		case first:
			out, first = u, false
		case !had:
		case !known, peak > most:
			out = u
		}
	}
	return out
}
