package view

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// appendYAML writes a decoded JSON value as YAML in kubectl's layout: sorted keys,
// two spaces, lists not indented below their key.
//
// General encoders build a token stream with all of YAML's styles and spend most of
// the time of `render` on the CustomResourceDefinitions. JSON values need little of
// that: strings that any parser reads back as the same string stand plain, text of
// several lines stands as a block, everything else in double quotes, where YAML
// takes what JSON escapes.
func appendYAML(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 0 {
			return append(b, "{}\n"...), nil
		}
		return appendMap(b, v, 0, false)
	case []any:
		if len(v) == 0 {
			return append(b, "[]\n"...), nil
		}
		return appendList(b, v, 0)
	}
	b, err := appendScalar(b, v, 0)
	return append(b, '\n'), err
}

// appendMap writes the entries at the given indentation; the first line's is left
// out where the map follows the dash of a list item.
func appendMap(b []byte, m map[string]any, indent int, first bool) ([]byte, error) {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var err error
	for i, k := range keys {
		if i > 0 || !first {
			b = appendIndent(b, indent)
		}
		if b, err = appendKey(b, k); err != nil {
			return nil, err
		}
		b = append(b, ':')
		if b, err = appendValue(b, m[k], indent); err != nil {
			return nil, fmt.Errorf("%s: %w", k, err)
		}
	}
	return b, nil
}

// appendValue writes what follows a key, with the line's end.
func appendValue(b []byte, v any, indent int) ([]byte, error) {
	switch v := v.(type) {
	case map[string]any:
		if len(v) > 0 {
			return appendMap(append(b, '\n'), v, indent+2, false)
		}
		return append(b, " {}\n"...), nil
	case []any:
		if len(v) > 0 {
			return appendList(append(b, '\n'), v, indent)
		}
		return append(b, " []\n"...), nil
	}
	b, err := appendScalar(append(b, ' '), v, indent+2)
	return append(b, '\n'), err
}

func appendList(b []byte, list []any, indent int) ([]byte, error) {
	var err error
	for _, v := range list {
		b = append(appendIndent(b, indent), '-')
		switch v := v.(type) {
		case map[string]any:
			if len(v) == 0 {
				b = append(b, " {}\n"...)
				continue
			}
			b, err = appendMap(append(b, ' '), v, indent+2, true)
		case []any:
			if len(v) == 0 {
				b = append(b, " []\n"...)
				continue
			}
			b, err = appendList(append(b, '\n'), v, indent+2)
		default:
			b, err = appendScalar(append(b, ' '), v, indent+2)
			b = append(b, '\n')
		}
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}

func appendScalar(b []byte, v any, indent int) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case string:
		switch {
		case plain(v):
			return append(b, v...), nil
		case blockable(v):
			return appendBlock(b, v, indent), nil
		}
		return appendQuoted(b, v)
	}
	// Floating point and whatever else JSON can express: YAML reads it the same way.
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return append(b, data...), nil
}

func appendKey(b []byte, k string) ([]byte, error) {
	// A longer key would need YAML's explicit form.
	if plain(k) && len(k) <= 128 {
		return append(b, k...), nil
	}
	return appendQuoted(b, k)
}

func appendQuoted(b []byte, s string) ([]byte, error) {
	var w strings.Builder
	e := json.NewEncoder(&w)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return nil, err
	}
	quoted := strings.TrimSuffix(w.String(), "\n")
	// JSON leaves it as it is, and YAML's parsers take it for something unprintable.
	quoted = strings.ReplaceAll(quoted, "\x7f", `\u007f`)
	for i, r := range quoted {
		if r >= 0x80 && r < 0xa0 || r == 0xfeff || r >= 0xfffe {
			return appendEscaped(append(b, quoted[:i]...), quoted[i:]), nil
		}
	}
	return append(b, quoted...), nil
}

// appendEscaped replaces what YAML does not take as it is, even in quotes.
func appendEscaped(b []byte, s string) []byte {
	for _, r := range s {
		switch {
		case r >= 0x80 && r < 0xa0, r == 0xfeff, r == 0xfffe, r == 0xffff:
			b = fmt.Appendf(b, `\u%04x`, r)
		case r > 0xffff:
			b = fmt.Appendf(b, `\U%08x`, r)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return b
}

// blockable tells whether a text survives as a literal block.
func blockable(s string) bool {
	if !strings.Contains(s, "\n") || s[0] == ' ' || s[0] == '\n' || s[0] == '\t' || strings.HasSuffix(s, "\n\n") {
		return false // the indentation, or the number of line ends, would have to be spelled out
	}
	for i := range len(s) {
		if c := s[i]; c != '\n' && c != '\t' && (c < ' ' || c > '~') {
			return false
		}
	}
	return !strings.Contains(s, " \n") && !strings.Contains(s, "\t\n") && strings.TrimRight(s, " \t") == s
}

func appendBlock(b []byte, s string, indent int) []byte {
	b = append(b, '|')
	text, ends := strings.CutSuffix(s, "\n")
	if !ends {
		b = append(b, '-')
	}
	for line := range strings.SplitSeq(text, "\n") {
		b = append(b, '\n')
		if line != "" {
			b = append(appendIndent(b, indent), line...)
		}
	}
	return b
}

func appendIndent(b []byte, n int) []byte {
	const spaces = "                                "
	for n > len(spaces) {
		b = append(b, spaces...)
		n -= len(spaces)
	}
	return append(b, spaces[:n]...)
}

// plain tells whether every YAML parser, of 1.1 or 1.2, reads the unquoted word back
// as the same string. It says no whenever it is not sure.
func plain(s string) bool {
	if s == "" || len(s) > 512 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c > '~':
			return false
		case c == ':' && (i == len(s)-1 || s[i+1] == ' '), c == '#' && (i == 0 || s[i-1] == ' '):
			return false
		}
	}
	if s[len(s)-1] == ' ' {
		return false
	}
	switch c := s[0]; {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		return len(s) > 5 || !reserved(s)
	case c == '/', c == '_', c == '$', c == '(':
		return true
	case c == '-':
		rest := strings.TrimPrefix(s[1:], "-")
		return rest != "" && (rest[0] >= 'a' && rest[0] <= 'z' || rest[0] >= 'A' && rest[0] <= 'Z')
	case c >= '0' && c <= '9':
		return quantity(s)
	}
	return false
}

// reserved are the words that some version of YAML takes for something else.
func reserved(s string) bool {
	switch strings.ToLower(s) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf":
		return true
	}
	return false
}

// quantity is a number with a unit, as in 100m, 64Mi, 90s: the only words beginning
// with a digit that are common here and no number to anybody.
func quantity(s string) bool {
	number := strings.TrimLeft(s, "0123456789")
	switch number {
	case "m", "s", "h", "Ki", "Mi", "Gi", "Ti":
		return true
	}
	return false
}
