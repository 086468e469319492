package controlplane

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/pki"
)

func TestProgramsAreOfOneVersion(t *testing.T) {
	for name, tt := range map[string]struct {
		says       map[string]string // what each program prints
		want, fail string
	}{
		"all of one version":            {map[string]string{APIServer: "Kubernetes v1.28.15", ControllerManager: "Kubernetes v1.28.15", Scheduler: "Kubernetes v1.28.15"}, "v1.28.15", ""},
		"one of another version":        {map[string]string{APIServer: "Kubernetes v1.28.15", ControllerManager: "Kubernetes v1.32.13", Scheduler: "Kubernetes v1.28.15"}, "", "kube-controller-manager is v1.32.13, kube-apiserver in the same directory is v1.28.15"},
		"one that is not there":         {map[string]string{APIServer: "Kubernetes v1.28.15", ControllerManager: "Kubernetes v1.28.15"}, "", "kube-scheduler --version"},
		"something else of such a name": {map[string]string{APIServer: "etcd Version: 3.5.9"}, "", "not a version of Kubernetes"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for program, text := range tt.says {
				if err := os.WriteFile(filepath.Join(dir, program), []byte("#!/bin/sh\necho '"+text+"'\n"), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			got, err := Programs(dir).Version(t.Context())
			if got != tt.want || (tt.fail == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.fail) {
				t.Errorf("got %q, %v; want %q, an error with %q", got, err, tt.want, tt.fail)
			}
		})
	}
}

func TestGatesAreForAllComponentsAndAPIsForTheServer(t *testing.T) {
	c := Config{PKI: pki.Dir(t.TempDir()), FeatureGates: []string{"A=true", "B=false"}, RuntimeConfig: []string{"resource.k8s.io/v1beta1=true"}}
	for _, name := range Names {
		flags := strings.Join(c.flags(name), " ")
		if !strings.Contains(flags, "--feature-gates=A=true,B=false") {
			t.Errorf("%s has no gates: %s", name, flags)
		}
		if got := strings.Contains(flags, "--runtime-config=resource.k8s.io/v1beta1=true"); got != (name == APIServer) {
			t.Errorf("%s has --runtime-config: %t", name, got)
		}
	}
}
