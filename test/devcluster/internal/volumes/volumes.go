// Package volumes does for simulated pods what a kubelet does before it
// starts containers: it waits for the Secrets, ConfigMaps and claims that a
// pod mounts. It also provisions the claims, with volumes that store nothing.
package volumes

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	storagelisters "k8s.io/client-go/listers/storage/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
)

// complainAfter is when a pod that waits for a volume gets its first event,
// complainEvery how often it gets one more. A kubelet says so at similar times.
const (
	complainAfter = 2 * time.Second
	complainEvery = 30 * time.Second
)

type controller struct {
	client      kubernetes.Interface
	provisioner string
	pods        corelisters.PodLister
	secrets     corelisters.SecretLister
	configs     corelisters.ConfigMapLister
	claims      corelisters.PersistentVolumeClaimLister
	nodes       corelisters.NodeLister
	classes     storagelisters.StorageClassLister
	queue       workqueue.TypedRateLimitingInterface[item]
	waiting     map[types.UID]*wait
}

type wait struct{ since, said time.Time }

type item struct{ kind, namespace, name string }

// Run watches until ctx ends. Claims of StorageClasses of the provisioner are
// bound to volumes that store nothing.
func Run(ctx context.Context, client kubernetes.Interface, provisioner string) error {
	f := informers.NewSharedInformerFactory(client, 0)
	c := &controller{
		client: client, provisioner: provisioner, waiting: map[types.UID]*wait{},
		pods: f.Core().V1().Pods().Lister(), secrets: f.Core().V1().Secrets().Lister(),
		configs: f.Core().V1().ConfigMaps().Lister(), claims: f.Core().V1().PersistentVolumeClaims().Lister(),
		nodes: f.Core().V1().Nodes().Lister(), classes: f.Storage().V1().StorageClasses().Lister(),
		queue: workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[item](20*time.Millisecond, 5*time.Second)),
	}
	// Each change of what a pod may wait for looks at the pods of its namespace.
	namespaceOf := func(obj any) {
		if o, ok := object(obj); ok {
			c.queue.Add(item{kind: "namespace", namespace: o.GetNamespace()})
		}
	}
	on := func(i cache.SharedIndexInformer, f func(any)) error {
		_, err := i.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: f, UpdateFunc: func(_, obj any) { f(obj) }, DeleteFunc: f,
		})
		return err
	}
	for _, err := range []error{
		on(f.Core().V1().Pods().Informer(), func(obj any) {
			if o, ok := object(obj); ok {
				c.queue.Add(item{"pod", o.GetNamespace(), o.GetName()})
			}
		}),
		on(f.Core().V1().PersistentVolumeClaims().Informer(), func(obj any) {
			if o, ok := object(obj); ok {
				c.queue.Add(item{"claim", o.GetNamespace(), o.GetName()})
			}
			namespaceOf(obj)
		}),
		on(f.Core().V1().Secrets().Informer(), namespaceOf),
		on(f.Core().V1().ConfigMaps().Informer(), namespaceOf),
		on(f.Core().V1().PersistentVolumes().Informer(), func(obj any) {
			if o, ok := object(obj); ok {
				c.queue.Add(item{kind: "volume", name: o.GetName()})
			}
		}),
		on(f.Core().V1().Nodes().Informer(), func(any) {}),
		on(f.Storage().V1().StorageClasses().Informer(), func(any) {}),
	} {
		if err != nil {
			return err
		}
	}
	f.Start(ctx.Done())
	f.WaitForCacheSync(ctx.Done())
	defer context.AfterFunc(ctx, c.queue.ShutDown)()
	for {
		it, shutdown := c.queue.Get()
		if shutdown {
			return ctx.Err()
		}
		if err := c.work(ctx, it); err != nil {
			klog.V(2).Infof("devcluster: volumes: %v", err)
			c.queue.AddRateLimited(it)
		} else {
			c.queue.Forget(it)
		}
		c.queue.Done(it)
	}
}

func object(obj any) (metav1.Object, bool) {
	if d, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		obj = d.Obj
	}
	o, ok := obj.(metav1.Object)
	return o, ok
}

func (c *controller) work(ctx context.Context, it item) error {
	switch it.kind {
	case "pod":
		return c.pod(ctx, it.namespace, it.name)
	case "claim":
		return c.claim(ctx, it.namespace, it.name)
	case "volume":
		return c.volume(ctx, it.name)
	}
	pods, err := c.pods.Pods(it.namespace).List(labels.Everything())
	if err != nil {
		return err
	}
	for _, p := range pods {
		if len(c.waiting) > 0 && c.waiting[p.UID] != nil {
			c.queue.Add(item{"pod", p.Namespace, p.Name})
		}
	}
	return nil
}

