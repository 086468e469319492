package cli

import (
	"strings"
	"testing"
)

func TestUpRefusesWhatCannotBe(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--network-policies"}, "--nodes real"},
		{[]string{"--release", "1.9", "--nodes", "real", "--build-images=false"}, "26.03"},
	} {
		c := upCommand()
		c.SetArgs(append(tt.args, "--dir", t.TempDir()))
		c.SilenceUsage, c.SilenceErrors = true, true
		if err := c.Execute(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("up %q = %v, want an error that says %q", tt.args, err, tt.want)
		}
	}
}
