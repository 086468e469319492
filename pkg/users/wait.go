package users

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
)

// AwaitHome waits until the Profile's controller has made the namespace, and in it the
// account under which notebooks run.
func (u *Users) AwaitHome(ctx context.Context, profile string) error {
	accounts := u.Cluster.Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}).Namespace(profile)
	if err := until(ctx, accounts, "default-editor", func(there bool) bool { return there }); err != nil {
		return fmt.Errorf("ServiceAccount %s/default-editor, which the profile controller makes: %w", profile, err)
	}
	return nil
}

// AwaitGone waits until the namespace of a Profile has been deleted with everything in it.
func (u *Users) AwaitGone(ctx context.Context, profile string) error {
	if err := until(ctx, u.Cluster.Dynamic.Resource(namespaces), profile, func(there bool) bool { return !there }); err != nil {
		return fmt.Errorf("Namespace %s is not gone: %w", profile, err)
	}
	return nil
}

// until watches whether an object is there.
func until(ctx context.Context, client dynamic.ResourceInterface, name string, done func(there bool) bool) error {
	options := metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()}
	pause := wait.Backoff{Duration: 100 * time.Millisecond, Factor: 1.5, Jitter: 0.1, Steps: 1 << 30, Cap: 2 * time.Second}
	for {
		list, err := client.List(ctx, options)
		if apierrors.IsForbidden(err) {
			return err
		}
		if err == nil {
			if done(len(list.Items) > 0) {
				return nil
			}
			options.ResourceVersion = list.GetResourceVersion()
			if found, err := follow(ctx, client, options, done); found || err != nil {
				return err
			}
			options.ResourceVersion = ""
		}
		// The watch was closed, or the server does not answer: that is no answer.
		timer := time.NewTimer(pause.Step())
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
		}
	}
}

func follow(ctx context.Context, client dynamic.ResourceInterface, options metav1.ListOptions, done func(bool) bool) (bool, error) {
	watcher, err := client.Watch(ctx, options)
	if err != nil {
		if apierrors.IsForbidden(err) {
			return false, err
		}
		return false, nil
	}
	defer watcher.Stop()
	for {
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case event, open := <-watcher.ResultChan():
			if !open || event.Type == watch.Error {
				return false, nil
			}
			if _, ok := event.Object.(*unstructured.Unstructured); ok && done(event.Type != watch.Deleted) {
				return true, nil
			}
		}
	}
}