// pod marks a pod whose volumes are all there.
func (c *controller) pod(ctx context.Context, namespace, name string) error {
	p, err := c.pods.Pods(namespace).Get(name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if p.Spec.NodeName == "" || p.Status.PodIP == "" || p.DeletionTimestamp != nil || started(p) || !c.simulated(p.Spec.NodeName) {
		delete(c.waiting, p.UID)
		return nil
	}
	missing := Missing(p, c.exists)
	if missing == "" {
		delete(c.waiting, p.UID)
		return c.markStarted(ctx, p)
	}
	now := time.Now()
	w := c.waiting[p.UID]
	if w == nil {
		w = &wait{since: now}
		c.waiting[p.UID] = w
	}
	it := item{"pod", namespace, name}
	switch {
	case now.Sub(w.since) < complainAfter:
		c.queue.AddAfter(it, complainAfter-now.Sub(w.since))
	case w.said.IsZero() || now.Sub(w.said) >= complainEvery:
		w.said = now
		c.queue.AddAfter(it, complainEvery)
		return c.complain(ctx, p, missing)
	}
	return nil
}

func started(p *corev1.Pod) bool {
	for _, cond := range p.Status.Conditions {
		if cond.Type == corev1.PodReadyToStartContainers {
			return cond.Status == corev1.ConditionTrue
		}
	}
	return false
}

func (c *controller) simulated(node string) bool {
	n, err := c.nodes.Get(node)
	return err == nil && n.Annotations["kwok.x-k8s.io/node"] == "fake"
}

func (c *controller) exists(kind, namespace, name string) string {
	switch kind {
	case "secret":
		if _, err := c.secrets.Secrets(namespace).Get(name); err != nil {
			return fmt.Sprintf("secret %q not found", name)
		}
	case "configmap":
		if _, err := c.configs.ConfigMaps(namespace).Get(name); err != nil {
			return fmt.Sprintf("configmap %q not found", name)
		}
	case "claim":
		pvc, err := c.claims.PersistentVolumeClaims(namespace).Get(name)
		if err != nil {
			return fmt.Sprintf("persistentvolumeclaim %q not found", name)
		}
		if pvc.Status.Phase != corev1.ClaimBound {
			return fmt.Sprintf("persistentvolumeclaim %q is not bound", name)
		}
	}
	return ""
}

func (c *controller) markStarted(ctx context.Context, p *corev1.Pod) error {
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": []corev1.PodCondition{{
		Type: corev1.PodReadyToStartContainers, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now(),
	}}}})
	if err != nil {
		return err
	}
	_, err = c.client.CoreV1().Pods(p.Namespace).Patch(ctx, p.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func (c *controller) complain(ctx context.Context, p *corev1.Pod, missing string) error {
	now := metav1.Now()
	_, err := c.client.CoreV1().Events(p.Namespace).Create(ctx, &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{GenerateName: p.Name + ".", Namespace: p.Namespace},
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", APIVersion: "v1", Namespace: p.Namespace, Name: p.Name, UID: p.UID},
		Type:           corev1.EventTypeWarning, Reason: "FailedMount", Message: "MountVolume.SetUp failed: " + missing,
		Source:         corev1.EventSource{Component: "kubelet", Host: p.Spec.NodeName},
		FirstTimestamp: now, LastTimestamp: now, Count: 1,
	}, metav1.CreateOptions{})
	return err
}

// claim gives a claim of our provisioner its volume.
func (c *controller) claim(ctx context.Context, namespace, name string) error {
	pvc, err := c.claims.PersistentVolumeClaims(namespace).Get(name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if pvc.Spec.VolumeName != "" || pvc.Spec.StorageClassName == nil || pvc.DeletionTimestamp != nil {
		return nil
	}
	class, err := c.classes.Get(*pvc.Spec.StorageClassName)
	if apierrors.IsNotFound(err) || err == nil && class.Provisioner != c.provisioner {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = c.client.CoreV1().PersistentVolumes().Create(ctx, Volume(pvc, class), metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// volume removes a released volume of ours, as its class asks.
func (c *controller) volume(ctx context.Context, name string) error {
	pv, err := c.client.CoreV1().PersistentVolumes().Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if pv.Annotations[provisionedBy] != c.provisioner || pv.Status.Phase != corev1.VolumeReleased ||
		pv.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete {
		return nil
	}
	err = c.client.CoreV1().PersistentVolumes().Delete(ctx, name, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

const provisionedBy = "pv.kubernetes.io/provisioned-by"

// Volume returns the volume for a claim: a path that no node has.
func Volume(pvc *corev1.PersistentVolumeClaim, class *storagev1.StorageClass) *corev1.PersistentVolume {
	policy := corev1.PersistentVolumeReclaimDelete
	if class.ReclaimPolicy != nil {
		policy = *class.ReclaimPolicy
	}
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{
			Name:        "pvc-" + string(pvc.UID),
			Annotations: map[string]string{provisionedBy: class.Provisioner},
		},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: pvc.Spec.Resources.Requests[corev1.ResourceStorage]},
			AccessModes:                   pvc.Spec.AccessModes,
			PersistentVolumeReclaimPolicy: policy,
			StorageClassName:              class.Name,
			VolumeMode:                    pvc.Spec.VolumeMode,
			ClaimRef: &corev1.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim",
				Namespace: pvc.Namespace, Name: pvc.Name, UID: pvc.UID,
			},
			PersistentVolumeSource: corev1.PersistentVolumeSource{
				HostPath: &corev1.HostPathVolumeSource{Path: "/simulated/" + string(pvc.UID)},
			},
		},
	}
}
