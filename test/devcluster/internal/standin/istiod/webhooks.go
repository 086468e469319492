package istiod

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
)

// fieldManager is the name under which istiod writes.
const fieldManager = "pilot-discovery"

// patchWebhooks keeps the CA in the webhook configurations of this revision,
// and the validator at Fail once it is known to refuse what is invalid.
func (s *server) patchWebhooks(ctx context.Context, ca []byte) error {
	f := informers.NewSharedInformerFactoryWithOptions(s.client, 0, informers.WithTweakListOptions(func(o *metav1.ListOptions) {
		o.LabelSelector = "istio.io/rev=" + s.revision
	}))
	changed := make(chan struct{}, 1)
	notify := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { notify() }, UpdateFunc: func(any, any) { notify() },
	}
	mutating := f.Admissionregistration().V1().MutatingWebhookConfigurations()
	validating := f.Admissionregistration().V1().ValidatingWebhookConfigurations()
	for _, i := range []cache.SharedIndexInformer{mutating.Informer(), validating.Informer()} {
		if _, err := i.AddEventHandler(handler); err != nil {
			return err
		}
	}
	f.Start(ctx.Done())
	f.WaitForCacheSync(ctx.Done())
	for {
		err := s.writeInjector(ctx, ca)
		if err == nil {
			err = s.writeValidator(ctx, ca)
		}
		var again <-chan time.Time
		if err != nil {
			fmt.Fprintf(s.pod.Log, "%s: %v\n", Name, err)
			again = time.After(500 * time.Millisecond)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-again:
		}
	}
}

func (s *server) selector() metav1.ListOptions {
	return metav1.ListOptions{LabelSelector: "istio.io/rev=" + s.revision}
}

func (s *server) writeInjector(ctx context.Context, ca []byte) error {
	client := s.client.AdmissionregistrationV1().MutatingWebhookConfigurations()
	list, err := client.List(ctx, s.selector())
	if err != nil {
		return err
	}
	for i := range list.Items {
		c, change := &list.Items[i], false
		for j := range c.Webhooks {
			w := &c.Webhooks[j].ClientConfig
			if w.Service != nil && w.Service.Namespace == s.namespace && !bytes.Equal(w.CABundle, ca) {
				w.CABundle, change = ca, true
			}
		}
		if !change {
			continue
		}
		if _, err := client.Update(ctx, c, metav1.UpdateOptions{FieldManager: fieldManager}); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("MutatingWebhookConfiguration %s: %w", c.Name, err)
		}
	}
	return nil
}

// writeValidator writes the CA first, with the failure policy as it is. Only
// when an invalid object is then refused may failures count.
func (s *server) writeValidator(ctx context.Context, ca []byte) error {
	client := s.client.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	list, err := client.List(ctx, s.selector())
	if err != nil {
		return err
	}
	for i := range list.Items {
		c := &list.Items[i]
		if !strings.HasPrefix(c.Name, "istio-validator") {
			continue
		}
		set := func(policy *admissionregistrationv1.FailurePolicyType) (change bool) {
			for j := range c.Webhooks {
				w := &c.Webhooks[j]
				if !bytes.Equal(w.ClientConfig.CABundle, ca) {
					w.ClientConfig.CABundle, change = ca, true
				}
				if policy != nil && (w.FailurePolicy == nil || *w.FailurePolicy != *policy) {
					w.FailurePolicy, change = policy, true
				}
			}
			return change
		}
		if set(nil) {
			if c, err = client.Update(ctx, c, metav1.UpdateOptions{FieldManager: fieldManager}); err != nil {
				return fmt.Errorf("ValidatingWebhookConfiguration: %w", err)
			}
		}
		fail := admissionregistrationv1.Fail
		if !set(&fail) {
			continue
		}
		if err := s.refusesInvalid(ctx); err != nil {
			return err
		}
		if _, err := client.Update(ctx, c, metav1.UpdateOptions{FieldManager: fieldManager}); err != nil {
			return fmt.Errorf("ValidatingWebhookConfiguration %s: %w", c.Name, err)
		}
	}
	return nil
}

// refusesInvalid sends an invalid Gateway, as a dry run, and wants it refused
// by the validator.
func (s *server) refusesInvalid(ctx context.Context) error {
	g := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "networking.istio.io/v1", "kind": "Gateway",
		"metadata": map[string]any{
			"name": "invalid-gateway", "namespace": s.namespace,
			"labels": map[string]any{"istio.io/rev": s.revision},
		},
		"spec": map[string]any{},
	}}
	_, err := s.dynamic.Resource(schema.GroupVersionResource{Group: "networking.istio.io", Version: "v1", Resource: "gateways"}).
		Namespace(s.namespace).Create(ctx, g, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil && strings.Contains(err.Error(), "denied the request") {
		return nil
	}
	return fmt.Errorf("an invalid Gateway should be refused by the validator: %v", err)
}
