package istiod

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
)

// rootConfigMap is what each namespace gets for its sidecars.
const rootConfigMap = "istio-ca-root-cert"

// passedOver are namespaces that istiod leaves alone.
var passedOver = map[string]bool{"kube-system": true, "kube-public": true, "kube-node-lease": true, "local-path-storage": true}

// writeRoots keeps the CA's certificate in each namespace.
func (s *server) writeRoots(ctx context.Context, ca []byte) error {
	f := informers.NewSharedInformerFactory(s.client, 0)
	namespaces, configs := f.Core().V1().Namespaces(), f.Core().V1().ConfigMaps()
	changed := make(chan struct{}, 1)
	notify := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	if _, err := namespaces.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: func(any) { notify() }}); err != nil {
		return err
	}
	ours := func(obj any) {
		if d, ok := obj.(cache.DeletedFinalStateUnknown); ok {
			obj = d.Obj
		}
		if c, ok := obj.(*corev1.ConfigMap); ok && c.Name == rootConfigMap {
			notify()
		}
	}
	if _, err := configs.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		UpdateFunc: func(_, obj any) { ours(obj) }, DeleteFunc: ours,
	}); err != nil {
		return err
	}
	f.Start(ctx.Done())
	f.WaitForCacheSync(ctx.Done())
	for {
		var again <-chan time.Time
		all, err := namespaces.Lister().List(labels.Everything())
		if err != nil {
			return err
		}
		for _, n := range all {
			if passedOver[n.Name] || n.Status.Phase == corev1.NamespaceTerminating {
				continue
			}
			have, err := configs.Lister().ConfigMaps(n.Name).Get(rootConfigMap)
			if err == nil && have.Data["root-cert.pem"] == string(ca) {
				continue
			}
			if err := s.writeRoot(ctx, n.Name, ca, have); err != nil {
				fmt.Fprintf(s.pod.Log, "%s: configmap %s/%s: %v\n", Name, n.Name, rootConfigMap, err)
				again = time.After(time.Second)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-again:
		}
	}
}

func (s *server) writeRoot(ctx context.Context, namespace string, ca []byte, have *corev1.ConfigMap) error {
	client := s.client.CoreV1().ConfigMaps(namespace)
	data := map[string]string{"root-cert.pem": string(ca)}
	if have != nil {
		c := have.DeepCopy()
		c.Data = data
		_, err := client.Update(ctx, c, metav1.UpdateOptions{FieldManager: fieldManager})
		return err
	}
	_, err := client.Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: rootConfigMap, Namespace: namespace, Labels: map[string]string{"istio.io/config": "true"}},
		Data:       data,
	}, metav1.CreateOptions{FieldManager: fieldManager})
	if apierrors.IsAlreadyExists(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return nil
	}
	return err
}
