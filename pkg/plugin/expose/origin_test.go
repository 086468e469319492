package expose

import (
	"slices"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/exposure"
)

func TestACertificateHasToBeForTheNotebooksHostToo(t *testing.T) {
	for name, c := range map[string]struct {
		tls, origin string
		want        []string
	}{
		"a Secret and a host":               {"mine", "host=n.j.example.com", []string{"j.example.com", "n.j.example.com"}},
		"a Secret and a port":               {"mine", "port", nil},
		"self-signed, which is made for it": {exposure.TLSSelfSigned, "host=n.j.example.com", nil},
		"no certificate":                    {"", "host=n.j.example.com", nil},
	} {
		t.Run(name, func(t *testing.T) {
			tls := &exposure.HTTPS{Mode: c.tls}
			o, err := originOptions(c.origin, true, tls)
			if err != nil || o.Wanted == nil || tls.Notebooks != o.Wanted || !slices.Equal(tls.Hosts, c.want) {
				t.Errorf("%+v, hosts %q, %v", o, tls.Hosts, err)
			}
		})
	}
	if o, err := originOptions("", false, &exposure.HTTPS{}); err != nil || o.Wanted != nil {
		t.Errorf("nobody asked for a change: %+v, %v", o, err)
	}
}
