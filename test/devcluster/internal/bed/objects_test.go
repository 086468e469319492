package bed

import (
	"strings"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/apply"
)

func TestStorageClasses(t *testing.T) {
	for name, tc := range map[string]struct {
		config Config
		// want are the classes with their provisioners, the default one with a star.
		want string
	}{
		"simulated nodes":        {Config{Nodes: SimulatedNodes}, "simulated*devcluster.test/simulated"},
		"a real node":            {Config{Nodes: RealNodes}, "standard*devcluster.test/host-path"},
		"two":                    {Config{Nodes: SimulatedNodes, SecondClass: true}, "simulated*devcluster.test/simulated second devcluster.test/simulated"},
		"one that nobody serves": {Config{Nodes: RealNodes, Unprovisioned: true}, "gp2*kubernetes.io/aws-ebs"},
	} {
		t.Run(name, func(t *testing.T) {
			objects, err := apply.Objects([]byte(tc.config.storageClasses()))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, u := range objects {
				mark := " "
				if u.GetAnnotations()["storageclass.kubernetes.io/is-default-class"] == "true" {
					mark = "*"
				}
				got = append(got, u.GetName()+mark+u.Object["provisioner"].(string))
			}
			if got := strings.Join(got, " "); got != tc.want {
				t.Errorf("classes %s, want %s", got, tc.want)
			}
		})
	}
}
