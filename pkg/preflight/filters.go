package preflight

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/exposure"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/login"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// filters reads what somebody has put in front of every gateway of the mesh.
func (l *looker) filters(ctx context.Context) error {
	client, err := l.cluster.Of(schema.GroupKind{Group: "networking.istio.io", Kind: "EnvoyFilter"}, exposure.Namespace)
	if meta.IsNoMatchError(err) {
		return nil
	}
	if err != nil {
		return err
	}
	list, err := client.List(ctx, metav1.ListOptions{Limit: page})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for i := range list.Items {
		l.facts.Filters = append(l.facts.Filters, &list.Items[i])
	}
	for _, service := range login.AskedByFilters(l.facts.Filters) {
		err := l.core.get(ctx, "/api/v1/namespaces/"+service.Namespace+"/services/"+service.Name, &corev1.Service{})
		switch {
		case apierrors.IsNotFound(err):
			l.facts.Absent = append(l.facts.Absent, service)
		case err != nil:
			return err
		}
	}
	return nil
}

// strangeFilters: what decides about the gateway's requests and is not the installation's.
// One that denies everything makes an installation useless.
func (f *Facts) strangeFilters() []report.Cause {
	g := login.Ground{Filters: f.Filters}
	causes := g.StrangeFilters(rollout.IsMember, func(ref report.Ref) bool { return !slices.Contains(f.Absent, ref) })
	for i := range causes {
		if causes[i].Severity >= report.Error {
			causes[i].Severity = report.Fatal
		}
	}
	return causes
}
