package pulls

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Sum is how far pulls are.
type Sum struct {
	Total, There, Failed int
	// Bytes that were pulled, of the images that are there.
	Bytes int64
	// Pulling is what nodes are at.
	Pulling []Image
}

// Sums adds up images.
func Sums(images []Image) Sum {
	s := Sum{Total: len(images)}
	for _, i := range images {
		switch {
		case i.there():
			s.There++
			s.Bytes += i.Bytes
		case i.State == Failed:
			s.Failed++
		case i.State == Pulling:
			s.Pulling = append(s.Pulling, i)
		}
	}
	return s
}

// state of a row.
func (s Sum) state() report.State {
	switch {
	case s.There == s.Total:
		return report.Ready
	case s.There+s.Failed == s.Total:
		return report.Failed
	case s.There+s.Failed+len(s.Pulling) > 0:
		return report.Progressing
	}
	return report.Waiting
}

// String is what is being pulled, and what is left. How much of an image has come nobody
// tells; the sizes are those of images that are complete.
func (s Sum) String() string {
	var parts []string
	if len(s.Pulling) > 0 {
		text := "pulling " + s.Pulling[0].Ref
		if more := len(s.Pulling) - 1; more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		parts = append(parts, text)
	}
	if s.Failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", s.Failed))
	}
	if left := s.Total - s.There - s.Failed - len(s.Pulling); left > 0 {
		parts = append(parts, fmt.Sprintf("%d to come", left))
	}
	if s.Bytes > 0 {
		parts = append(parts, fmt.Sprintf("%d MB pulled", (s.Bytes+500_000)/1_000_000))
	}
	return strings.Join(parts, ", ")
}

// told is what was last told of a row.
type told struct {
	state       report.State
	done, total int
	message     string
}

// tell tells what has changed, and of each failure once.
func (p *Puller) tell() {
	if p.options.Events == nil {
		return
	}
	rows := map[string][]Image{}
	var order []string
	for _, i := range p.images {
		row := Component
		if p.options.Row != nil {
			row = p.options.Row(i.Node)
		}
		if !slices.Contains(order, row) {
			order = append(order, row)
		}
		rows[row] = append(rows[row], i)
	}
	for _, row := range order {
		sum := Sums(rows[row])
		now := told{sum.state(), sum.There, sum.Total, sum.String()}
		before := p.told[row]
		p.told[row] = now
		if now == before {
			continue
		}
		p.emit(report.Event{Kind: report.EventComponent, Component: row, State: now.state, Done: now.done, Total: now.total, Message: now.message})
		if now.message != before.message && now.state == report.Progressing {
			p.emit(report.Event{Kind: report.EventWait, Component: row, Message: now.message})
		}
	}
	for _, i := range p.images {
		text := fmt.Sprintf("node %s cannot pull %s: %s", i.Node, i.Ref, i.Message)
		if i.State == Failed && !p.warned[text] {
			p.warned[text] = true
			p.emit(report.Event{Kind: report.EventWarning, Component: Component, Message: text})
		}
	}
}

func (p *Puller) emit(e report.Event) {
	e.Time = time.Now()
	p.options.Events(e)
}
