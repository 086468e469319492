package standin

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

// The kinds that these programs work on.
var (
	profiles               = schema.GroupVersionResource{Group: "kubeflow.org", Version: "v1", Resource: "profiles"}
	notebooks              = schema.GroupVersionResource{Group: "kubeflow.org", Version: "v1", Resource: "notebooks"}
	podDefaults            = schema.GroupVersionResource{Group: "kubeflow.org", Version: "v1alpha1", Resource: "poddefaults"}
	virtualServices        = schema.GroupVersionResource{Group: "networking.istio.io", Version: "v1", Resource: "virtualservices"}
	authorizationPolicies  = schema.GroupVersionResource{Group: "security.istio.io", Version: "v1", Resource: "authorizationpolicies"}
	errConflictRetriesSoon = 200 * time.Millisecond
)

// manager is the field manager of these programs.
const manager = "devcluster-stand-in"

// loop calls sync with the names that come from informers until ctx ends.
// name maps an object to what has to be looked at, if anything.
type loop struct {
	pod       Pod
	informers map[cache.SharedIndexInformer]func(obj metav1.Object) (cache.ObjectName, bool)
	sync      func(ctx context.Context, name cache.ObjectName) error
}

func (l loop) run(ctx context.Context) error {
	queue := workqueue.NewTypedRateLimitingQueue(
		workqueue.NewTypedItemExponentialFailureRateLimiter[cache.ObjectName](errConflictRetriesSoon, 10*time.Second))
	for i, name := range l.informers {
		add := func(obj any) {
			if d, ok := obj.(cache.DeletedFinalStateUnknown); ok {
				obj = d.Obj
			}
			if o, ok := obj.(metav1.Object); ok {
				if n, ok := name(o); ok {
					queue.Add(n)
				}
			}
		}
		if _, err := i.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: add, UpdateFunc: func(_, obj any) { add(obj) }, DeleteFunc: add,
		}); err != nil {
			return err
		}
		go i.RunWithContext(ctx)
	}
	for i := range l.informers {
		if !cache.WaitForCacheSync(ctx.Done(), i.HasSynced) {
			return ctx.Err()
		}
	}
	defer context.AfterFunc(ctx, queue.ShutDown)()
	for {
		name, shutdown := queue.Get()
		if shutdown {
			return ctx.Err()
		}
		if err := l.sync(ctx, name); err != nil && ctx.Err() == nil {
			l.pod.say("%s: %v", name, err)
			queue.AddRateLimited(name)
		} else {
			queue.Forget(name)
		}
		queue.Done(name)
	}
}

// itself names an object.
func itself(o metav1.Object) (cache.ObjectName, bool) {
	return cache.NewObjectName(o.GetNamespace(), o.GetName()), true
}

// controlled names an object's controller, if it is of a kind.
func controlled(kind string) func(metav1.Object) (cache.ObjectName, bool) {
	return func(o metav1.Object) (cache.ObjectName, bool) {
		if c := metav1.GetControllerOf(o); c != nil && c.Kind == kind {
			return cache.NewObjectName(o.GetNamespace(), c.Name), true
		}
		return cache.ObjectName{}, false
	}
}

// apply writes an object server-side. Fields of others stay.
func apply(ctx context.Context, d dynamic.Interface, r schema.GroupVersionResource, o map[string]any) error {
	u := &unstructured.Unstructured{Object: o}
	_, err := d.Resource(r).Namespace(u.GetNamespace()).Apply(ctx, u.GetName(), u, metav1.ApplyOptions{FieldManager: manager, Force: true})
	return err
}

// owner is an owner reference of a custom resource, as its controller.
func owner(u *unstructured.Unstructured) map[string]any {
	return map[string]any{"apiVersion": u.GetAPIVersion(), "kind": u.GetKind(), "name": u.GetName(),
		"uid": string(u.GetUID()), "controller": true, "blockOwnerDeletion": true}
}

func gone(err error) bool { return apierrors.IsNotFound(err) }

// healthy answers the probes of a controller.
func healthy() http.Handler {
	mux := http.NewServeMux()
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("ok\n"))
		})
	}
	return mux
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v)
}
