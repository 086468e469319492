package redact

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
)

const (
	// minKnown is the length in bytes from which a value is looked for in texts. Shorter
	// ones ("1", "admin") would blacken half of every log and identify nothing.
	minKnown = 6
	// maxKnown: longer values (a packed Helm release) are not printed by anybody.
	maxKnown = 64 << 10
	// minLine is the length from which a single line of a longer value is looked for.
	minLine = 24
)

// Known are values that must not be in any text, in whatever clothes: as they are, in
// Base64 (also as a part of something longer), in a URL, in JSON. Learn first; a Known
// that has been used takes new values up with the next use. It is not safe for
// learning from several goroutines.
type Known struct {
	values   map[string]bool
	names    map[string]bool
	replacer *strings.Replacer
}

// NewKnown knows nothing yet.
func NewKnown() *Known { return &Known{values: map[string]bool{}, names: map[string]bool{}} }

// Name keeps what is the name of an object or a namespace from being taken out: a
// Secret that holds the word kubeflow must not blacken it everywhere.
func (k *Known) Name(name string) { k.names[name] = true }

// Learn takes up a value, and the telling lines of one that has several.
func (k *Known) Learn(value string) {
	k.replacer = nil
	if len(value) > maxKnown {
		return
	}
	trimmed := strings.TrimSpace(value)
	lines := strings.Split(trimmed, "\n")
	for _, v := range append([]string{value, trimmed}, lines...) {
		line := strings.TrimSpace(v)
		whole := line == trimmed
		// A line of a key or a token is one word; a line of prose or of configuration has
		// its own rules.
		if len(v) < minKnown || !whole && v != value && (len(line) < minLine || strings.ContainsAny(line, " \t") || strings.HasPrefix(line, "-----")) {
			continue
		}
		k.values[v] = true
		k.values[line] = true
	}
}

// Values are how many are known.
func (k *Known) Values() int { return len(k.values) }

// Replace takes every known value out of a text.
func (k *Known) Replace(text string) string {
	if k == nil || len(k.values) == 0 {
		return text
	}
	k.Seal()
	return k.replacer.Replace(text)
}

// Seal prepares for Replace, which many goroutines may call from then on.
func (k *Known) Seal() {
	if k.replacer != nil {
		return
	}
	forms := map[string]bool{}
	for v := range k.values {
		if k.names[v] {
			continue
		}
		for _, form := range disguises(v) {
			if len(form) >= minKnown {
				forms[form] = true
			}
		}
	}
	// The longest first: of two values that begin alike, the whole of the longer goes.
	order := slices.SortedFunc(maps.Keys(forms), func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	pairs := make([]string, 0, 2*len(order))
	for _, form := range order {
		pairs = append(pairs, form, Mark)
	}
	k.replacer = strings.NewReplacer(pairs...)
}

// disguises are the forms in which a value turns up.
func disguises(v string) []string {
	forms := []string{v, url.QueryEscape(v), url.PathEscape(v)}
	if quoted, err := json.Marshal(v); err == nil {
		forms = append(forms, string(quoted[1:len(quoted)-1]))
	}
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		forms = append(forms, encoding.EncodeToString([]byte(v)))
		// Within something longer, such as USER:PASSWORD, a value begins at any of three
		// places of Base64's groups; its ends mix with what is around it and are left out.
		for skip := range 3 {
			whole := encoding.EncodeToString(append(make([]byte, skip), v...))
			first := []int{0, 2, 3}[skip]
			last := len(v) + skip
			if inner := whole[first : last/3*4]; len(inner) >= 8 {
				forms = append(forms, inner)
			}
		}
	}
	return forms
}
