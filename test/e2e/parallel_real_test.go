//go:build e2e_real

package e2e

import "testing"

// sideBySide does nothing: there is one container runtime, and one set of its directories.
func sideBySide(*testing.T) {}
