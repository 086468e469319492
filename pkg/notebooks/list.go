package notebooks

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
)

// List is what one look at notebooks has found.
type List struct {
	Time      time.Time
	Notebooks []Notebook
	// Problems are what is missing and why, one sentence each.
	Problems []string
}

// Find returns the notebooks with the names, in their order. One that is not there is an
// error that says which are.
func (l *List) Find(namespace string, names []string) ([]*Notebook, error) {
	var out []*Notebook
	for _, name := range names {
		i := slices.IndexFunc(l.Notebooks, func(n Notebook) bool { return n.Name == name && n.Namespace == namespace })
		if i < 0 {
			return nil, missing(namespace, name)
		}
		out = append(out, &l.Notebooks[i])
	}
	return out, nil
}

// missingError is that of a notebook that is not there.
type missingError struct{ namespace, name string }

func (e missingError) Error() string {
	return fmt.Sprintf("%s does not exist: `kubectl jupyter notebook list -n %s` lists the notebooks", RefOf(e.namespace, e.name), e.namespace)
}

// IsMissing tells that a notebook is not there.
func IsMissing(err error) bool { return errors.As(err, &missingError{}) }

func missing(namespace, name string) error { return missingError{namespace, name} }

// Read looks at the notebooks of a namespace, or of all when it is empty: three requests,
// however many there are. Without the notebooks there is nothing to show, and that is its
// error; all else that cannot be read leaves a gap with a reason.
func Read(ctx context.Context, c *cluster.Cluster, namespace string) (*List, error) {
	out := &List{}
	var objects []unstructured.Unstructured
	var pods []corev1.Pod
	s := &diagnose.Snapshot{}
	var unread error
	together, asking := errgroup.WithContext(ctx)
	together.Go(func() (err error) {
		objects, err = objectsIn(asking, c, namespace)
		return err
	})
	together.Go(func() error {
		pods, unread = podsIn(asking, c, namespace, Label)
		return nil
	})
	together.Go(func() error {
		s.Events = warningsIn(asking, c, namespace)
		return nil
	})
	if err := together.Wait(); err != nil {
		return nil, err
	}
	out.Time, s.Time = time.Now(), metav1.Now()
	s.Pods = pods
	if unread != nil {
		out.Problems = append(out.Problems, "the state of notebooks is unknown: "+usage.AbsenceOf("pods", unread).Reason)
	}
	of := map[string][]corev1.Pod{}
	for _, p := range pods {
		if p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed {
			key := p.Namespace + "/" + p.Labels[Label]
			of[key] = append(of[key], p)
		}
	}
	for i := range objects {
		n, err := read(&objects[i])
		if err != nil {
			out.Problems = append(out.Problems, err.Error())
			continue
		}
		n.pods = of[n.Namespace+"/"+n.Name]
		n.settle(s, unread == nil)
		out.Notebooks = append(out.Notebooks, *n)
	}
	return out, nil
}

// Get looks at one notebook.
func Get(ctx context.Context, c *cluster.Cluster, namespace, name string) (*Notebook, error) {
	u, err := c.Dynamic.Resource(Resource).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, explain(err, namespace, name)
	}
	n, err := read(u)
	if err != nil {
		return nil, err
	}
	pods, err := podsIn(ctx, c, namespace, Label+"="+name)
	if err != nil {
		return nil, fmt.Errorf("pods of %s: %w", n.Ref(), err)
	}
	n.pods = pods
	n.settle(&diagnose.Snapshot{Time: metav1.Now(), Pods: pods, Events: warningsIn(ctx, c, namespace)}, true)
	return n, nil
}

// explain says of an error what a person can do about it.
func explain(err error, namespace, name string) error {
	switch {
	case apierrors.IsNotFound(err) && noKind(err):
		return fmt.Errorf("the cluster does not serve Notebooks (run `kubectl jupyter install`): %w", err)
	case apierrors.IsNotFound(err):
		return missing(namespace, name)
	}
	return fmt.Errorf("%s: %w", RefOf(namespace, name), err)
}

// noKind tells an unknown resource from an unknown name.
func noKind(err error) bool {
	status, ok := err.(apierrors.APIStatus)
	return ok && (status.Status().Details == nil || status.Status().Details.Name == "")
}

// Names of the notebooks of a namespace.
func Names(ctx context.Context, c *cluster.Cluster, namespace string) ([]string, error) {
	list, err := c.Metadata.Resource(Resource).Namespace(namespace).List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return nil, err
	}
	var out []string
	for _, i := range list.Items {
		out = append(out, i.Name)
	}
	slices.Sort(out)
	return out, nil
}

func objectsIn(ctx context.Context, c *cluster.Cluster, namespace string) ([]unstructured.Unstructured, error) {
	list, err := c.Dynamic.Resource(Resource).Namespace(namespace).List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err == nil {
		return list.Items, nil
	}
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("the cluster does not serve Notebooks (run `kubectl jupyter install`): %w", err)
	}
	where := "in namespace " + namespace
	if namespace == "" {
		where = "in all namespaces"
	}
	return nil, fmt.Errorf("notebooks cannot be listed %s: %w", where, err)
}

// podsIn lists pods by a selector of labels.
func podsIn(ctx context.Context, c *cluster.Cluster, namespace, selector string) ([]corev1.Pod, error) {
	var out []corev1.Pod
	err := usage.List(ctx, c.REST(), "/api/v1"+usage.Below(namespace)+"/pods", url.Values{"resourceVersion": {"0"}, "labelSelector": {selector}},
		[]string{"metadata", "spec", "status"}, func(p *corev1.Pod) { out = append(out, *p) })
	return out, err
}

// warningsIn lists the events that may say why a pod does not start. They are evidence,
// and not to have them is no error.
func warningsIn(ctx context.Context, c *cluster.Cluster, namespace string) []corev1.Event {
	var out []corev1.Event
	_ = usage.List(ctx, c.REST(), "/api/v1"+usage.Below(namespace)+"/events", url.Values{"resourceVersion": {"0"}, "fieldSelector": {"type=Warning"}},
		[]string{"metadata", "involvedObject", "reason", "message", "type", "firstTimestamp", "lastTimestamp", "eventTime", "series"},
		func(e *corev1.Event) { out = append(out, *e) })
	return out
}
