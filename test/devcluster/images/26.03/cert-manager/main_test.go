package main

import (
	"testing"

	"github.com/spf13/pflag"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name    string
		args    []string
		wantErr bool
	}{
		{"the flags of the controller's Deployment are accepted", []string{
			"--v=2", "--cluster-resource-namespace=cert-manager",
			"--leader-election-namespace=kube-system", "--acme-http01-solver-image=x", "--max-concurrent-challenges=60",
		}, false},
		{"a flag that cert-manager does not have is refused", []string{"--no-such-flag"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var f controllerFlags
			fs := pflag.NewFlagSet("controller", pflag.ContinueOnError)
			fs.Usage = func() {}
			f.add(fs)
			if err := parse(fs, tt.args); (err != nil) != tt.wantErr {
				t.Fatalf("parse(%q) = %v, want an error: %t", tt.args, err, tt.wantErr)
			}
			if !tt.wantErr && f.context.ClusterResourceNamespace != "cert-manager" {
				t.Errorf("cluster resource namespace = %q, want cert-manager", f.context.ClusterResourceNamespace)
			}
		})
	}
}
