package exposure

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// settles is how long a controller has before it is asked why there is no address: it may
// have to notice a new pool first.
const settles = 5 * time.Second

// explains bounds the look at the cluster after the time is up.
const explains = 10 * time.Second

// errHopeless ends a wait that more time would not help.
var errHopeless = errors.New("no address will be assigned")

// Await waits until the Service has the address that the plan is after. It ends early
// when the cluster says why none will come. The error is a *rollout.Failure with causes.
func (a *Applier) Await(ctx context.Context, p *Plan, wanted []netip.Addr) (*corev1.Service, error) {
	began := time.Now()
	want := make([]string, len(wanted))
	for i, w := range wanted {
		want[i] = w.String()
	}
	watching, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var causes []report.Cause
	done := make(chan struct{})
	go func() {
		defer close(done)
		if found := a.untilHopeless(watching, began); len(found) > 0 {
			causes = found
			stop(errHopeless)
		}
	}()
	var svc *corev1.Service
	said := false
	services := a.Cluster.Dynamic.Resource(servicesResource).Namespace(Namespace)
	err := rollout.Until(watching, services, ServiceName, func(u *unstructured.Unstructured) (bool, error) {
		if u == nil {
			return false, errNoGateway
		}
		svc = &corev1.Service{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, svc); err != nil {
			return false, fmt.Errorf("%s: %w", ServiceRef, err)
		}
		if svc.Spec.Type != corev1.ServiceTypeLoadBalancer {
			return false, fmt.Errorf("%s: its type was changed to %s in the meantime", ServiceRef, svc.Spec.Type)
		}
		has := p.hasAddress(svc, want)
		if !has && !said {
			a.Say(fmt.Sprintf("waiting for %s to assign an address to %s", p.giver(), ServiceRef))
			said = true
		}
		return has, nil
	})
	hopeless := errors.Is(context.Cause(watching), errHopeless)
	stop(nil)
	<-done
	switch {
	case err == nil:
		return svc, nil
	case hopeless:
		return svc, &rollout.Failure{Err: fmt.Errorf("%s gets no address: %s", ServiceRef, causes[0].Summary), Causes: causes}
	case ctx.Err() == nil:
		return svc, err
	case errors.Is(ctx.Err(), context.Canceled):
		return svc, &rollout.Failure{Err: fmt.Errorf("%w while waiting for an address of %s: run expose again to continue", rollout.ErrInterrupted, ServiceRef)}
	}
	explaining, cancel := context.WithTimeout(context.WithoutCancel(ctx), explains)
	defer cancel()
	return svc, &rollout.Failure{
		Err:    fmt.Errorf("%s has no address after %s: see the causes, or set a longer --timeout", ServiceRef, time.Since(began).Round(time.Second)),
		Causes: a.explain(explaining, began),
	}
}

func (p *Plan) giver() string {
	switch {
	case p.Install:
		return "MetalLB"
	case p.Detection.Provider == None:
		return "a load balancer controller"
	}
	return p.Detection.Product
}

// untilHopeless asks the cluster why there is no address: once when a controller has had
// its time, and whenever it warns about the Service. It returns the causes that waiting
// cannot cure, nil when ctx ends.
func (a *Applier) untilHopeless(ctx context.Context, since time.Time) []report.Cause {
	selector := "involvedObject.kind=Service,involvedObject.name=" + ServiceName
	events := a.Cluster.Dynamic.Resource(eventsResource).Namespace(Namespace)
	warned := make(chan struct{}, 1)
	if list, err := events.List(ctx, metav1.ListOptions{FieldSelector: selector}); err == nil {
		watcher, err := watchtools.NewRetryWatcherWithContext(ctx, list.GetResourceVersion(), &cache.ListWatch{
			WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
				o.FieldSelector = selector
				return events.Watch(ctx, o)
			},
		})
		if err == nil {
			defer watcher.Stop()
			go notifyWarnings(watcher, warned)
		}
	}
	first := time.NewTimer(settles)
	defer first.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-first.C:
		case <-warned:
		}
		if causes := a.explain(ctx, since); len(causes) > 0 && cannotBeCured[causes[0].Name] {
			return causes
		}
	}
}

func notifyWarnings(watcher watch.Interface, warned chan<- struct{}) {
	for e := range watcher.ResultChan() {
		u, ok := e.Object.(*unstructured.Unstructured)
		if !ok || e.Type != watch.Added && e.Type != watch.Modified {
			continue
		}
		if typ, _, _ := unstructured.NestedString(u.Object, "type"); typ == corev1.EventTypeWarning {
			select {
			case warned <- struct{}{}:
			default:
			}
		}
	}
}

// cannotBeCured are the causes that no waiting changes. That nothing gives addresses is
// not among them: somebody may be about to start it.
var cannotBeCured = map[string]bool{
	diagnose.MetalLBModesMixed: true, diagnose.AddressPoolMissing: true, diagnose.AddressPoolExhausted: true,
	diagnose.AddressRefused: true, diagnose.LoadBalancerClassUnserved: true,
}

// explain names the causes now, from what was said since a moment.
func (a *Applier) explain(ctx context.Context, since time.Time) []report.Cause {
	s, err := Read(ctx, a.Cluster)
	if s == nil || ctx.Err() != nil {
		return nil
	}
	s.forget(since)
	causes := s.Causes()
	if err != nil {
		causes = append(causes, report.Cause{
			Name: diagnose.Unreadable, Severity: report.Warning, Object: ServiceRef,
			Summary: "not everything could be read, so there may be more causes", Evidence: []string{err.Error()}, Remedy: "try again: kubectl jupyter status",
		})
	}
	return causes
}

// forget drops events of before a moment: they speak of what has been changed since. The
// clocks of two machines may differ, so it is a second too many rather than too few.
func (s *Snapshot) forget(before time.Time) {
	var kept []corev1.Event
	for _, e := range s.Events {
		if !when(e).Before(before.Add(-time.Second)) {
			kept = append(kept, e)
		}
	}
	s.Events = kept
}

// when an event was seen last.
func when(e corev1.Event) time.Time {
	for _, t := range []time.Time{seriesTime(e), e.LastTimestamp.Time, e.EventTime.Time, e.CreationTimestamp.Time} {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

func seriesTime(e corev1.Event) time.Time {
	if e.Series == nil {
		return time.Time{}
	}
	return e.Series.LastObservedTime.Time
}
