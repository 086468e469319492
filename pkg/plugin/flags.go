package plugin

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Values of --dry-run.
const (
	DryRunNone   = "none"
	DryRunClient = "client"
	DryRunServer = "server"
)

// DefaultTimeout leaves room for slow image pulls: the stack is some gigabytes.
const DefaultTimeout = 15 * time.Minute

func CheckTimeout(d time.Duration) error {
	if d < 0 {
		return fmt.Errorf("--timeout: %s is negative: use a duration such as 90s or 20m, or 0 for no timeout", d)
	}
	return nil
}

// Within bounds a context by what --timeout says; 0 for no bound.
func Within(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if timeout == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, timeout)
}

func CheckDryRun(mode string) error {
	if !slices.Contains([]string{DryRunNone, DryRunClient, DryRunServer}, mode) {
		return fmt.Errorf("--dry-run: unknown value %q: must be none, client or server", mode)
	}
	return nil
}
