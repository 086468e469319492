package exposure

import (
	"slices"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

func TestACertificateIsForTheAddressAndForTheNamesThatWereChosen(t *testing.T) {
	was := components.TLS{Secret: components.GatewaySecret, Hosts: []string{"nb.example.com", "192.0.2.7"}}
	for name, c := range map[string]struct {
		mode, address string
		hosts         []string
		was           components.TLS
		want          []string
	}{
		"the first time":                            {TLSSelfSigned, "192.0.2.7", []string{"nb.example.com"}, components.TLS{}, []string{"nb.example.com", "192.0.2.7"}},
		"without an address":                        {TLSSelfSigned, "", nil, components.TLS{}, nil},
		"again at another address":                  {TLSSelfSigned, "192.0.2.8", nil, was, []string{"nb.example.com", "192.0.2.8"}},
		"again with another name":                   {TLSSelfSigned, "192.0.2.7", []string{"lab.example.com"}, was, []string{"lab.example.com", "192.0.2.7"}},
		"again where people are led to the name":    {TLSSelfSigned, "nb.example.com", nil, was, []string{"nb.example.com", "192.0.2.7"}},
		"after a Secret of somebody's own":          {TLSSelfSigned, "192.0.2.7", nil, components.TLS{Secret: "mine", Hosts: []string{"x"}}, []string{"192.0.2.7"}},
		"a Secret of one's own after a self-signed": {"mine", "192.0.2.7", nil, was, []string{"192.0.2.7"}},
		"off": {TLSOff, "192.0.2.7", nil, was, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := (&HTTPS{Mode: c.mode, Hosts: c.hosts}).wanted(c.address, c.was)
			if !slices.Equal(got.Hosts, c.want) || got.On() != (c.mode != TLSOff) {
				t.Errorf("TLS %+v, want hosts %q", got, c.want)
			}
		})
	}
}
