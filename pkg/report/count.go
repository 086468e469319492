package report

import (
	"fmt"
	"slices"
	"strings"
)

// Count is a number and the noun that goes with it, as in "1 node" or "3 nodes".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Kinds counts objects by kind: "Deployment 3, Service 4".
func Kinds(refs []Ref) string {
	if len(refs) == 0 {
		return "none"
	}
	counts := map[string]int{}
	for _, r := range refs {
		counts[r.Kind]++
	}
	parts := make([]string, 0, len(counts))
	for kind, n := range counts {
		parts = append(parts, fmt.Sprintf("%s %d", kind, n))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}
