package fidelity

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
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
// A block holds for all releases, or for those that its fence names after the word.
//
// In OBJECT and PATH a star stands for any run of characters and
// {a,b} for one of several.
type Reasons struct {
	// Counterparts are the objects under another name.
	Counterparts Counterparts
	// Releases that the document names, whichever one was asked for.
	Releases []string
	patterns []pattern
}

// pattern is one line of a block, with every way to choose among its braces.
type pattern struct {
	line     int
	text     string
	heading  string
	signs    string
	variants []variant
}

// variant is a pattern with one alternative of each pair of braces chosen.
type variant struct {
	choices []string // "1st brace: a", so that an alternative can be told apart
	object  *regexp.Regexp
	path    *regexp.Regexp
}

// ReadReasons reads the patterns of a Markdown document that hold for a release. A
// block without a reason before it is an error.
func ReadReasons(file, release string) (*Reasons, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	reasons, err := parseReasons(string(data), release)
	if err != nil {
		return nil, fmt.Errorf("%s:%w", file, err)
	}
	return reasons, nil
}

func parseReasons(document, release string) (*Reasons, error) {
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
			var named string
			block, named, _ = strings.Cut(strings.TrimPrefix(line, fence), " ")
			inside = true
			if !prose && (block == "differences" || block == "counterparts") {
				return nil, fmt.Errorf("%d: no reason is given before the block", number)
			}
			releases := strings.Fields(named)
			reasons.Releases = append(reasons.Releases, releases...)
			if len(releases) > 0 && !slices.Contains(releases, release) {
				block = "" // of another release
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
	p := pattern{text: line, signs: signs}
	objects, err := choose(object)
	if err != nil {
		return pattern{}, err
	}
	paths, err := choose(path)
	if err != nil {
		return pattern{}, err
	}
	for _, o := range objects {
		for _, a := range paths {
			p.variants = append(p.variants, variant{
				choices: append(slices.Clone(o.choices), a.choices...),
				object:  glob(o.text),
				path:    glob(a.text),
			})
		}
	}
	return p, nil
}

// chosen is a text after its braces have been replaced by alternatives.
type chosen struct {
	text    string
	choices []string
}

// choose lists every choice among the braces of a text. Braces are not nested.
func choose(text string) ([]chosen, error) {
	open := strings.Index(text, "{")
	if open < 0 {
		return []chosen{{text: text}}, nil
	}
	length := strings.Index(text[open:], "}")
	if length < 0 || strings.Contains(text[open+1:open+length], "{") {
		return nil, fmt.Errorf("%q: braces are closed and not nested", text)
	}
	before, braces, after := text[:open], text[open:open+length+1], text[open+length+1:]
	rest, err := choose(after)
	if err != nil {
		return nil, err
	}
	var out []chosen
	for _, alternative := range strings.Split(strings.Trim(braces, "{}"), ",") {
		for _, r := range rest {
			out = append(out, chosen{
				text: before + alternative + r.text,
				// The remaining text tells two equal pairs of braces apart.
				choices: append([]string{alternative + " of " + braces + after}, r.choices...),
			})
		}
	}
	return out, nil
}

// glob translates a text with stars into an anchored expression.
func glob(text string) *regexp.Regexp {
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(text), `\*`, ".*") + "$")
}

// covers tells by which variants a difference is covered.
func (p pattern) covers(d Difference) []variant {
	if !strings.Contains(p.signs, string(d.Sign)) {
		return nil
	}
	var out []variant
	for _, v := range p.variants {
		if v.object.MatchString(d.Object) && v.path.MatchString(d.Path) {
			out = append(out, v)
		}
	}
	return out
}

// Check compares what differs with what is stated. It returns the differences
// that no reason covers, and what is stated and covers nothing (any more): whole
// patterns, and single signs and alternatives of a pattern.
func (r *Reasons) Check(differences []Difference) (unexplained []Difference, idle []string) {
	used := make([]map[string]bool, len(r.patterns))
	for i := range used {
		used[i] = map[string]bool{}
	}
	for _, d := range differences {
		explained := false
		for i, p := range r.patterns {
			for _, v := range p.covers(d) {
				explained = true
				used[i]["sign "+string(d.Sign)] = true
				for _, choice := range v.choices {
					used[i][choice] = true
				}
			}
		}
		if !explained {
			unexplained = append(unexplained, d)
		}
	}
	for i, p := range r.patterns {
		where := fmt.Sprintf("line %d, %s: %s", p.line, p.heading, p.text)
		if len(used[i]) == 0 {
			idle = append(idle, where)
			continue
		}
		wanted := map[string]bool{}
		for _, sign := range p.signs {
			wanted["sign "+string(sign)] = true
		}
		for _, v := range p.variants {
			for _, choice := range v.choices {
				wanted[choice] = true
			}
		}
		for _, part := range slices.Sorted(maps.Keys(wanted)) {
			if !used[i][part] {
				idle = append(idle, where+" ("+part+")")
			}
		}
	}
	return unexplained, idle
}

// Heading is the heading of the first reason that covers a difference, empty
// when there is none.
func (r *Reasons) Heading(d Difference) string {
	for _, p := range r.patterns {
		if len(p.covers(d)) > 0 {
			return p.heading
		}
	}
	return ""
}
