package forward

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/dynamic"
)

var (
	services = schema.GroupVersionResource{Version: "v1", Resource: "services"}
	pods     = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
)

// ErrNoReadyPod tells that a Service has nobody behind it who could answer.
var ErrNoReadyPod = errors.New("no ready pod")

func (f *Forward) service(ctx context.Context) (*corev1.Service, error) {
	u, err := f.cluster.Dynamic.Resource(services).Namespace(f.target.Namespace).Get(ctx, f.target.Service, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.target, err)
	}
	service := &corev1.Service{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, service); err != nil {
		return nil, fmt.Errorf("%s: %w", f.target, err)
	}
	if len(service.Spec.Selector) == 0 {
		return nil, fmt.Errorf("%s: it has no selector, so there are no pods to forward to", f.target)
	}
	return service, nil
}

// podPort is the port of the pod that the Service's port leads to.
func podPort(t Target, service *corev1.Service, pod *corev1.Pod) (int32, error) {
	i := slices.IndexFunc(service.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == t.Port })
	if i < 0 {
		return 0, fmt.Errorf("%s: it has no port %d", t, t.Port)
	}
	switch target := service.Spec.Ports[i].TargetPort; {
	case target.Type == intstr.String:
		for _, c := range slices.Concat(pod.Spec.Containers, pod.Spec.InitContainers) {
			for _, p := range c.Ports {
				if p.Name == target.StrVal {
					return p.ContainerPort, nil
				}
			}
		}
		return 0, fmt.Errorf("%s: Pod %s/%s has no port named %q", t, pod.Namespace, pod.Name, target.StrVal)
	case target.IntVal == 0:
		return t.Port, nil
	default:
		return target.IntVal, nil
	}
}

func (f *Forward) pods() dynamic.ResourceInterface {
	return f.cluster.Dynamic.Resource(pods).Namespace(f.target.Namespace)
}

func selector(service *corev1.Service) metav1.ListOptions {
	return metav1.ListOptions{LabelSelector: labels.SelectorFromSet(service.Spec.Selector).String()}
}

// readyPod returns a ready pod of the Service, or an error that says why there is none.
func (f *Forward) readyPod(ctx context.Context, service *corev1.Service) (*corev1.Pod, error) {
	list, err := f.pods().List(ctx, selector(service))
	if err != nil {
		return nil, fmt.Errorf("pods of %s: %w", f.target, err)
	}
	pod, state := firstReady(list.Items)
	if pod == nil {
		return nil, fmt.Errorf("%s has %w: %s", f.target, ErrNoReadyPod, state)
	}
	return pod, nil
}

// awaitPod waits until the Service has a ready pod.
func (f *Forward) awaitPod(ctx context.Context, service *corev1.Service) (*corev1.Pod, error) {
	list, err := f.pods().List(ctx, selector(service))
	if err != nil {
		return nil, fmt.Errorf("pods of %s: %w", f.target, err)
	}
	if pod, _ := firstReady(list.Items); pod != nil {
		return pod, nil
	}
	options := selector(service)
	options.ResourceVersion = list.GetResourceVersion()
	watcher, err := f.pods().Watch(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("pods of %s: %w", f.target, err)
	}
	defer watcher.Stop()
	for event := range watcher.ResultChan() {
		if u, ok := event.Object.(*unstructured.Unstructured); ok {
			if pod, _ := firstReady([]unstructured.Unstructured{*u}); pod != nil {
				return pod, nil
			}
		}
	}
	return nil, fmt.Errorf("pods of %s: the watch has ended", f.target)
}

// stillReady asks for the pod that a link leads to.
func (f *Forward) stillReady(ctx context.Context, l *link) bool {
	_, name, _ := strings.Cut(l.pod, "/")
	u, err := f.pods().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return !apierrors.IsNotFound(err)
	}
	pod, _ := firstReady([]unstructured.Unstructured{*u})
	return pod != nil && pod.UID == l.uid
}

// firstReady returns the first pod that is ready and stays; where there is none, what
// the pods are instead.
func firstReady(items []unstructured.Unstructured) (*corev1.Pod, string) {
	state := "no pod matches its selector"
	for i := range items {
		pod := &corev1.Pod{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(items[i].Object, pod); err != nil {
			state = err.Error()
			continue
		}
		ready := slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		})
		if ready && pod.DeletionTimestamp == nil {
			return pod, ""
		}
		state = "Pod " + pod.Name + " is " + stateOf(pod)
	}
	return nil, state
}

func stateOf(pod *corev1.Pod) string {
	if pod.DeletionTimestamp != nil {
		return "being deleted"
	}
	for _, s := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if w := s.State.Waiting; w != nil && w.Reason != "" {
			return w.Reason
		}
	}
	if pod.Status.Phase == corev1.PodRunning {
		return "running but not ready"
	}
	return string(pod.Status.Phase)
}

// listenError says what is wrong with the local address, naming what to choose instead.
func listenError(o Options, err error) error {
	at := net.JoinHostPort(o.Address, fmt.Sprint(o.Port))
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s is in use by another program: choose another port, or 0 for any free one: %w", at, err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s is not an address of this machine: %w", o.Address, err)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s: this user is not allowed to listen on ports below 1024: choose another: %w", at, err)
	}
	return fmt.Errorf("%s: %w", at, err)
}
