//go:build e2e || e2e_real

package e2e

import (
	"flag"
	"testing"
)

// otherClusters asks for clusters that are not like most: each takes an installation of its own.
var otherClusters = flag.Bool("clusters", false, "test clusters of other kinds, too")

func onlyWithOtherClusters(t *testing.T) {
	t.Helper()
	if !*otherClusters {
		t.Skip("make e2e-clusters runs it")
	}
}
