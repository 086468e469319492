package rollout

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
)

// watchable is what can be listed and watched.
type watchable interface {
	List(context.Context, metav1.ListOptions) (*unstructured.UnstructuredList, error)
	Watch(context.Context, metav1.ListOptions) (watch.Interface, error)
}

// until watches the object of a name until check says so, or those of that name in all
// namespaces. Check sees nil while there is none. A watch starts at version when that is known, so that nothing has to be
// read again; one that the server closes is opened anew, which is not an answer.
func until(ctx context.Context, w watchable, name, version string, check func(*unstructured.Unstructured) (bool, error)) error {
	selector := fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()
	pause := retryPause()
	for {
		if version == "" {
			list, err := w.List(ctx, metav1.ListOptions{FieldSelector: selector})
			switch {
			case err == nil:
				if len(list.Items) == 0 {
					if done, err := check(nil); done || err != nil {
						return err
					}
				}
				for i := range list.Items {
					if done, err := check(&list.Items[i]); done || err != nil {
						return err
					}
				}
				version = list.GetResourceVersion()
			case apierrors.IsForbidden(err):
				return err
			}
		}
		if version != "" {
			done, next, err := followOnce(ctx, w, selector, version, check)
			if done || err != nil {
				return err
			}
			if next != version && next != "" {
				pause = retryPause()
			}
			version = next
		}
		if err := pauseFor(ctx, pause.Step()); err != nil {
			return err
		}
	}
}

// followOnce follows one watch to its end and returns the version to go on from,
// empty when the object has to be read anew.
func followOnce(ctx context.Context, w watchable, selector, version string, check func(*unstructured.Unstructured) (bool, error)) (bool, string, error) {
	watcher, err := w.Watch(ctx, metav1.ListOptions{FieldSelector: selector, ResourceVersion: version, AllowWatchBookmarks: true})
	if err != nil {
		if apierrors.IsForbidden(err) {
			return false, "", err
		}
		return false, "", ctx.Err()
	}
	defer watcher.Stop()
	for {
		select {
		case <-ctx.Done():
			return false, "", ctx.Err()
		case event, open := <-watcher.ResultChan():
			if !open {
				return false, version, nil
			}
			u, ok := event.Object.(*unstructured.Unstructured)
			if event.Type == watch.Error || !ok {
				return false, "", nil // the version is too old, most likely
			}
			version = u.GetResourceVersion()
			switch event.Type {
			case watch.Bookmark:
				continue
			case watch.Deleted:
				u = nil
			}
			if done, err := check(u); done || err != nil {
				return done, version, err
			}
		}
	}
}

// retryPause grows from a tenth of a second to two seconds. It paces what no watch can
// tell: whether a webhook answers, whether a server is back.
func retryPause() *wait.Backoff {
	return &wait.Backoff{Duration: 100 * time.Millisecond, Factor: 1.5, Jitter: 0.1, Steps: 1 << 30, Cap: 2 * time.Second}
}

func pauseFor(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// definitions watches CustomResourceDefinitions for their conditions alone. Their
// schemas, which are most of their megabyte, are skipped while reading.
type definitions struct{ client rest.Interface }

const definitionsPath = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

type conditionsOnly struct {
	Metadata map[string]any `json:"metadata"`
	Status   map[string]any `json:"status"`
}

func (c conditionsOnly) unstructured() *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": crdKind, "metadata": c.Metadata,
	}}
	delete(c.Metadata, "managedFields")
	if c.Status != nil {
		u.Object["status"] = c.Status
	}
	return u
}

func (d definitions) request(o metav1.ListOptions) *rest.Request {
	return d.client.Get().AbsPath(definitionsPath).SpecificallyVersionedParams(&o, metav1.ParameterCodec, metav1.SchemeGroupVersion)
}

// List implements watchable.
func (d definitions) List(ctx context.Context, o metav1.ListOptions) (*unstructured.UnstructuredList, error) {
	body, err := d.request(o).DoRaw(ctx)
	if err != nil {
		return nil, err
	}
	var list struct {
		Metadata struct {
			ResourceVersion string `json:"resourceVersion"`
		} `json:"metadata"`
		Items []conditionsOnly `json:"items"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, fmt.Errorf("list of CustomResourceDefinitions: %w", err)
	}
	out := &unstructured.UnstructuredList{}
	out.SetResourceVersion(list.Metadata.ResourceVersion)
	for _, i := range list.Items {
		out.Items = append(out.Items, *i.unstructured())
	}
	return out, nil
}

// Watch implements watchable.
func (d definitions) Watch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	o.Watch = true
	stream, err := d.request(o).Stream(ctx)
	if err != nil {
		return nil, err
	}
	return watch.NewStreamWatcher(&conditionsDecoder{stream, json.NewDecoder(stream)}, statusReporter{}), nil
}

type conditionsDecoder struct {
	stream io.ReadCloser
	json   *json.Decoder
}

func (d *conditionsDecoder) Close() { _ = d.stream.Close() }

func (d *conditionsDecoder) Decode() (watch.EventType, runtime.Object, error) {
	var event struct {
		Type   watch.EventType `json:"type"`
		Object conditionsOnly  `json:"object"`
	}
	if err := d.json.Decode(&event); err != nil {
		return "", nil, err
	}
	return event.Type, event.Object.unstructured(), nil
}

// statusReporter turns a broken stream into an error event; until reads anew then.
type statusReporter struct{}

func (statusReporter) AsObject(err error) runtime.Object {
	return &metav1.Status{Status: metav1.StatusFailure, Message: err.Error()}
}
