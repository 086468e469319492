package view

import (
	"io"
	"strings"
	"unicode/utf8"
)

// Table prints columns as kubectl does: three spaces between, headers in capitals,
// nothing after the last cell. An empty cell shows as <none>.
func Table(w io.Writer, headers []string, rows [][]string) error {
	all := rows
	if len(headers) > 0 {
		all = append([][]string{headers}, rows...)
	}
	var widths []int
	for _, r := range all {
		for i, c := range r {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			if c == "" {
				c = "<none>"
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	var b strings.Builder
	for _, r := range all {
		for i, c := range r {
			if c == "" {
				c = "<none>"
			}
			b.WriteString(c)
			if i < len(r)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c)+3))
			}
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}
