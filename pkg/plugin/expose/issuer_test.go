package expose

import (
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

func TestTheIssuerFollowsTheHostNameOfHTTPS(t *testing.T) {
	const outer, other = "https://j.example.com/dex", "https://k.example.com:30443/dex"
	at := func(scheme, url string) report.WayIn { return report.WayIn{Scheme: scheme, URL: url} }
	for name, c := range map[string]struct {
		in     report.WayIn
		chosen bool
		now    string
		want   string
	}{
		"a host name is chosen":                         {at("https", "https://j.example.com/jupyter/"), true, "", outer},
		"one that was chosen before is left alone":      {at("https", "https://j.example.com/jupyter/"), false, "", ""},
		"another one takes its place":                   {at("https", "https://k.example.com:30443/jupyter/"), false, outer, other},
		"it stays":                                      {at("https", "https://j.example.com/jupyter/"), false, outer, outer},
		"HTTPS is turned off":                           {at("http", "http://10.0.0.1/jupyter/"), false, outer, ""},
		"HTTPS is turned off and there is no address":   {at("http", ""), false, outer, ""},
		"the host name goes":                            {at("https", "https://10.0.0.1/jupyter/"), false, outer, ""},
		"the address goes, and the certificate stays":   {at("https", ""), false, outer, outer},
		"there was never one":                           {at("http", "http://10.0.0.1/jupyter/"), false, "", ""},
		"an address that is chosen is no name":          {at("https", "https://10.0.0.1/jupyter/"), true, "", ""},
		"a name is chosen, and there is no address yet": {at("https", ""), true, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := issuerFor(c.in, c.chosen, c.now); got != c.want {
				t.Errorf("issuer %q, want %q", got, c.want)
			}
		})
	}
}
