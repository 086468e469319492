//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

func TestWhatIsWrongWithManyObjectsIsSaidOnceAndSoon(t *testing.T) {
	b := newBed(t, "--node-count", "50")
	b.kubectl("create", "namespace", "full")
	var subjects []diagnose.Subject
	for i := range 10 {
		name := fmt.Sprintf("web-%d", i)
		b.apply(strings.NewReplacer("NS", "full", "name: web, namespace", "name: "+name+", namespace").Replace(deploy(`
      containers: [{name: web, image: example.com/web:1, resources: {requests: {memory: 900Gi}}}]`)))
		subjects = append(subjects, diagnose.Subject{Component: "web", Ref: report.Ref{Group: "apps", Kind: "Deployment", Namespace: "full", Name: name}})
	}
	c := b.connect("")
	var took time.Duration
	eventually(t, "all ten are one cause", func() bool {
		start := time.Now()
		causes := diagnose.Explain(t.Context(), c, subjects)
		took = time.Since(start)
		return len(causes) == 1 && causes[0].Name == diagnose.InsufficientMemory && len(causes[0].Also) == 9
	})
	t.Logf("explained 10 Deployments on 50 nodes in %s", took.Round(time.Millisecond))
	if took > 2*time.Second {
		t.Errorf("it took %s", took)
	}
}

func whatIsBehindAWebhookIsNamedBeforeIt(t *testing.T, b *bed) {
	// An autoscaler would switch istiod on again.
	b.kubectl("-n", "istio-system", "delete", "hpa", "--all")
	b.kubectl("-n", "istio-system", "scale", "deployment", "istiod", "--replicas=0")
	b.kubectl("-n", "istio-system", "wait", "--for=delete", "pod", "-l", "app=istiod", "--timeout=60s")
	b.kubectl("-n", "kubeflow", "delete", "pods", "--all")
	c := b.connect("")
	var subjects []diagnose.Subject
	for _, name := range []string{"jupyter-web-app-deployment", "notebook-controller-deployment", "profiles-deployment"} {
		subjects = append(subjects, diagnose.Subject{Component: name, Ref: report.Ref{Group: "apps", Kind: "Deployment", Namespace: "kubeflow", Name: name}})
	}
	var got []string
	eventually(t, "istiod is named first, then its webhook, once, with all three Deployments", func() bool {
		causes := diagnose.Explain(t.Context(), c, subjects)
		got = nil
		for _, c := range causes {
			got = append(got, c.Name+" "+c.Object.String())
		}
		return slices.Equal(got, []string{"ScaledToZero Deployment istio-system/istiod", "WebhookWithoutEndpoints MutatingWebhookConfiguration istio-sidecar-injector"}) &&
			len(causes[1].Also) == len(subjects)
	})
	b.kubectl("-n", "istio-system", "scale", "deployment", "istiod", "--replicas=1")
	// What was refused is tried again by itself, and install sees it through.
	b.must("install", "--adopt", "--timeout", "5m")
}

func TestWithoutRightsTheDiagnosisSaysSo(t *testing.T) {
	b := newBed(t)
	b.kubectl("create", "namespace", "closed")
	c := b.connect("jane")
	causes := diagnose.Explain(t.Context(), c, []diagnose.Subject{{Component: "web", Ref: report.Ref{Group: "apps", Kind: "Deployment", Namespace: "closed", Name: "web"}, Message: "not found"}})
	k := slices.IndexFunc(causes, func(c report.Cause) bool { return c.Name == diagnose.Forbidden })
	if k < 0 {
		t.Fatalf("causes: %+v, want one named Forbidden", causes)
	}
	wantSays(t, strings.Join(causes[k].Evidence, "\n"), `User "jane" cannot list resource "pods"`)
}
