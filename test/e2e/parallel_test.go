//go:build e2e

package e2e

import "testing"

// sideBySide lets a test run beside others, as many as -parallel says. Most of what a test
// does is to wait for its cluster, each of which has its own directory and ports.
func sideBySide(t *testing.T) { t.Parallel() }
