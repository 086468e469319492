package plugin

import (
	"slices"
	"strings"
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
		"the first time":                            {tlsSelfSigned, "192.0.2.7", []string{"nb.example.com"}, components.TLS{}, []string{"nb.example.com", "192.0.2.7"}},
		"without an address":                        {tlsSelfSigned, "", nil, components.TLS{}, nil},
		"again at another address":                  {tlsSelfSigned, "192.0.2.8", nil, was, []string{"nb.example.com", "192.0.2.8"}},
		"again with another name":                   {tlsSelfSigned, "192.0.2.7", []string{"lab.example.com"}, was, []string{"lab.example.com", "192.0.2.7"}},
		"again where people are led to the name":    {tlsSelfSigned, "nb.example.com", nil, was, []string{"nb.example.com", "192.0.2.7"}},
		"after a Secret of somebody's own":          {tlsSelfSigned, "192.0.2.7", nil, components.TLS{Secret: "mine", Hosts: []string{"x"}}, []string{"192.0.2.7"}},
		"a Secret of one's own after a self-signed": {"mine", "192.0.2.7", nil, was, []string{"192.0.2.7"}},
		"off": {tlsOff, "192.0.2.7", nil, was, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := (&tlsChoice{Mode: c.mode, Hosts: c.hosts}).wanted(c.address, c.was)
			if !slices.Equal(got.Hosts, c.want) || got.On() != (c.mode != tlsOff) {
				t.Errorf("TLS %+v, want hosts %q", got, c.want)
			}
		})
	}
}

func TestWhatIsTypedAboutTLSIsRefusedWithItsFlag(t *testing.T) {
	for name, c := range map[string]struct {
		flags tlsFlags
		want  string
	}{
		"a host without a certificate":  {tlsFlags{hosts: []string{"nb"}}, "--host:"},
		"a host for plain HTTP":         {tlsFlags{tls: tlsOff, hosts: []string{"nb"}}, "--host:"},
		"a host with a scheme":          {tlsFlags{tls: tlsSelfSigned, hosts: []string{"https://nb"}}, "--host:"},
		"a name that no Secret has":     {tlsFlags{tls: "Mine!"}, "--tls:"},
		"a directory that is not there": {tlsFlags{tls: tlsSelfSigned, kustomization: "no-such-directory"}, "-k no-such-directory:"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := c.flags.options(nil, 0); err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("error = %v, want one that starts with %s", err, c.want)
			}
		})
	}
}
