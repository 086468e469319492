package status

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// watched are the kinds whose changes are worth another look, in the namespaces of the
// stack. What has no watch, such as the answer of a webhook, is asked for again with it.
var watched = []schema.GroupKind{
	{Kind: "Pod"},
	{Kind: "Service"},
	{Kind: "Secret"},
	{Group: "apps", Kind: "Deployment"},
	{Group: "apps", Kind: "DaemonSet"},
	{Group: "admissionregistration.k8s.io", Kind: "MutatingWebhookConfiguration"},
	{Group: "admissionregistration.k8s.io", Kind: "ValidatingWebhookConfiguration"},
	{Group: "cert-manager.io", Kind: "Certificate"},
	{Group: "networking.k8s.io", Kind: "NetworkPolicy"},
	{Group: "networking.istio.io", Kind: "Gateway"},
	{Group: "networking.istio.io", Kind: "VirtualService"},
	{Group: "security.istio.io", Kind: "AuthorizationPolicy"},
	{Group: "security.istio.io", Kind: "RequestAuthentication"},
	{Group: "kubeflow.org", Kind: "Profile"},
}

// Changes tells that something of a stack has changed.
type Changes struct {
	signal  chan struct{}
	started map[string]bool
}

// NewChanges tells nothing until Follow is called.
func NewChanges() *Changes {
	return &Changes{signal: make(chan struct{}, 1), started: map[string]bool{}}
}

// C has a value when something has changed since the last was taken.
func (c *Changes) C() <-chan struct{} { return c.signal }

// Follow opens a watch on each kind that the server has and that is not watched yet;
// they end with the context. It returns when what happens from now on will be told. A
// kind that may not be watched is not.
func (c *Changes) Follow(ctx context.Context, cl *cluster.Cluster, release *components.Release) {
	k := collector{s: &Snapshot{Release: release}}
	for _, gk := range watched {
		r, err := cl.Mapper.Preferred(gk)
		if err != nil {
			continue
		}
		in := []string{""}
		if r.Namespaced {
			in = k.namespaces()
		}
		for _, ns := range in {
			c.follow(ctx, cl, r.GroupVersionResource, ns, metav1.ListOptions{})
		}
	}
	inventory := fields.OneTermEqualSelector(metav1.ObjectNameField, rollout.InventoryName).String()
	c.follow(ctx, cl, schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, rollout.InventoryNamespace,
		metav1.ListOptions{FieldSelector: inventory})
}

func (c *Changes) follow(ctx context.Context, cl *cluster.Cluster, gvr schema.GroupVersionResource, namespace string, o metav1.ListOptions) {
	name := gvr.String() + " " + namespace
	if c.started[name] {
		return
	}
	c.started[name] = true
	resource := cl.Metadata.Resource(gvr).Namespace(namespace)
	open := func() (watch.Interface, error) {
		o := o
		o.Limit = 1 // for the version to go on from alone
		list, err := resource.List(ctx, o)
		if err != nil {
			return nil, err
		}
		o.Limit, o.ResourceVersion = 0, list.ResourceVersion
		return resource.Watch(ctx, o)
	}
	w, err := open()
	go func() {
		// A second at first: a server that is starting is back soon.
		pause := wait.Backoff{Duration: time.Second, Factor: 2, Cap: 30 * time.Second, Steps: 1 << 30}
		for {
			if err == nil {
				pause.Duration = time.Second
				for range w.ResultChan() {
					c.tell()
				}
			}
			timer := time.NewTimer(pause.Step())
			select {
			case <-ctx.Done():
				timer.Stop()
				return
			case <-timer.C:
			}
			if w, err = open(); err == nil {
				c.tell() // what happened meanwhile nobody has told
			}
		}
	}()
}

func (c *Changes) tell() {
	select {
	case c.signal <- struct{}{}:
	default:
	}
}
