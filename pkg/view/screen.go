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

// Show replaces what was shown last. The foot is shown whatever the terminal's height;
// lines of the body that find no room are counted. It is one write, without flicker.
func (s *Screen) Show(body, foot string) error {
	width, height := s.size()
	lines, below := split(body), split(foot)
	if room := height - 2 - len(below); room > 0 && len(lines) > room {
		left := len(lines) - room
		lines = append(lines[:room], fmt.Sprintf("... and %d more lines", left))
	}
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
