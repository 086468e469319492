package preflight

import (
	"errors"
	"strings"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

func TestThePlatformIsToldWithItsEvidence(t *testing.T) {
	f := good()
	f.Target.Version = "v1.33.1+k3s1"
	if said, causes := findPlatform(f); said != "k3s (server version v1.33.1+k3s1)" || len(causes) > 0 {
		t.Errorf("findPlatform() = %q, %v", said, causes)
	}
	f.Target.Version, f.Open = "v1.33.1", nil
	f.failed = map[string]error{readNodes: errors.New("forbidden")}
	if said, _ := findPlatform(f); said != "not recognized: the nodes could not be read" {
		t.Errorf("findPlatform() = %q", said)
	}
}

func TestTheDirectoriesOfTheCNIPluginAreTold(t *testing.T) {
	f := good()
	answer := func() *Answer {
		for _, a := range Judge(f).Answers {
			if a.Check == "cni" {
				return &a
			}
		}
		return nil
	}
	if a := answer(); a != nil {
		t.Errorf("a release without the plugin has the row %+v", a)
	}
	f.done = map[string]bool{readDirectories: true}
	f.Directories = &rollout.Directories{CNI: components.CNI{BinDir: "/home/kubernetes/bin", ConfDir: "/etc/cni/net.d"}, How: "GKE (server version v1.33.1-gke.1)"}
	a := answer()
	if a == nil || a.Result != OK || a.Found != "plugins in /home/kubernetes/bin, configuration in /etc/cni/net.d: GKE (server version v1.33.1-gke.1)" {
		t.Errorf("row = %+v", a)
	}
	f.Directories.Multus = true
	if a = answer(); a == nil || a.Result != Warning || strings.Join(a.Causes, ",") != diagnose.CNIChainUnsupported {
		t.Errorf("with Multus: row = %+v, want a %v", a, report.Warning)
	}
}
