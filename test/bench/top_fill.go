package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// crowd has the proportions of a large cluster.
type crowd struct {
	// gpuNodeEvery is how many nodes there are to one with GPUs, gpuPodEvery how many pods of
	// such a node to one that has a GPU.
	gpuNodeEvery, gpuPodEvery int
	podsPerNode               int
	// finishedEvery is how many pods there are to one that has finished; 0 where none has.
	finishedEvery int
}

var (
	// mixed is a cluster for everything.
	mixed = crowd{gpuNodeEvery: 10, gpuPodEvery: 2, podsPerNode: 10, finishedEvery: 20}
	// dense is a cluster for GPUs: each is held, by a pod of its own.
	dense = crowd{gpuNodeEvery: 1, gpuPodEvery: 1, podsPerNode: gpusPerNode}
)

const (
	gpusPerNode   = 8
	topNamespaces = 20
	// fillWorkers write at once; more only queue up in etcd.
	fillWorkers = 32
)

// client reaches a bed in protobuf, which costs both sides less.
func client(kubeconfig string) (*kubernetes.Clientset, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config = rest.CopyConfig(config)
	config.QPS = -1
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	return kubernetes.NewForConfig(config)
}

// fill writes nodes from..to-1 and their pods into the bed. The nodes are objects that
// nobody keeps alive: at this size kwok's heartbeats would be what is measured. Their pods
// are bound when they are created and no container runs.
func (w crowd) fill(ctx context.Context, c kubernetes.Interface, from, to int) error {
	if from == 0 {
		for i := range topNamespaces {
			ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespaceOf(i)}}
			if _, err := c.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil {
				return fmt.Errorf("create Namespace %s: %w", ns.Name, err)
			}
			// Pods need it, and the controller that makes it takes its time.
			sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default", Namespace: ns.Name}}
			if _, err := c.CoreV1().ServiceAccounts(ns.Name).Create(ctx, sa, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
				return fmt.Errorf("create ServiceAccount %s/default: %w", ns.Name, err)
			}
		}
	}
	if err := inParallel(ctx, from, to, func(ctx context.Context, i int) error {
		if _, err := c.CoreV1().Nodes().Create(ctx, w.node(i), metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("create Node %s: %w", w.nodeName(i), err)
		}
		return nil
	}); err != nil {
		return err
	}
	return inParallel(ctx, from*w.podsPerNode, to*w.podsPerNode, func(ctx context.Context, i int) error {
		p := w.pod(i)
		if _, err := c.CoreV1().Pods(p.Namespace).Create(ctx, p, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("create Pod %s/%s: %w", p.Namespace, p.Name, err)
		}
		if !w.finished(i) {
			return nil
		}
		p.Status = corev1.PodStatus{Phase: corev1.PodSucceeded}
		if _, err := c.CoreV1().Pods(p.Namespace).UpdateStatus(ctx, p, metav1.UpdateOptions{}); err != nil {
			return fmt.Errorf("update the status of Pod %s/%s: %w", p.Namespace, p.Name, err)
		}
		return nil
	})
}

func inParallel(ctx context.Context, from, to int, f func(context.Context, int) error) error {
	together, ctx := errgroup.WithContext(ctx)
	together.SetLimit(fillWorkers)
	for i := from; i < to && ctx.Err() == nil; i++ {
		together.Go(func() error { return f(ctx, i) })
	}
	return together.Wait()
}

func namespaceOf(i int) string { return fmt.Sprintf("team-%02d", i%topNamespaces) }

func (w crowd) hasGPUs(node int) bool { return node%w.gpuNodeEvery == w.gpuNodeEvery-1 }

func (w crowd) finished(pod int) bool {
	return w.finishedEvery > 0 && pod%w.finishedEvery == w.finishedEvery-1
}

func (w crowd) nodeName(i int) string {
	if w.hasGPUs(i) {
		return fmt.Sprintf("large-gpu-%05d", i)
	}
	return fmt.Sprintf("large-cpu-%05d", i)
}

