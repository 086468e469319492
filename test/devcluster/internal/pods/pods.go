// Package pods lets processes act for simulated pods. What an image would do
// is a Behaviour, chosen by the name of the container's image. It starts when
// its pod has become Ready in the API and ends with the pod: until then
// nothing answers at the pod's address, as on a real node.
package pods

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

// Behaviour is what one image does in the place of its pods.
type Behaviour struct {
	// Name says what runs, for logs and lists.
	Name string
	// Images are the last parts of image names, without registry and tag.
	Images []string
	// Match, when set, narrows the choice, for images with several uses.
	Match func(*corev1.Pod, *corev1.Container) bool
	// Run acts for one container until ctx ends. When it returns earlier it is
	// started again, as a container would be.
	Run func(ctx context.Context, c *Container) error
}

// Container is one container of a Ready simulated pod.
type Container struct {
	Pod  *corev1.Pod
	Spec *corev1.Container
	// IP is the pod's address, an address of the bed's network.
	IP string
	// Config reaches the API server as the pod's ServiceAccount.
	Config *rest.Config
	// Admin reaches it without limits, for what a kubelet does for a pod.
	Admin kubernetes.Interface
	// Log takes what the container would write.
	Log io.Writer
	// LogFile is the file behind Log.
	LogFile string
}

// backoff is how long an ended behaviour waits until its next start.
var backoff = struct{ first, max time.Duration }{500 * time.Millisecond, 10 * time.Second}

// Options say what a Manager works with.
type Options struct {
	// Config reaches the API server with all rights.
	Config     *rest.Config
	Behaviours []Behaviour
	// LogFor opens the log of a container.
	LogFor func(namespace, pod, container string) (io.WriteCloser, string, error)
	// Simulated tells whether a node is one.
	Simulated func(node string) bool
}

// Manager starts and ends behaviours as pods come and go.
type Manager struct {
	Options
	client  kubernetes.Interface
	mu      sync.Mutex
	running map[key]context.CancelFunc
	wg      sync.WaitGroup
}

type key struct {
	uid       types.UID
	container string
}

// Run watches all pods until ctx ends, then waits for the behaviours.
func Run(ctx context.Context, o Options) error {
	client, err := kubernetes.NewForConfig(o.Config)
	if err != nil {
		return err
	}
	m := &Manager{Options: o, client: client, running: map[key]context.CancelFunc{}}
	f := informers.NewSharedInformerFactory(client, 0)
	_, err = f.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { m.see(ctx, obj) },
		UpdateFunc: func(_, obj any) { m.see(ctx, obj) },
		DeleteFunc: func(obj any) {
			if d, ok := obj.(cache.DeletedFinalStateUnknown); ok {
				obj = d.Obj
			}
			if p, ok := obj.(*corev1.Pod); ok {
				m.end(p)
			}
		},
	})
	if err != nil {
		return err
	}
	f.Start(ctx.Done())
	<-ctx.Done()
	m.wg.Wait()
	return ctx.Err()
}

func (m *Manager) see(ctx context.Context, obj any) {
	p, ok := obj.(*corev1.Pod)
	if !ok || ctx.Err() != nil {
		return
	}
	if p.DeletionTimestamp != nil || !ready(p) || p.Status.PodIP == "" {
		m.end(p)
		return
	}
	if !m.Simulated(p.Spec.NodeName) {
		return
	}
	for _, c := range Containers(p) {
		b, ok := Choose(m.Behaviours, p, c)
		if !ok {
			continue
		}
		k := key{p.UID, c.Name}
		m.mu.Lock()
		if _, ok := m.running[k]; !ok {
			one, cancel := context.WithCancel(ctx)
			m.running[k] = cancel
			m.wg.Go(func() { m.keep(one, b, p, c) })
		}
		m.mu.Unlock()
	}
}

func (m *Manager) end(p *corev1.Pod) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k, cancel := range m.running {
		if k.uid == p.UID {
			cancel()
			delete(m.running, k)
		}
	}
}

// keep runs a behaviour, again and again until ctx ends.
func (m *Manager) keep(ctx context.Context, b Behaviour, p *corev1.Pod, c *corev1.Container) {
	log, file, err := m.LogFor(p.Namespace, p.Name, c.Name)
	if err != nil {
		klog.Errorf("devcluster: %s for pod %s/%s: %v", b.Name, p.Namespace, p.Name, err)
		return
	}
	defer func() { _ = log.Close() }()
	delay := backoff.first
	for ctx.Err() == nil {
		start := time.Now()
		fmt.Fprintf(log, "devcluster: %s acts for container %s of pod %s/%s at %s\n", b.Name, c.Name, p.Namespace, p.Name, p.Status.PodIP)
		config, err := m.serviceAccount(ctx, p)
		if err == nil {
			err = b.Run(ctx, &Container{Pod: p, Spec: c, IP: p.Status.PodIP, Config: config, Admin: m.client, Log: log, LogFile: file})
		}
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("ended without an error")
		}
		if time.Since(start) > backoff.max {
			delay = backoff.first
		}
		fmt.Fprintf(log, "devcluster: %s: %v; again in %s\n", b.Name, err, delay)
		klog.Errorf("devcluster: %s for pod %s/%s: %v", b.Name, p.Namespace, p.Name, err)
		select {
		case <-ctx.Done():
		case <-time.After(delay):
		}
		delay = min(2*delay, backoff.max)
	}
}

func ready(p *corev1.Pod) bool {
	if p.Status.Phase != corev1.PodRunning {
		return false
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// Containers returns the containers of a pod that go on running: sidecars
// among the init containers and all others.
func Containers(p *corev1.Pod) []*corev1.Container {
	var all []*corev1.Container
	for i := range p.Spec.InitContainers {
		c := &p.Spec.InitContainers[i]
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			all = append(all, c)
		}
	}
	for i := range p.Spec.Containers {
		all = append(all, &p.Spec.Containers[i])
	}
	return all
}

// Choose returns the first behaviour for a container.
func Choose(behaviours []Behaviour, p *corev1.Pod, c *corev1.Container) (Behaviour, bool) {
	name := ImageName(c.Image)
	for _, b := range behaviours {
		for _, i := range b.Images {
			if i == name && (b.Match == nil || b.Match(p, c)) {
				return b, true
			}
		}
	}
	return Behaviour{}, false
}

// ImageName returns the last part of an image's name, without registry, tag
// and digest: "pilot" for "gcr.io/istio-release/pilot:1.24.3".
func ImageName(image string) string {
	name, _, _ := strings.Cut(image, "@")
	name = path.Base(name)
	name, _, _ = strings.Cut(name, ":")
	return name
}
