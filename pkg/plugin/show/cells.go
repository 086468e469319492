package show

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// Missing shows that a value is not there.
func Missing(why usage.Absence) view.Cell {
	return view.Cell{Text: why.String(), Level: view.Faint}
}

// Quantity is a cell with an amount, written by text.
func Quantity(m usage.Maybe[resource.Quantity], text func(resource.Quantity) string) view.Cell {
	q, ok := m.Get()
	if !ok {
		return Missing(m.Why())
	}
	return view.Text(text(q))
}

// Percent truncates, as kubectl does.
func Percent(m usage.Maybe[float64]) view.Cell {
	p, ok := m.Get()
	if !ok {
		return Missing(m.Why())
	}
	return view.Cell{Text: fmt.Sprintf("%d%%", int64(p)), Percent: &p}
}

// Count is a cell with a number.
func Count(m usage.Maybe[int64]) view.Cell {
	n, ok := m.Get()
	if !ok {
		return Missing(m.Why())
	}
	return view.Text(strconv.FormatInt(n, 10))
}

// Memory is used/total, coloured by the share.
func Memory(l usage.Live) view.Cell {
	used, ok := l.MemoryUsed.Get()
	if !ok {
		return Missing(l.MemoryUsed.Why())
	}
	total, ok := l.MemoryTotal.Get()
	if !ok {
		return view.Text(Mebi(used) + "/" + l.MemoryTotal.Why().String())
	}
	c := view.Text(Mebi(used) + "/" + Mebi(total))
	if total > 0 {
		c.Level = view.LevelOf(100 * float64(used) / float64(total))
	}
	return c
}

// Sample is the age of a measurement.
func Sample(s *usage.Sample) view.Cell {
	if s == nil {
		return view.Cell{}
	}
	c := view.Text(Age(s.Age))
	if s.Stale() {
		c.Text, c.Level = c.Text+" (stale)", view.Raised
	}
	return c
}

// Age is a time in short, as kubectl writes it.
func Age(d time.Duration) string { return duration.HumanDuration(max(0, d)) }

// Stamp is a field of CSV with a time; empty for none.
func Stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// Milli is an amount of CPU, as kubectl top writes it.
func Milli(q resource.Quantity) string { return fmt.Sprintf("%dm", q.MilliValue()) }

// Mebi is an amount of memory, as kubectl top writes it.
func Mebi(bytes int64) string { return fmt.Sprintf("%dMi", bytes>>20) }

// QuantityField is a field of CSV: in base units, empty where it is not known.
func QuantityField(m usage.Maybe[resource.Quantity]) string {
	q, ok := m.Get()
	if !ok {
		return ""
	}
	return strconv.FormatFloat(usage.Float(q), 'f', -1, 64)
}

// FloatField is a field of CSV; empty where it is not known.
func FloatField(m usage.Maybe[float64]) string {
	v, ok := m.Get()
	if !ok {
		return ""
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// IntField is a field of CSV; empty where it is not known.
func IntField(m usage.Maybe[int64]) string {
	v, ok := m.Get()
	if !ok {
		return ""
	}
	return strconv.FormatInt(v, 10)
}

// Owner is a cell with an owner of a namespace.
func Owner(m usage.Maybe[string]) view.Cell {
	owner, ok := m.Get()
	if !ok {
		return Missing(m.Why())
	}
	return view.Text(owner)
}

// Idle is for how long something was not used, or that it is in use now.
func Idle(busy bool, m usage.Maybe[time.Duration]) view.Cell {
	d, ok := m.Get()
	switch {
	case !ok:
		return Missing(m.Why())
	case busy:
		return view.Cell{Text: "busy", Level: view.Calm}
	}
	return view.Text(Age(d))
}

// Samples says on w how far a look of some time has got: at its begin, and ten times later.
func Samples(w io.Writer, whole time.Duration) func(n, of int) {
	return func(n, of int) {
		switch {
		case n == 1 && of > 1:
			fmt.Fprintf(w, "Watching GPUs for %s: %d samples.\n", whole, of)
		case of > 1 && n*10/of > (n-1)*10/of:
			fmt.Fprintf(w, "Sample %d of %d.\n", n, of)
		}
	}
}