// node is as large as one of a cloud: the fifty images that a kubelet reports at
// most are the larger part of it.
func (w crowd) node(i int) *corev1.Node {
	resources := corev1.ResourceList{
		corev1.ResourceCPU:              resource.MustParse("64"),
		corev1.ResourceMemory:           resource.MustParse("263842264Ki"),
		corev1.ResourcePods:             resource.MustParse("110"),
		corev1.ResourceEphemeralStorage: resource.MustParse("423245656Ki"),
	}
	allocatable := resources.DeepCopy()
	allocatable[corev1.ResourceCPU] = resource.MustParse("63770m")
	allocatable[corev1.ResourceMemory] = resource.MustParse("257012120Ki")
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: w.nodeName(i), Labels: map[string]string{
		corev1.LabelHostname: w.nodeName(i), corev1.LabelArchStable: "amd64", corev1.LabelOSStable: "linux",
		corev1.LabelTopologyRegion: "region-1", corev1.LabelTopologyZone: fmt.Sprintf("region-1%c", 'a'+i%3),
		corev1.LabelInstanceTypeStable: "large.16xlarge",
	}}}
	for f := range 30 {
		n.Labels[fmt.Sprintf("feature.node.kubernetes.io/cpu-cpuid.FEATURE%02d", f)] = "true"
	}
	if w.hasGPUs(i) {
		n.Labels["nvidia.com/gpu.product"], n.Labels["nvidia.com/gpu.memory"] = "NVIDIA-A100-SXM4-80GB", "81920"
		n.Labels["nvidia.com/gpu.count"], n.Labels["nvidia.com/gpu.replicas"] = fmt.Sprint(gpusPerNode), "1"
		q := *resource.NewQuantity(gpusPerNode, resource.DecimalSI)
		resources["nvidia.com/gpu"], allocatable["nvidia.com/gpu"] = q, q
	}
	n.Status = corev1.NodeStatus{Capacity: resources, Allocatable: allocatable, NodeInfo: corev1.NodeSystemInfo{
		KernelVersion: "6.1.0", OSImage: "Linux", ContainerRuntimeVersion: "containerd://2.0.0", KubeletVersion: "v1.36.3", OperatingSystem: "linux", Architecture: "amd64",
	}}
	now := metav1.NewTime(time.Now())
	for _, t := range []corev1.NodeConditionType{corev1.NodeMemoryPressure, corev1.NodeDiskPressure, corev1.NodePIDPressure, corev1.NodeReady} {
		status := corev1.ConditionFalse
		if t == corev1.NodeReady {
			status = corev1.ConditionTrue
		}
		n.Status.Conditions = append(n.Status.Conditions, corev1.NodeCondition{
			Type: t, Status: status, LastHeartbeatTime: now, LastTransitionTime: now, Reason: "KubeletHas" + string(t), Message: "kubelet is posting " + string(t),
		})
	}
	for k := range 50 {
		n.Status.Images = append(n.Status.Images, corev1.ContainerImage{
			Names: []string{
				fmt.Sprintf("registry.example.com/platform/component-%02d@sha256:%064x", k, k),
				fmt.Sprintf("registry.example.com/platform/component-%02d:v1.%d.0", k, k),
			},
			SizeBytes: int64(k) << 20,
		})
	}
	return n
}

// pod i is on node i/podsPerNode, and has about 8.8 kB as it is sent: what webhooks, service
// meshes and pipelines make of a pod.
func (w crowd) pod(i int) *corev1.Pod {
	node := i / w.podsPerNode
	yes, no := true, false
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: fmt.Sprintf("worker-%06d", i), Namespace: namespaceOf(i),
		Labels:      map[string]string{"app": "worker", "app.kubernetes.io/name": "worker", "app.kubernetes.io/instance": fmt.Sprint(i), "security.istio.io/tlsMode": "istio"},
		Annotations: map[string]string{"example.com/configuration": strings.Repeat("configuration ", 40)},
	}, Spec: corev1.PodSpec{NodeName: w.nodeName(node), AutomountServiceAccountToken: &no}}
	resources := corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("500m"), corev1.ResourceMemory: resource.MustParse("1Gi")},
		Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("2Gi")},
	}
	for c := range 2 {
		container := corev1.Container{
			Name: fmt.Sprintf("container-%d", c), Image: "registry.example.com/platform/worker:v1.2.3", Resources: *resources.DeepCopy(),
			LivenessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromInt32(8080)}}},
			SecurityContext: &corev1.SecurityContext{
				RunAsNonRoot: &yes, AllowPrivilegeEscalation: &no,
				Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
		}
		if c == 0 && w.hasGPUs(node) && i%w.gpuPodEvery == 0 {
			container.Resources.Limits["nvidia.com/gpu"] = resource.MustParse("1")
		}
		for e := range 17 {
			container.Env = append(container.Env, corev1.EnvVar{Name: fmt.Sprintf("WORKER_SETTING_%02d", e), Value: strings.Repeat("value", 6)})
		}
		p.Spec.Containers = append(p.Spec.Containers, container)
	}
	for v := range 8 {
		p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: fmt.Sprintf("volume-%d", v), VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}})
		p.Spec.Containers[0].VolumeMounts = append(p.Spec.Containers[0].VolumeMounts, corev1.VolumeMount{Name: fmt.Sprintf("volume-%d", v), MountPath: fmt.Sprintf("/volumes/%d", v)})
	}
	return p
}
