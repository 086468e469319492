package status

import (
	"slices"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/exposure"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

func TestThatTheGatewayHasNoAddressIsToldOnce(t *testing.T) {
	pending := report.Cause{Name: diagnose.LoadBalancerPending, Severity: report.Error, Object: exposure.ServiceRef}
	delay := report.Cause{Name: diagnose.LoadBalancerPending, Severity: report.Delay, Object: exposure.ServiceRef}
	elsewhere := report.Cause{Name: diagnose.LoadBalancerPending, Severity: report.Error, Object: report.Ref{Kind: "Service", Namespace: "shop", Name: "web"}}
	none := report.Cause{Name: diagnose.NoLoadBalancerController, Severity: report.Error, Object: exposure.ServiceRef}
	ipvs := report.Cause{Name: diagnose.StrictARPOff, Severity: report.Warning}
	for name, c := range map[string]struct{ causes, address, want []report.Cause }{
		"nothing is wrong":                        {nil, nil, nil},
		"the reason is told instead of the fact":  {[]report.Cause{elsewhere, pending}, []report.Cause{none}, []report.Cause{elsewhere, none}},
		"the fact is told where no reason is":     {[]report.Cause{pending}, []report.Cause{delay}, []report.Cause{pending}},
		"a warning beside it takes nothing away":  {[]report.Cause{pending}, []report.Cause{delay, ipvs}, []report.Cause{pending, ipvs}},
		"what only the address tells is told too": {nil, []report.Cause{ipvs}, []report.Cause{ipvs}},
	} {
		t.Run(name, func(t *testing.T) {
			got := withAddress(c.causes, c.address)
			same := func(a, b report.Cause) bool {
				return a.Name == b.Name && a.Severity == b.Severity && a.Object == b.Object
			}
			if !slices.EqualFunc(got, c.want, same) {
				t.Errorf("withAddress() = %+v, want %+v", got, c.want)
			}
		})
	}
}
