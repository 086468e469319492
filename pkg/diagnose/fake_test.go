package diagnose

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// noon is the moment of every case. Objects are dated relative to it.
var noon = metav1.Time{Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}

// fakeReader is an API server that holds some objects. It stands in for a cluster:
// what it lacks are defaults, field selectors and everything else that is not read here.
type fakeReader struct {
	objects []*unstructured.Unstructured
	logs    map[string]string
	// forbidden and silent are resources that may not be read, or do not answer.
	forbidden, silent []string
	// unknown kinds have no definition.
	unknown []string

	mu       sync.Mutex
	requests []string
}

// parse reads objects written as they are read in `kubectl get -o yaml`.
func parse(t testing.TB, text string) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	d := yaml.NewYAMLOrJSONDecoder(bytes.NewBufferString(text), 4096)
	for {
		u := &unstructured.Unstructured{}
		err := d.Decode(&u.Object)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(u.Object) > 0 {
			all = append(all, u)
		}
	}
}

func plural(kind string) string {
	switch s := strings.ToLower(kind); {
	case strings.HasSuffix(s, "ss"):
		return s + "es"
	case strings.HasSuffix(s, "y"):
		return s[:len(s)-1] + "ies"
	default:
		return s + "s"
	}
}

func (f *fakeReader) ask(ctx context.Context, verb string, r schema.GroupVersionResource, namespace, name string) error {
	f.mu.Lock()
	f.requests = append(f.requests, strings.TrimSpace(verb+" "+r.Resource+" "+namespace+" "+name))
	f.mu.Unlock()
	for _, s := range f.silent {
		if s == r.Resource {
			<-ctx.Done()
			return ctx.Err()
		}
	}
	for _, s := range f.forbidden {
		if s == r.Resource {
			return apierrors.NewForbidden(r.GroupResource(), name, errors.New(`User "jane" cannot `+verb+` resource "`+r.Resource+`"`))
		}
	}
	return nil
}

func (f *fakeReader) resource(gk schema.GroupKind) (schema.GroupVersionResource, bool, error) {
	for _, u := range f.unknown {
		if u == gk.Kind {
			return schema.GroupVersionResource{}, false, &meta.NoKindMatchError{GroupKind: gk}
		}
	}
	gvr := schema.GroupVersionResource{Group: gk.Group, Version: "v1", Resource: plural(gk.Kind)}
	switch gk.Kind {
	case "Namespace", "Node", "CustomResourceDefinition", "ClusterIssuer", "Profile", "StorageClass",
		"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration":
		return gvr, false, nil
	}
	return gvr, true, nil
}

func (f *fakeReader) get(ctx context.Context, r schema.GroupVersionResource, namespace, name string) (*unstructured.Unstructured, error) {
	if err := f.ask(ctx, "get", r, namespace, name); err != nil {
		return nil, err
	}
	for _, u := range f.objects {
		if plural(u.GetKind()) == r.Resource && u.GetNamespace() == namespace && u.GetName() == name {
			return u.DeepCopy(), nil
		}
	}
	return nil, apierrors.NewNotFound(r.GroupResource(), name)
}

func (f *fakeReader) list(ctx context.Context, r schema.GroupVersionResource, namespace string, o metav1.ListOptions) (*unstructured.UnstructuredList, error) {
	if err := f.ask(ctx, "list", r, namespace, ""); err != nil {
		return nil, err
	}
	selector, err := labels.Parse(o.LabelSelector)
	if err != nil {
		return nil, err
	}
	l := &unstructured.UnstructuredList{}
	for _, u := range f.objects {
		if plural(u.GetKind()) == r.Resource && (namespace == "" || u.GetNamespace() == namespace) && selector.Matches(labels.Set(u.GetLabels())) {
			l.Items = append(l.Items, *u.DeepCopy())
		}
	}
	return l, nil
}

func (f *fakeReader) log(ctx context.Context, namespace, pod, container string, previous bool) ([]byte, error) {
	if err := f.ask(ctx, "log", schema.GroupVersionResource{Version: "v1", Resource: "pods/log"}, namespace, pod); err != nil {
		return nil, err
	}
	text, ok := f.logs[pod+" "+container]
	if !ok {
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "pods"}, pod)
	}
	return []byte(text), nil
}

// explain is Explain at noon.
func (f *fakeReader) explain(t testing.TB, subjects ...Subject) []report.Cause {
	t.Helper()
	s := collect(t.Context(), f, subjects)
	s.Time = noon
	return Classify(s, subjects)
}

func deployment(namespace, name string) Subject {
	return Subject{Component: "dex", Ref: report.Ref{Group: "apps", Kind: "Deployment", Namespace: namespace, Name: name}, Message: "Available: 0/1"}
}
