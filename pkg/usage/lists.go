package usage

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"sync"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/rest"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
)

// List asks for all objects below an API path, page by page where params has a limit, and
// hands them out one by one. Of each only the fields at the JSON paths are decoded; a path
// that T does not have is a mistake in the program.
func List[T any, M message[T]](ctx context.Context, client rest.Interface, path string, params url.Values, paths []string, each func(*T)) error {
	q := query{path: path, accept: acceptProtobuf, keep: fieldsOf[T](paths...), params: url.Values{}}
	for name, values := range params {
		q.params[name] = values
	}
	for {
		next, err := list[T, M](ctx, client, q, each)
		if err != nil || next == "" {
			return err
		}
		q.params.Set("continue", next)
	}
}

// Body is the answer to a request that is no list of one type. Its errors are in the
// server's own words, which DoRaw leaves undecoded.
func Body(ctx context.Context, request *rest.Request) ([]byte, error) {
	answer := request.Do(ctx)
	if err := answer.Error(); err != nil {
		return nil, err
	}
	return answer.Raw()
}

// Nodes are the nodes that o names or selects, with their GPU resources and without what
// has to be asked of others: neither usage nor requests.
func Nodes(ctx context.Context, c *cluster.Cluster, o Options) ([]Node, error) {
	return (&reader{Cluster: c, Options: o}).nodes(ctx)
}

// PodsOn hands out the pods that occupy the given nodes, one at a time, with those fields
// that PodRequests, PodGPUs and paths need. What cannot be listed is in absent, by node.
func PodsOn(ctx context.Context, client rest.Interface, nodes []string, paths []string, each func(*corev1.Pod)) (absent map[string]Absence) {
	keep := podFields.with(fieldsOf[corev1.Pod](paths...))
	absent = map[string]Absence{}
	if len(nodes) > fewNodes {
		wanted := sets.New(nodes...)
		q := query{path: "/api/v1/pods", accept: acceptProtobuf, keep: keep, params: url.Values{
			"limit": {fmt.Sprint(podsPage)}, "fieldSelector": {"spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed"},
		}}
		for {
			next, err := list(ctx, client, q, func(p *corev1.Pod) {
				if wanted.Has(p.Spec.NodeName) && Occupies(p) {
					each(p)
				}
			})
			if err != nil {
				for _, n := range nodes {
					absent[n] = AbsenceOf("pods", err)
				}
			}
			if err != nil || next == "" {
				return absent
			}
			q.params.Set("continue", next)
		}
	}
	var one sync.Mutex
	var refused *Absence // who may not list pods may not on any node
	var together errgroup.Group
	together.SetLimit(workers)
	for _, n := range nodes {
		together.Go(func() error {
			one.Lock()
			if refused != nil {
				absent[n] = *refused
			}
			_, skip := absent[n]
			one.Unlock()
			if skip {
				return nil
			}
			_, err := list(ctx, client, query{path: "/api/v1/pods", accept: acceptProtobuf, keep: keep, params: url.Values{
				"resourceVersion": {"0"}, "fieldSelector": {"spec.nodeName=" + n + ",status.phase!=Succeeded,status.phase!=Failed"},
			}}, func(p *corev1.Pod) {
				one.Lock()
				defer one.Unlock()
				if Occupies(p) {
					each(p)
				}
			})
			if err != nil {
				why := AbsenceOf("pods", err)
				one.Lock()
				defer one.Unlock()
				absent[n] = why
				if why.Forbidden {
					refused = &why
				}
			}
			return nil
		})
	}
	_ = together.Wait() // its functions keep their errors
	return absent
}

// PodFigures hands out what metrics-server says about the pods of a namespace (all when it
// is empty) that have a label.
func PodFigures(ctx context.Context, c *cluster.Cluster, namespace, label string, each func(*metricsv1beta1.PodMetrics)) error {
	ctx, cancel := context.WithTimeout(ctx, metricsTimeout)
	defer cancel()
	version, accept := "v1beta1", acceptProtobuf
	if MetricsVersion(c.Mapper) == "v1" {
		version, accept = "v1", acceptJSON
	}
	_, err := list(ctx, c.REST(), query{
		path: "/apis/metrics.k8s.io/" + version + Below(namespace) + "/pods", accept: accept,
		params: url.Values{"labelSelector": {label}},
		keep:   fieldsOf[metricsv1beta1.PodMetrics]("metadata.name", "metadata.namespace", "timestamp", "window", "containers"),
	}, each)
	return err
}

// Below is the part of an API path that names a namespace; of none, it is empty.
func Below(namespace string) string {
	if namespace == "" {
		return ""
	}
	return "/namespaces/" + namespace
}

// with joins what two are to keep.
func (f fields) with(g fields) fields {
	out := maps.Clone(f)
	for number, below := range g {
		have, known := out[number]
		switch {
		case !known:
			out[number] = below
		case have == nil || below == nil:
			out[number] = nil
		default:
			out[number] = have.with(below)
		}
	}
	return out
}
