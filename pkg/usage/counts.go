package usage

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// CountsText is numbers by resource, as in nvidia.com/gpu:2, the number as format has it.
func CountsText[N int64 | float64](by map[string]N, format, between string) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(by)) {
		out = append(out, fmt.Sprintf("%s:"+format, name, by[name]))
	}
	return strings.Join(out, between)
}
