package exposure

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
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
			got := (&HTTPS{Mode: c.mode, Hosts: c.hosts}).wanted(c.address, rollout.Settings{TLS: c.was})
			if !slices.Equal(got.Hosts, c.want) || got.On() != (c.mode != TLSOff) {
				t.Errorf("TLS %+v, want hosts %q", got, c.want)
			}
		})
	}
}

func TestASelfSignedCertificateIsForTheNotebooksHost(t *testing.T) {
	origin := components.NotebookOrigin{Host: "n.j.example.com"}
	for name, c := range map[string]struct {
		chosen *components.NotebookOrigin
		was    components.NotebookOrigin
		want   []string
	}{
		"chosen in the same run":   {&origin, components.NotebookOrigin{}, []string{"192.0.2.7", "j.example.com", "n.j.example.com"}},
		"chosen earlier":           {nil, origin, []string{"192.0.2.7", "j.example.com", "n.j.example.com"}},
		"given up in the same run": {&components.NotebookOrigin{}, origin, []string{"192.0.2.7"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := (&HTTPS{Mode: TLSSelfSigned, Notebooks: c.chosen}).wanted("192.0.2.7", rollout.Settings{NotebookOrigin: c.was})
			if !slices.Equal(got.Hosts, c.want) {
				t.Errorf("hosts %q, want %q", got.Hosts, c.want)
			}
		})
	}
}

func TestNodePortsThatBelongTogether(t *testing.T) {
	ports := []corev1.ServicePort{{Port: 80, NodePort: 31080}, {Port: 443, NodePort: 31443}, {Port: components.NotebookPort, NodePort: 31888}}
	for name, c := range map[string]struct {
		kind           corev1.ServiceType
		ports          []corev1.ServicePort
		https          bool
		app, notebooks int32
	}{
		"HTTP":                            {corev1.ServiceTypeNodePort, ports, false, 31080, 31888},
		"HTTPS":                           {corev1.ServiceTypeNodePort, ports, true, 31443, 31888},
		"a load balancer has its own":     {corev1.ServiceTypeLoadBalancer, ports, false, 0, 0},
		"before the port has been opened": {corev1.ServiceTypeNodePort, ports[:2], false, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			app, notebooks := nodePortsOf(&corev1.Service{Spec: corev1.ServiceSpec{Type: c.kind, Ports: c.ports}}, c.https)
			if app != c.app || notebooks != c.notebooks {
				t.Errorf("%d and %d, want %d and %d", app, notebooks, c.app, c.notebooks)
			}
		})
	}
}
