package diagnose

import (
	"strings"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

func TestAMissingDefaultStorageClassIsForeseen(t *testing.T) {
	const plain = `
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: slow}
provisioner: example.com/disks
`
	const standard = `
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: standard, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}
provisioner: example.com/disks
`
	for name, test := range map[string]struct {
		reader *fakeReader
		// evidence and remedy have these in them; empty where nothing is foreseen
		evidence, remedy string
	}{
		"no class at all needs a provisioner":       {&fakeReader{}, "classes: none", "install a provisioner"},
		"a class that is not the default is named":  {&fakeReader{objects: parse(t, plain)}, "classes: slow", "kubectl get storageclass"},
		"with a default class all is well":          {&fakeReader{objects: parse(t, plain+"---"+standard)}, "", ""},
		"what may not be read is not foreseen":      {&fakeReader{forbidden: []string{"storageclasses"}}, "", ""},
		"a server that is silent holds nobody back": {&fakeReader{silent: []string{"storageclasses"}}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			causes := foresee(t.Context(), test.reader)
			if test.evidence == "" {
				if len(causes) != 0 {
					t.Errorf("foreseen: %+v", causes)
				}
				return
			}
			if len(causes) != 1 {
				t.Fatalf("%d causes, want 1", len(causes))
			}
			if c := causes[0]; c.Name != NoDefaultStorageClass || c.Severity != report.Warning ||
				!strings.Contains(strings.Join(c.Evidence, "\n"), test.evidence) || !strings.Contains(c.Remedy, test.remedy) {
				t.Errorf("got %+v, want evidence %q and remedy %q", c, test.evidence, test.remedy)
			}
		})
	}
}
