package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
)

// Provisioner is the provisioner of the default StorageClass: volumes are
// directories below the bed's, so that they go with the bed. (The controller
// manager's own one writes to /tmp/hostpath_pv, whoever that belongs to, and
// leaves directories that an ordinary user's container cannot write to.)
const Provisioner = "devcluster.test/host-path"

// Annotations by which the controller manager and the scheduler ask a
// provisioner for a volume.
const (
	annProvisioner  = "volume.kubernetes.io/storage-provisioner"
	annSelectedNode = "volume.kubernetes.io/selected-node"
	annProvisioned  = "pv.kubernetes.io/provisioned-by"
)

type provisioner struct {
	client kubernetes.Interface
	dir    string
	node   string
}

// run provisions and deletes volumes until ctx ends.
func (p provisioner) run(ctx context.Context) error {
	f := informers.NewSharedInformerFactory(p.client, 0)
	claims, pvs := f.Core().V1().PersistentVolumeClaims(), f.Core().V1().PersistentVolumes()
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[cache.ObjectName]())
	for _, i := range []cache.SharedIndexInformer{claims.Informer(), pvs.Informer()} {
		add := func(obj any) {
			if name, err := cache.ObjectToName(obj); err == nil {
				queue.Add(name)
			}
		}
		if _, err := i.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: add, UpdateFunc: func(_, obj any) { add(obj) },
		}); err != nil {
			return err
		}
	}
	f.Start(ctx.Done())
	f.WaitForCacheSync(ctx.Done())
	defer context.AfterFunc(ctx, queue.ShutDown)()
	for {
		name, shutdown := queue.Get()
		if shutdown {
			return ctx.Err()
		}
		var err error
		if name.Namespace != "" {
			if c, gerr := claims.Lister().PersistentVolumeClaims(name.Namespace).Get(name.Name); gerr == nil {
				err = p.provision(ctx, c)
			}
		} else if v, gerr := pvs.Lister().Get(name.Name); gerr == nil {
			err = p.reclaim(ctx, v)
		}
		if err != nil {
			klog.Warningf("devcluster: volumes: %v", err)
			queue.AddRateLimited(name)
		} else {
			queue.Forget(name)
		}
		queue.Done(name)
	}
}

func volumeName(c *corev1.PersistentVolumeClaim) string { return "pvc-" + string(c.UID) }

// wanted tells whether this provisioner is asked for a volume on this node.
func (p provisioner) wanted(c *corev1.PersistentVolumeClaim) bool {
	return c.Spec.VolumeName == "" && c.DeletionTimestamp == nil &&
		c.Annotations[annProvisioner] == Provisioner && c.Annotations[annSelectedNode] == p.node
}

func (p provisioner) provision(ctx context.Context, c *corev1.PersistentVolumeClaim) error {
	if !p.wanted(c) {
		return nil
	}
	name := volumeName(c)
	dir := filepath.Join(p.dir, name)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	// Beyond the umask: the container's user, whoever it is, writes here.
	if err := os.Chmod(dir, 0o777); err != nil {
		return err
	}
	kind := corev1.HostPathDirectory
	pv := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{annProvisioned: Provisioner}},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: c.Spec.Resources.Requests[corev1.ResourceStorage]},
			AccessModes:                   c.Spec.AccessModes,
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete,
			PersistentVolumeSource: corev1.PersistentVolumeSource{
				HostPath: &corev1.HostPathVolumeSource{Path: dir, Type: &kind},
			},
			ClaimRef: &corev1.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim",
				Namespace: c.Namespace, Name: c.Name, UID: c.UID,
			},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
				MatchExpressions: []corev1.NodeSelectorRequirement{{
					Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{p.node},
				}},
			}}}},
		},
	}
	if c.Spec.StorageClassName != nil {
		pv.Spec.StorageClassName = *c.Spec.StorageClassName
	}
	_, err := p.client.CoreV1().PersistentVolumes().Create(ctx, pv, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create PersistentVolume %s for PersistentVolumeClaim %s/%s: %w", name, c.Namespace, c.Name, err)
	}
	return nil
}

func (p provisioner) reclaim(ctx context.Context, v *corev1.PersistentVolume) error {
	if v.Status.Phase != corev1.VolumeReleased || v.Annotations[annProvisioned] != Provisioner ||
		v.Spec.HostPath == nil || v.DeletionTimestamp != nil {
		return nil
	}
	if !strings.HasPrefix(v.Spec.HostPath.Path, p.dir+string(filepath.Separator)+"pvc-") {
		return fmt.Errorf("PersistentVolume %s: its path %s is not one of the bed's", v.Name, v.Spec.HostPath.Path)
	}
	if err := os.RemoveAll(v.Spec.HostPath.Path); err != nil {
		return err
	}
	err := p.client.CoreV1().PersistentVolumes().Delete(ctx, v.Name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete PersistentVolume %s: %w", v.Name, err)
	}
	return nil
}
