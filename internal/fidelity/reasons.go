package fidelity

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// Reasons are the differences on purpose, as a document states them: under each
// heading the reason in prose, and in a block fenced with the word "differences"
// what it covers, one pattern a line:
//
//	SIGNS OBJECT PATH
//
// SIGNS are one or more of + - ~ (see Sign), OBJECT is an ID, PATH a leaf or
// (object). An object of ours under another name stands, with its reason, in a
// block fenced with the word "counterparts", one a line: UPSTREAM'S-ID OUR-ID.
//
// In OBJECT and PATH a star stands for any run of characters and
// {a,b} for one of several.
type Reasons struct {
	// Counterparts are the objects under another name.
	Counterparts Counterparts
	patterns     []pattern
}

type pattern struct {
	line    int
	text    string
	heading string
	signs   string
	object  *regexp.Regexp
	path    *regexp.Regexp
}

// ReadReasons reads the patterns of a Markdown document. A block without a
// reason before it is an error.
func ReadReasons(file string) (*Reasons, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	reasons, err := parseReasons(string(data))
	if err != nil {
		return nil, fmt.Errorf("%s:%w", file, err)
	}
	return reasons, nil
}

func parseReasons(document string) (*Reasons, error) {
	const fence = "```"
	reasons := &Reasons{Counterparts: Counterparts{}}
	scanner := bufio.NewScanner(strings.NewReader(document))
	heading, prose := "", false
	block, inside := "", false
	for number := 1; scanner.Scan(); number++ {
		line := strings.TrimSpace(scanner.Text())
		switch {
		case inside && line == fence:
			inside = false
		case inside:
			if err := reasons.add(block, line, heading, number); err != nil {
				return nil, fmt.Errorf("%d: %w", number, err)
			}
		case strings.HasPrefix(line, fence):
			block, inside = strings.TrimPrefix(line, fence), true
			if !prose && (block == "differences" || block == "counterparts") {
				return nil, fmt.Errorf("%d: no reason is given before the block", number)
			}
		case strings.HasPrefix(line, "#"):
			heading, prose = strings.TrimSpace(strings.TrimLeft(line, "#")), false
		case line != "":
			prose = true
		}
	}
	if err := scanner.Err(); err != nil {
		return nil, err
	}
	if inside {
		return nil, fmt.Errorf("the last block is not closed")
	}
	return reasons, nil
}

// add takes one line of a block; blocks of other kinds are prose.
func (r *Reasons) add(block, line, heading string, number int) error {
	if line == "" {
		return nil
	}
	switch block {
	case "differences":
		p, err := parsePattern(line)
		if err != nil {
			return err
		}
		p.line, p.heading = number, heading
		r.patterns = append(r.patterns, p)
	case "counterparts":
		ids := strings.Fields(line)
		if len(ids) != 2 || strings.Count(ids[0], "/") != 2 || strings.Count(ids[1], "/") != 2 {
			return fmt.Errorf("%q is not UPSTREAM'S-ID OUR-ID", line)
		}
		r.Counterparts[ids[0]] = ids[1]
	}
	return nil
}

func parsePattern(line string) (pattern, error) {
	signs, rest, _ := strings.Cut(line, " ")
	object, path, ok := strings.Cut(strings.TrimSpace(rest), " ")
	path = strings.TrimSpace(path)
	if !ok || path == "" || strings.Trim(signs, "+-~") != "" {
		return pattern{}, fmt.Errorf("%q is not SIGNS OBJECT PATH", line)
	}
	return pattern{text: line, signs: signs, object: glob(object), path: glob(path)}, nil
}

// glob translates a pattern into an anchored expression.
func glob(text string) *regexp.Regexp {
	var out strings.Builder
	out.WriteString("^")
	depth := 0
	for _, r := range text {
		switch {
		case r == '*':
			out.WriteString(".*")
		case r == '{':
			depth++
			out.WriteString("(?:")
		case r == '}' && depth > 0:
			depth--
			out.WriteString(")")
		case r == ',' && depth > 0:
			out.WriteString("|")
		default:
			out.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	for ; depth > 0; depth-- {
		out.WriteString(")")
	}
	out.WriteString("$")
	return regexp.MustCompile(out.String())
}

func (p pattern) covers(d Difference) bool {
	return strings.Contains(p.signs, string(d.Sign)) && p.object.MatchString(d.Object) && p.path.MatchString(d.Path)
}

// Check compares what differs with what is stated. It returns the differences
// that no reason covers, and the patterns that cover nothing (any more).
func (r *Reasons) Check(differences []Difference) (unexplained []Difference, idle []string) {
	used := make([]bool, len(r.patterns))
	for _, d := range differences {
		explained := false
		for i, p := range r.patterns {
			if p.covers(d) {
				explained, used[i] = true, true
			}
		}
		if !explained {
			unexplained = append(unexplained, d)
		}
	}
	for i, p := range r.patterns {
		if !used[i] {
			idle = append(idle, fmt.Sprintf("line %d, %s: %s", p.line, p.heading, p.text))
		}
	}
	return unexplained, idle
}

// Heading is the heading of the first reason that covers a difference, empty
// when there is none.
func (r *Reasons) Heading(d Difference) string {
	for _, p := range r.patterns {
		if p.covers(d) {
			return p.heading
		}
	}
	return ""
}
