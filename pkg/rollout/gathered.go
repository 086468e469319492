package rollout

import (
	"regexp"
	"slices"
	"strings"
)

var permissionShape = regexp.MustCompile(`^(\w+) (\S+) in (?:namespace (\S+)|(the whole cluster))$`)

// Gathered turns one line for each verb and place into one for each resource that is
// lacking in the same way: hundreds of lines would be read by nobody. What has
// another shape stays as it is, at the end.
func Gathered(permissions []string) []string {
	type where struct{ resource, namespace string }
	verbs := map[where][]string{}
	var places []where
	var others []string
	for _, p := range permissions {
		m := permissionShape.FindStringSubmatch(p)
		if m == nil {
			others = append(others, p)
			continue
		}
		w := where{m[2], m[3]}
		if verbs[w] == nil {
			places = append(places, w)
		}
		verbs[w] = append(verbs[w], m[1])
	}
	type what struct{ resource, verbs string }
	namespaces := map[what][]string{}
	var lines []what
	for _, w := range places {
		k := what{w.resource, strings.Join(verbs[w], ", ")}
		if namespaces[k] == nil {
			lines = append(lines, k)
		}
		namespaces[k] = append(namespaces[k], w.namespace)
	}
	slices.SortStableFunc(lines, func(a, b what) int { return strings.Compare(a.resource, b.resource) })
	out := make([]string, 0, len(lines)+len(others))
	for _, l := range lines {
		line := l.resource + ": " + l.verbs
		in := namespaces[l]
		if slices.Contains(in, "") {
			line += " in the whole cluster"
			in = slices.DeleteFunc(in, func(n string) bool { return n == "" })
		}
		if len(in) > 0 {
			line += " in " + strings.Join(in, ", ")
		}
		out = append(out, line)
	}
	return append(out, others...)
}
