//go:build release2603

package main

import (
	"context"
	"strings"
)

// ignored are flags that release 26.03 gives its profile controller beside those of 1.10. The stand-in runs once,
// has its probes where the release looks for them, and has no metrics.
var ignored = []string{"leader-elect", "health-probe-bind-address", "metrics-bind-address"}

func init() {
	parts["profile-controller"] = func(ctx context.Context, args []string) error {
		return profileController(ctx, without(args, ignored))
	}
}

// without drops flags whose values, if any, stand behind an equals sign.
func without(args, flags []string) []string {
	var kept []string
	for _, a := range args {
		name, _, _ := strings.Cut(strings.TrimLeft(a, "-"), "=")
		drop := false
		for _, f := range flags {
			drop = drop || strings.HasPrefix(a, "-") && name == f
		}
		if !drop {
			kept = append(kept, a)
		}
	}
	return kept
}
