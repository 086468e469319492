package components_test

import (
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// servesRequests are the Deployments that somebody else's request waits for: a person's, or
// the API server's for a webhook that fails closed.
var servesRequests = []string{
	"oauth2-proxy/oauth2-proxy", "auth/dex", "kubeflow/jupyter-web-app-deployment", "kubeflow/profiles-deployment",
	"kubeflow/admission-webhook-deployment", "kubeflow/poddefaults-webhook-deployment", "istio-system/istiod",
}

// The gateway's own program goes on for five seconds after it is told to end
// (terminationDrainDuration), so its pod needs no pause.
func TestARolloutLeavesNoRequestUnanswered(t *testing.T) {
	forEachRelease(t, func(t *testing.T, release string) {
		for name, options := range variants() {
			t.Run(name, func(t *testing.T) {
				for _, u := range ofKind(render(t, release, options), "Deployment") {
					deployment := typed[appsv1.Deployment](t, u)
					serves := slices.Contains(servesRequests, u.GetNamespace()+"/"+u.GetName())
					if serves || u.GetName() == "istio-ingressgateway" {
						if n := away(t, deployment); n != 0 {
							t.Errorf("%s: %d of its pods may be away during a rollout", id(u), n)
						}
					}
					var pause int64
					for _, c := range deployment.Spec.Template.Spec.Containers {
						if c.Lifecycle != nil && c.Lifecycle.PreStop != nil && c.Lifecycle.PreStop.Sleep != nil {
							pause = c.Lifecycle.PreStop.Sleep.Seconds
						}
					}
					want := int64(0)
					if serves && !options.NoPause {
						want = components.Pause
					}
					if pause != want {
						t.Errorf("%s goes on for %d s after its pod is deleted, want %d", id(u), pause, want)
					}
					// 30 s is the API server's default.
					if grace := deployment.Spec.Template.Spec.TerminationGracePeriodSeconds; pause > 0 && grace != nil && *grace <= pause {
						t.Errorf("%s is killed after %d s, before its pause ends", id(u), *grace)
					}
				}
			})
		}
	})
}

// away is how many of a Deployment's pods a rollout may take away before others are Ready.
func away(t *testing.T, d *appsv1.Deployment) int {
	t.Helper()
	replicas := 1
	if d.Spec.Replicas != nil {
		replicas = int(*d.Spec.Replicas)
	}
	switch d.Spec.Strategy.Type {
	case appsv1.RecreateDeploymentStrategyType:
		return replicas
	}
	unavailable := intstr.FromString("25%") // the API server's default
	if r := d.Spec.Strategy.RollingUpdate; r != nil && r.MaxUnavailable != nil {
		unavailable = *r.MaxUnavailable
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(&unavailable, replicas, false)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestWhatAServerIsOldFor(t *testing.T) {
	for name, tt := range map[string]struct {
		minor             int
		ordinary, noPause bool
	}{
		"1.28 has neither native sidecars nor pauses": {28, true, true},
		"1.29 has native sidecars, and drops pauses":  {29, false, true},
		"1.30 has both": {30, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			var o components.Options
			o.ForServer(tt.minor)
			if o.OrdinarySidecars != tt.ordinary || o.NoPause != tt.noPause {
				t.Errorf("ordinary sidecars %t, no pause %t, want %t and %t", o.OrdinarySidecars, o.NoPause, tt.ordinary, tt.noPause)
			}
		})
	}
}
