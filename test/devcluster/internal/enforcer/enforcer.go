// Package enforcer changes webhook configurations as the admissions enforcer
// of AKS does: each webhook passes over the platform's own namespaces, and
// whatever somebody else writes there is changed again.
package enforcer

import (
	"context"
	"fmt"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/reconcile"
)

const (
	// AKS is the name by which the enforcer is asked for.
	AKS = "aks"
	// FieldManager is the name under which it writes.
	FieldManager = "admissionsenforcer"
	// Disabled is the annotation of a configuration that it leaves alone.
	Disabled = "admissions.enforcer/disabled"
)

// exclusions are added to every webhook's selector of namespaces.
var exclusions = []metav1.LabelSelectorRequirement{
	{Key: "control-plane", Operator: metav1.LabelSelectorOpDoesNotExist},
	{Key: "kubernetes.azure.com/managedby", Operator: metav1.LabelSelectorOpNotIn, Values: []string{AKS}},
}

// Run enforces until ctx ends. kube-system is labelled as on AKS first.
func Run(ctx context.Context, client kubernetes.Interface) error {
	patch := fmt.Sprintf(`{"metadata":{"labels":{"control-plane":"true","kubernetes.azure.com/managedby":%q}}}`, AKS)
	if _, err := client.CoreV1().Namespaces().Patch(ctx, metav1.NamespaceSystem, types.MergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: FieldManager}); err != nil {
		return fmt.Errorf("labels of namespace %s: %w", metav1.NamespaceSystem, err)
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	mutating, validating := factory.Admissionregistration().V1().MutatingWebhookConfigurations(), factory.Admissionregistration().V1().ValidatingWebhookConfigurations()
	changed, err := reconcile.Changes(mutating.Informer(), validating.Informer())
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	return reconcile.Until(ctx, changed, "enforcer", func(ctx context.Context) error {
		m, err := mutating.Lister().List(labels.Everything())
		if err != nil {
			return err
		}
		v, err := validating.Lister().List(labels.Everything())
		if err != nil {
			return err
		}
		return enforce(ctx, client, m, v)
	})
}

// enforce writes the configurations that lack an exclusion.
func enforce(ctx context.Context, client kubernetes.Interface, mutating []*admissionv1.MutatingWebhookConfiguration, validating []*admissionv1.ValidatingWebhookConfiguration) error {
	o := metav1.UpdateOptions{FieldManager: FieldManager}
	api := client.AdmissionregistrationV1()
	for _, c := range mutating {
		c, changed := c.DeepCopy(), false
		for i := range c.Webhooks {
			changed = exclude(&c.Webhooks[i].NamespaceSelector) || changed
		}
		if changed && c.Annotations[Disabled] != "true" {
			if _, err := api.MutatingWebhookConfigurations().Update(ctx, c, o); err != nil && !overtaken(err) {
				return err
			}
		}
	}
	for _, c := range validating {
		c, changed := c.DeepCopy(), false
		for i := range c.Webhooks {
			changed = exclude(&c.Webhooks[i].NamespaceSelector) || changed
		}
		if changed && c.Annotations[Disabled] != "true" {
			if _, err := api.ValidatingWebhookConfigurations().Update(ctx, c, o); err != nil && !overtaken(err) {
				return err
			}
		}
	}
	return nil
}

// overtaken tells that somebody else has written or deleted the object, which its watch tells as well.
func overtaken(err error) bool { return apierrors.IsConflict(err) || apierrors.IsNotFound(err) }

// exclude adds what a selector lacks, and tells whether it lacked something.
func exclude(at **metav1.LabelSelector) bool {
	if *at == nil {
		*at = &metav1.LabelSelector{}
	}
	s, changed := *at, false
	for _, e := range exclusions {
		if !slices.ContainsFunc(s.MatchExpressions, func(r metav1.LabelSelectorRequirement) bool {
			return r.Key == e.Key && r.Operator == e.Operator && slices.Equal(r.Values, e.Values)
		}) {
			s.MatchExpressions, changed = append(s.MatchExpressions, e), true
		}
	}
	return changed
}
