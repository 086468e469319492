package view

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Cell is one value of a grid.
type Cell struct {
	Text string
	// Percent, where it is set, draws a bar on a terminal and colours the cell by its
	// thresholds.
	Percent *float64
	// Level colours the cell; without one, Percent does.
	Level Level
}

// Level is how much attention a cell deserves.
type Level int

// The levels, and what they mean for a share in percent.
const (
	NoLevel Level = iota
	Calm          // below 75
	Raised        // from 75 on
	High          // from 90 on
	Faint         // nothing to see, such as a value that is not known
)

// Thresholds of the levels, in percent.
const (
	RaisedFrom = 75
	HighFrom   = 90
)

// LevelOf is the level of a share in percent.
func LevelOf(percent float64) Level {
	switch {
	case percent >= HighFrom:
		return High
	case percent >= RaisedFrom:
		return Raised
	}
	return Calm
}

// Text is a cell without a colour.
func Text(s string) Cell { return Cell{Text: s} }

// Grid is a table whose cells may have bars and colours.
type Grid struct {
	Headers []string
	Rows    [][]Cell
}

// GridOptions are how a grid is printed.
type GridOptions struct {
	NoHeaders bool
	Style     Style
	// Bars are drawn behind percentages; for terminals.
	Bars bool
	// Width of the terminal: bars for which it is too narrow are left out, for they say
	// nothing that the figures before them do not. 0 is as wide as it takes.
	Width int
}

// barWidth is a bar's length in columns; each has eight steps.
const barWidth = 10

// bar draws a share of barWidth columns. What exceeds 100 % fills it.
func bar(percent float64) string {
	steps := int(percent/100*barWidth*8 + 0.5)
	steps = max(0, min(steps, barWidth*8))
	s := strings.Repeat("█", steps/8)
	if rest := steps % 8; rest > 0 {
		s += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return s + strings.Repeat("·", barWidth-utf8.RuneCountInString(s))
}

// Print writes the grid as Table does: three spaces between columns and nothing after
// the last cell. An empty cell shows as a dash.
func (g Grid) Print(w io.Writer, o GridOptions) error {
	texts, widths := g.layOut(o)
	if o.Bars && o.Width > 0 && total(widths) > o.Width {
		o.Bars = false
		texts, widths = g.layOut(o)
	}
	var b strings.Builder
	for n, line := range texts {
		for i, t := range line {
			shown := t
			if row := n - (len(texts) - len(g.Rows)); row >= 0 {
				shown = o.Style.level(g.Rows[row][i].level(), t)
			} else {
				shown = o.Style.Bold(t)
			}
			b.WriteString(shown)
			if i < len(line)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(t)+gap))
			}
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// gap is how many columns are between two cells.
const gap = 3

func total(widths []int) int {
	sum := gap * (len(widths) - 1)
	for _, w := range widths {
		sum += w
	}
	return sum
}

// layOut says what stands in each cell, and how wide each column is.
func (g Grid) layOut(o GridOptions) (texts [][]string, widths []int) {
	texts = make([][]string, 0, len(g.Rows)+1)
	if !o.NoHeaders {
		texts = append(texts, g.Headers)
	}
	// Bars stand in a column: the figures before them have one width.
	figures := make([]int, len(g.Headers))
	for _, row := range g.Rows {
		for i, c := range row {
			if c.Percent != nil {
				figures[i] = max(figures[i], utf8.RuneCountInString(c.Text))
			}
		}
	}
	for _, row := range g.Rows {
		line := make([]string, len(row))
		for i, c := range row {
			line[i] = printable(c.Text)
			switch {
			case c.Text == "":
				line[i] = "-"
			case o.Bars && c.Percent != nil:
				line[i] = fmt.Sprintf("%*s %s", figures[i], c.Text, bar(*c.Percent))
			}
		}
		texts = append(texts, line)
	}
	widths = make([]int, len(g.Headers))
	for _, line := range texts {
		for i, t := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(t))
		}
	}
	return texts, widths
}

// printable keeps what others have written, such as a scheduler's message or a driver's
// name of a product, from breaking a line or steering the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}

func (c Cell) level() Level {
	if c.Level == NoLevel && c.Percent != nil {
		return LevelOf(*c.Percent)
	}
	return c.Level
}

func (s Style) level(l Level, text string) string {
	switch l {
	case Calm:
		return s.paint("32", text)
	case Raised:
		return s.paint("33", text)
	case High:
		return s.paint("31", text)
	case Faint:
		return s.Dim(text)
	}
	return text
}

// CSV writes comma-separated values as RFC 4180 has them; headers may be nil.
func CSV(w io.Writer, headers []string, rows [][]string) error {
	out := csv.NewWriter(w)
	if headers != nil {
		if err := out.Write(headers); err != nil {
			return err
		}
	}
	return out.WriteAll(rows)
}
