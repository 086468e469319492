package fidelity

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// walker collects leaves.
type walker struct {
	leaves  Leaves
	ordered bool // inside a document: plain lists keep their order
}

func (w walker) walk(path string, value any) error {
	switch value := value.(type) {
	case nil:
		return nil // null is what the server drops
	case document:
		return walker{leaves: w.leaves, ordered: true}.walk(path, value.content)
	case map[string]any:
		if len(value) == 0 && path != "" {
			return w.leaf(path, value)
		}
		for _, key := range slices.Sorted(maps.Keys(value)) {
			if err := w.walk(path+segment(key), value[key]); err != nil {
				return err
			}
		}
		return nil
	case []any:
		return w.list(path, value)
	case string:
		return w.leaf(path, strings.TrimRight(value, " \t\n"))
	}
	return w.leaf(path, value)
}

func (w walker) leaf(path string, value any) error {
	if _, twice := w.leaves[path]; twice {
		return fmt.Errorf("two values at %s: the key of the list is not unique", path)
	}
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	w.leaves[path] = string(data)
	return nil
}

func (w walker) list(path string, list []any) error {
	if strings.HasSuffix(path, ".command") || strings.HasSuffix(path, ".args") {
		if words, ok := words(list); ok {
			return w.walkWords(path, words)
		}
	}
	if plain(list) {
		if !w.ordered {
			list = append([]any(nil), list...)
			sort.SliceStable(list, func(i, j int) bool { return fmt.Sprint(list[i]) < fmt.Sprint(list[j]) })
		}
		return w.leaf(path, list)
	}
	keys := places(list)
	if !firstMatchWins.MatchString(path) {
		keys = itemKeys(list)
	}
	for i, item := range list {
		if err := w.walk(path+"["+keys[i]+"]", item); err != nil {
			return err
		}
	}
	return nil
}

// walkWords addresses an argument by its flag, so that its place among the
// others does not matter, and a word without a flag by its number among those.
func (w walker) walkWords(path string, words []string) error {
	seen := map[string]int{}
	position := 0
	for i := 0; i < len(words); i++ {
		key, value := "", words[i]
		if strings.HasPrefix(words[i], "-") && len(words[i]) > 1 {
			var joined bool
			key, value, joined = strings.Cut(words[i], "=")
			if !joined {
				value = "" // a switch, unless the next word is its value
				if i+1 < len(words) && !strings.HasPrefix(words[i+1], "-") {
					i++
					value = words[i]
				}
			}
			seen[key]++
			if seen[key] > 1 {
				key += "#" + strconv.Itoa(seen[key])
			}
		} else {
			key = strconv.Itoa(position)
			position++
		}
		if err := w.leaf(path+"["+key+"]", value); err != nil {
			return err
		}
	}
	return nil
}

// naturalKeys are the fields that name an item of a list, best first. Several
// fields joined by a slash name it together.
var naturalKeys = []string{
	"mountPath", "containerPort", "port", "kind/namespace/name", "idEnv", "name", "id", "key", "topologyKey",
}

// itemKeys gives each item of a list its address: its natural key where every
// item has one of its own, its place otherwise.
func itemKeys(list []any) []string {
	for _, candidate := range naturalKeys {
		keys := make([]string, len(list))
		taken := map[string]bool{}
		ok := true
		for i, item := range list {
			fields, isMap := item.(map[string]any)
			if !isMap {
				ok = false
				break
			}
			var parts []string
			for _, field := range strings.Split(candidate, "/") {
				switch value := fields[field].(type) {
				case string, int64, float64, int:
					parts = append(parts, fmt.Sprint(value))
				case nil:
					if field != "namespace" { // a cluster-scoped subject has none
						ok = false
					}
					parts = append(parts, "")
				default:
					ok = false
				}
			}
			keys[i] = strings.Join(parts, "/")
			if protocol, _ := fields["protocol"].(string); protocol != "" && protocol != "TCP" {
				keys[i] += "/" + protocol
			}
			if taken[keys[i]] {
				ok = false
			}
			taken[keys[i]] = true
		}
		if ok {
			return keys
		}
	}
	return places(list)
}

// firstMatchWins are lists whose order is their meaning, even where items have
// names: the routes of a VirtualService.
var firstMatchWins = regexp.MustCompile(`^\.spec\.(http|tls|tcp)$`)

// places addresses items by their place.
func places(list []any) []string {
	keys := make([]string, len(list))
	for i := range list {
		keys[i] = strconv.Itoa(i)
	}
	return keys
}

// segment is one step of a path: .name, or ["name"] where the name would be
// taken for several.
func segment(key string) string {
	if key == "" || strings.ContainsAny(key, `.[]"' `) {
		return "[" + strconv.Quote(key) + "]"
	}
	return "." + key
}

// plain tells whether a list holds no maps and no lists.
func plain(list []any) bool {
	for _, item := range list {
		switch item.(type) {
		case map[string]any, []any:
			return false
		}
	}
	return true
}

func words(list []any) ([]string, bool) {
	out := make([]string, len(list))
	for i, item := range list {
		text, ok := item.(string)
		if !ok {
			return nil, false
		}
		out[i] = text
	}
	return out, true
}
