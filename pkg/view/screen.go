package view

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Screen shows one text after the other in the same place of a terminal. Like Live it
// never draws more lines than the terminal has, nor longer ones than it is wide.
type Screen struct {
	w     io.Writer
	size  func() (width, height int)
	drawn int
}

// NewScreen draws to w, a terminal of the given size.
func NewScreen(w io.Writer, size func() (width, height int)) *Screen {
	return &Screen{w: w, size: size}
}

// Show replaces what was shown last. The foot is shown before the body has any room, and
// is wrapped rather than cut where that leaves the body half of the screen; lines of the
// body that find no room are counted. It is one write, without flicker.
func (s *Screen) Show(body, foot string) error {
	width, height := s.size()
	below := wrap(split(foot), width)
	if len(below) > height/2 {
		below = split(foot)
	}
	if room := max(1, height-1); len(below) > room {
		below = below[len(below)-room:]
	}
	lines := within(split(body), height-1-len(below))
	var b bytes.Buffer
	if s.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", s.drawn)
	}
	b.WriteString("\r\x1b[J")
	for _, l := range append(lines, below...) {
		b.WriteString(cut(l, width))
		b.WriteByte('\n')
	}
	s.drawn = len(lines) + len(below)
	_, err := s.w.Write(b.Bytes())
	return err
}

// within leaves as many lines as there is room for, the last of them for the number of those
// that are left out.
func within(lines []string, room int) []string {
	switch {
	case len(lines) <= room:
		return lines
	case room <= 0:
		return nil
	}
	return append(lines[:room-1:room-1], fmt.Sprintf("... and %d more lines", len(lines)-room+1))
}

// wrap breaks lines between words where they would be cut. Colours take no room, and may
// go on in the next line.
func wrap(lines []string, width int) []string {
	var out []string
	for _, l := range lines {
		var line strings.Builder
		columns := 0
		for _, word := range strings.Split(l, " ") {
			n := columnsOf(word)
			switch {
			case line.Len() > 0 && columns+1+n >= width:
				out = append(out, line.String())
				line.Reset()
				columns = n
			case line.Len() > 0:
				line.WriteByte(' ')
				columns += 1 + n
			default:
				columns = n
			}
			line.WriteString(word)
		}
		out = append(out, line.String())
	}
	return out
}

// columnsOf is how wide a text with colours is.
func columnsOf(text string) int {
	n := 0
	for i := 0; i < len(text); {
		if text[i] == 0x1b {
			if end := strings.IndexByte(text[i:], 'm'); end >= 0 {
				i += end + 1
				continue
			}
		}
		_, size := utf8.DecodeRuneInString(text[i:])
		i += size
		n++
	}
	return n
}

func split(text string) []string {
	if text = strings.TrimRight(text, "\n"); text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// cut shortens a line with colours to less than width columns.
func cut(line string, width int) string {
	var b strings.Builder
	columns, coloured := 0, false
	for i := 0; i < len(line); {
		if line[i] == 0x1b {
			end := strings.IndexByte(line[i:], 'm')
			if end < 0 {
				break
			}
			coloured = line[i:i+end+1] != "\x1b[0m"
			b.WriteString(line[i : i+end+1])
			i += end + 1
			continue
		}
		if columns++; columns >= width {
			if coloured {
				b.WriteString("\x1b[0m")
			}
			break
		}
		_, n := utf8.DecodeRuneInString(line[i:])
		b.WriteString(line[i : i+n])
		i += n
	}
	return b.String()
}
