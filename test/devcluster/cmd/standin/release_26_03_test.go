//go:build release2603

package main

import (
	"slices"
	"testing"
)

func TestFlagsOf2603AreDropped(t *testing.T) {
	got := without([]string{"-userid-header", "kubeflow-userid", "--leader-elect", "--health-probe-bind-address=:9876", "--metrics-bind-address=0"}, ignored)
	if want := []string{"-userid-header", "kubeflow-userid"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
