package usage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime/schema"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
)

// metricsTimeout bounds the wait for metrics alone: the API server passes the request on
// to metrics-server, and waits for a minute where that hangs. Tests shorten it.
var metricsTimeout = 15 * time.Second

var nodeMetricsFields = fieldsOf[metricsv1beta1.NodeMetrics]("metadata.name", "timestamp", "window", "usage")

// metricsPath is where the server serves metrics.k8s.io: as v1beta1, or as v1 where it
// has nothing else. It is that of v1beta1 where the server has neither or its discovery
// fails, so that asking tells why.
func (r *reader) metricsPath() (path, accept string) {
	accept = acceptProtobuf
	if r.JSONMetrics {
		accept = acceptJSON
	}
	if v := MetricsVersion(r.Mapper); v == "v1" {
		// Of v1 only the fields' names are known, not their numbers.
		return "/apis/metrics.k8s.io/v1/nodes", acceptJSON
	}
	return "/apis/metrics.k8s.io/v1beta1/nodes", accept
}

// MetricsVersion is the version in which a server has metrics.k8s.io: v1beta1, v1, or
// empty where it has none.
func MetricsVersion(m *cluster.Mapper) string {
	for _, v := range []string{"v1beta1", "v1"} {
		if _, err := m.Resource(schema.GroupVersionKind{Group: metricsv1beta1.GroupName, Version: v, Kind: "NodeMetrics"}); err == nil {
			return v
		}
	}
	return ""
}

// figure is what metrics-server says about one node.
type figure struct {
	usage  corev1.ResourceList
	time   time.Time
	window time.Duration
}

// measured are the figures of all nodes, or why there are none.
type measured struct {
	byNode map[string]figure
	failed error
}

// metrics asks for the figures of all nodes, or of the named ones.
func (r *reader) metrics(ctx context.Context) measured {
	ctx, cancel := context.WithTimeout(ctx, metricsTimeout)
	defer cancel()
	path, accept := r.metricsPath()
	served := MetricsVersion(r.Mapper) != ""
	m := measured{byNode: map[string]figure{}}
	add := func(n *metricsv1beta1.NodeMetrics) {
		m.byNode[n.Name] = figure{usage: n.Usage, time: n.Timestamp.Time, window: n.Window.Duration}
	}
	if len(r.Names) == 0 {
		params := url.Values{}
		if r.Selector != "" {
			params.Set("labelSelector", r.Selector)
		}
		_, m.failed = list[metricsv1beta1.NodeMetrics](ctx, r.REST(), query{path: path, params: params, accept: accept, keep: nodeMetricsFields}, add)
		return m
	}
	// One by one: not every metrics-server heeds field selectors.
	each := make([]*metricsv1beta1.NodeMetrics, len(r.Names))
	together, ctx := errgroup.WithContext(ctx)
	together.SetLimit(workers)
	for i, name := range r.Names {
		together.Go(func() error {
			data, err := Body(ctx, r.REST().Get().AbsPath(path, name).SetHeader("Accept", acceptJSON))
			if apierrors.IsNotFound(err) && served {
				return nil // the API is there, this node is not in it yet
			}
			if err != nil {
				return err
			}
			each[i] = &metricsv1beta1.NodeMetrics{}
			return json.Unmarshal(data, each[i])
		})
	}
	m.failed = together.Wait()
	for _, n := range each {
		if n != nil {
			add(n)
		}
	}
	return m
}

// why tells what an answer without figures means.
func (m measured) why() Absence {
	if m.failed == nil {
		return Absence{Reason: "metrics-server has no metrics for this node yet"}
	}
	return MetricsAbsence("nodes", m.failed)
}

// MetricsAbsence is why there are no figures of metrics-server: err is what asking for
// those of nodes or pods led to.
func MetricsAbsence(resource string, err error) Absence {
	var status apierrors.APIStatus
	switch {
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		return Absence{Forbidden: true, Reason: fmt.Sprintf("the user is not allowed to list %s of metrics.k8s.io: %v", resource, err)}
	case apierrors.IsNotFound(err):
		return Absence{Reason: "the cluster has no metrics API: metrics-server is not installed"}
	case errors.Is(err, context.DeadlineExceeded):
		return Absence{Reason: fmt.Sprintf("metrics-server did not answer within %s", metricsTimeout)}
	case errors.As(err, &status) && status.Status().Code >= 500:
		return Absence{Reason: "metrics-server does not answer (see `kubectl get apiservice v1beta1.metrics.k8s.io`): " + err.Error()}
	}
	return Absence{Reason: "metrics cannot be read: " + err.Error()}
}

// enter writes figures and samples into the nodes, and says what is missing or stale.
func (m measured) enter(nodes []Node, now time.Time) (problems []string) {
	why := m.why()
	var missing, stale []string
	var oldest time.Duration
	for i := range nodes {
		n := &nodes[i]
		f, ok := m.byNode[n.Name]
		if !ok {
			n.CPU.Used, n.Memory.Used = Missing[resource.Quantity](why), Missing[resource.Quantity](why)
			missing = append(missing, n.Name)
			continue
		}
		n.CPU.Used, n.Memory.Used = f.of(corev1.ResourceCPU), f.of(corev1.ResourceMemory)
		n.Sample = &Sample{Time: f.time, Window: f.window, Age: now.Sub(f.time)}
		if n.Sample.Stale() {
			stale = append(stale, n.Name)
			oldest = max(oldest, n.Sample.Age)
		}
	}
	slices.Sort(missing)
	slices.Sort(stale)
	switch {
	case m.failed != nil && len(missing) > 0:
		problems = append(problems, "CPU and memory are unknown: "+why.Reason)
	case len(missing) > 0:
		problems = append(problems, fmt.Sprintf("CPU and memory of %d of %d nodes are unknown: metrics-server has no metrics for %s yet", len(missing), len(nodes), some(missing)))
	}
	if len(stale) > 0 {
		problems = append(problems, fmt.Sprintf("CPU and memory of %d of %d nodes are stale, up to %s old: metrics-server has not scraped %s since",
			len(stale), len(nodes), oldest.Round(time.Second), some(stale)))
	}
	return problems
}

func (f figure) of(name corev1.ResourceName) Maybe[resource.Quantity] {
	q, ok := f.usage[name]
	if !ok {
		return Missing[resource.Quantity](Absence{Reason: "metrics-server has no value for this node"})
	}
	return Known(q)
}
