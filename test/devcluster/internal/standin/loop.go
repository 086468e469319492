package standin

import (
	"context"
	"fmt"
	"io"
	"reflect"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

// source is a kind whose changes ask for work on a key; no key, no work.
type source struct {
	resource schema.GroupVersionResource
	key      func(metav1.Object) string
}

// controller works on keys that the changes of its sources name.
type controller struct {
	name    string
	log     io.Writer
	client  dynamic.Interface
	sources []source
	sync    func(ctx context.Context, key string) error
	listers map[schema.GroupVersionResource]cache.GenericLister
	// applied is what was written last, and which version of the object that made.
	applied map[string]written
}

type written struct {
	object  map[string]any
	version string
}

func newController(name string, cfg *rest.Config, log io.Writer, sources ...source) (*controller, error) {
	client, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return nil, err
	}
	return &controller{name: name, log: log, client: client, sources: sources, listers: map[schema.GroupVersionResource]cache.GenericLister{}, applied: map[string]written{}}, nil
}

// served fails when the API server does not serve a kind. The originals do
// not start either, without the kinds that they watch.
func served(ctx context.Context, cfg *rest.Config, resources ...schema.GroupVersionResource) error {
	d, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		return err
	}
	for _, r := range resources {
		if err := ctx.Err(); err != nil {
			return err
		}
		list, err := d.ServerResourcesForGroupVersion(r.GroupVersion().String())
		if err != nil {
			return fmt.Errorf("kind %s: %w", r.GroupResource(), err)
		}
		found := false
		for _, one := range list.APIResources {
			found = found || one.Name == r.Resource
		}
		if !found {
			return fmt.Errorf("kind %s is not served", r)
		}
	}
	return nil
}

func (c *controller) run(ctx context.Context) error {
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[string](50*time.Millisecond, 5*time.Second))
	f := dynamicinformer.NewDynamicSharedInformerFactory(c.client, 0)
	for _, s := range c.sources {
		i := f.ForResource(s.resource)
		c.listers[s.resource] = i.Lister()
		add := func(obj any) {
			if d, ok := obj.(cache.DeletedFinalStateUnknown); ok {
				obj = d.Obj
			}
			if o, ok := obj.(metav1.Object); ok {
				if k := s.key(o); k != "" {
					queue.Add(k)
				}
			}
		}
		if _, err := i.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: add, UpdateFunc: func(_, obj any) { add(obj) }, DeleteFunc: add,
		}); err != nil {
			return err
		}
	}
	f.Start(ctx.Done())
	f.WaitForCacheSync(ctx.Done())
	defer context.AfterFunc(ctx, queue.ShutDown)()
	for {
		key, shutdown := queue.Get()
		if shutdown {
			return ctx.Err()
		}
		if err := c.sync(ctx, key); err != nil && ctx.Err() == nil {
			fmt.Fprintf(c.log, "%s: %s: %v\n", c.name, key, err)
			queue.AddRateLimited(key)
		} else {
			queue.Forget(key)
		}
		queue.Done(key)
	}
}

// apply writes an object server-side, unless it is still as it was written last: each write
// asks for work on its owner again.
func (c *controller) apply(ctx context.Context, r schema.GroupVersionResource, o map[string]any) error {
	u := &unstructured.Unstructured{Object: o}
	key := r.String() + " " + u.GetNamespace() + "/" + u.GetName()
	if last, ok := c.applied[key]; ok && c.version(r, u) == last.version && reflect.DeepEqual(last.object, o) {
		return nil
	}
	now, err := c.client.Resource(r).Namespace(u.GetNamespace()).Apply(ctx, u.GetName(), u, metav1.ApplyOptions{FieldManager: c.name, Force: true})
	if err != nil {
		return fmt.Errorf("%s %s/%s: %w", u.GetKind(), u.GetNamespace(), u.GetName(), err)
	}
	c.applied[key] = written{o, now.GetResourceVersion()}
	return nil
}

// version of an object as it is known; empty where it is not watched, or not there.
func (c *controller) version(r schema.GroupVersionResource, u *unstructured.Unstructured) string {
	lister := c.listers[r]
	if lister == nil {
		return ""
	}
	found, err := lister.ByNamespace(u.GetNamespace()).Get(u.GetName())
	if err != nil {
		return ""
	}
	if o, ok := found.(metav1.Object); ok {
		return o.GetResourceVersion()
	}
	return ""
}

// ownerOf returns the name of the owner of a kind that controls an object.
func ownerOf(kind string) func(metav1.Object) string {
	return func(o metav1.Object) string {
		if r := metav1.GetControllerOf(o); r != nil && r.Kind == kind {
			return r.Name
		}
		return ""
	}
}

func ownerReference(u *unstructured.Unstructured) []any {
	return []any{map[string]any{
		"apiVersion": u.GetAPIVersion(), "kind": u.GetKind(), "name": u.GetName(), "uid": string(u.GetUID()),
		"controller": true, "blockOwnerDeletion": true,
	}}
}

func toAny(m map[string]string) map[string]any {
	all := map[string]any{}
	for k, v := range m {
		all[k] = v
	}
	return all
}
