package dcgm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/rest"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
)

// Limits of asking the exporters. Each may take some seconds to wake up; a cluster whose
// exporters hang must not hold up everything else.
const (
	// PerExporter is how long one exporter may take.
	PerExporter = 5 * time.Second
	// Altogether is how long all of them may take; those that were not asked by then are
	// unknown.
	Altogether = 20 * time.Second
	workers    = 32
	// maxBody bounds an answer in bytes; that of a node with 16 GPUs is below 1 MiB.
	maxBody = 32 << 20
	// defaultPort is the exporter's, where its pod does not name another.
	defaultPort = "9400"
)

// selectors find the exporters: those of NVIDIA's operator and its DRA variant, of the
// exporter's own chart, those that GKE and AKS manage, and older charts'. No selector can say
// "one label or another".
var selectors = []string{
	"app in (nvidia-dcgm-exporter,nvidia-dcgm-exporter-dra,dcgm-exporter)",
	"app.kubernetes.io/name in (dcgm-exporter,nvidia-dcgm-exporter,gke-managed-dcgm-exporter)",
	"k8s-app=dcgm-exporter",
}

// Source asks the exporters of a cluster. It remembers nothing: every reading is new.
type Source struct {
	// REST reaches the API server. The user needs list on pods and get on pods/proxy
	// where the exporters are; never anything of nodes/proxy.
	REST rest.Interface

	// patience with one exporter; PerExporter where it is zero.
	patience time.Duration
}

// Reading is what the exporters said.
type Reading struct {
	// Nodes that have an exporter, by name.
	Nodes map[string]Node
	// Problem is one sentence about everything that could not be read, or empty.
	Problem string
	// Absence is set where the exporters could not even be looked for.
	Absence *usage.Absence
}

// Node is what the exporter of a node said.
type Node struct {
	Devices []usage.Device
	// Absence is why there are no devices; nil where there are.
	Absence *usage.Absence
}

// exporter is a pod that serves the figures of its node.
type exporter struct {
	namespace, name, node, port string
	running                     bool
}

// Read asks the exporter of each wanted node, side by side. What does not answer is absent
// with a reason; only the end of ctx is an error.
func (s *Source) Read(ctx context.Context, wanted func(node string) bool) (Reading, error) {
	found, err := s.exporters(ctx)
	out := Reading{Nodes: map[string]Node{}}
	if ctx.Err() != nil {
		return out, ctx.Err()
	}
	if err != nil {
		out.Absence = &usage.Absence{Forbidden: apierrors.IsForbidden(err), Reason: err.Error()}
		out.Problem = "live GPU use is unknown: " + err.Error()
		return out, nil
	}
	found = slices.DeleteFunc(found, func(e exporter) bool { return !wanted(e.node) })
	within, cancel := context.WithTimeout(ctx, Altogether)
	defer cancel()
	var mu sync.Mutex
	refused := map[string]error{} // by namespace: the right is one for all of its pods
	var group errgroup.Group
	group.SetLimit(workers)
	failures := map[string][]string{}
	for _, e := range found {
		group.Go(func() error {
			mu.Lock()
			err := refused[e.namespace]
			mu.Unlock()
			var devices []usage.Device
			switch {
			case err != nil:
			case !e.running:
				err = fault{reason: "the exporter is not running"}
			case within.Err() != nil:
				err = fault{reason: fmt.Sprintf("not queried: the limit of %s for all exporters was reached", Altogether)}
			default:
				devices, err = s.scrape(within, e)
			}
			mu.Lock()
			defer mu.Unlock()
			f := explain(err, e)
			if f.forbidden {
				refused[e.namespace] = err
			}
			if err != nil {
				failures[f.reason] = append(failures[f.reason], e.node)
			}
			out.Nodes[e.node] = merged(e.node, out.Nodes[e.node], devices, f)
			return nil
		})
	}
	_ = group.Wait() // the functions return no errors
	if err := ctx.Err(); err != nil {
		return out, err
	}
	for reason, nodes := range failures {
		failures[reason] = slices.DeleteFunc(nodes, func(n string) bool { return out.Nodes[n].Absence == nil })
	}
	maps.DeleteFunc(failures, func(_ string, nodes []string) bool { return len(nodes) == 0 })
	out.Problem = summary(failures, len(out.Nodes))
	return out, nil
}

// merged joins what two exporters of one node say. One that answers is enough.
func merged(node string, n Node, devices []usage.Device, f fault) Node {
	if f.reason != "" {
		if len(n.Devices) == 0 {
			n.Absence = &usage.Absence{Forbidden: f.forbidden, Reason: f.reason}
		}
		return n
	}
	n.Absence = nil
	for _, d := range devices {
		d.Node = node
		if !slices.ContainsFunc(n.Devices, func(have usage.Device) bool { return have.UUID == d.UUID && have.Instance == d.Instance }) {
			n.Devices = append(n.Devices, d)
		}
	}
	sortDevices(n.Devices)
	return n
}

// exporters lists the pods, each once even where it has the labels of both kinds.
func (s *Source) exporters(ctx context.Context) ([]exporter, error) {
	var one sync.Mutex
	seen := map[string]exporter{}
	group, asking := errgroup.WithContext(ctx)
	for _, selector := range selectors {
		group.Go(func() error {
			err := usage.List(asking, s.REST, "/api/v1/pods", url.Values{"labelSelector": {selector}, "resourceVersion": {"0"}}, []string{
				"metadata.name", "metadata.namespace", "metadata.deletionTimestamp", "spec.nodeName", "spec.containers.ports", "status.phase",
			}, func(p *corev1.Pod) {
				if p.Spec.NodeName == "" || p.DeletionTimestamp != nil {
					return
				}
				one.Lock()
				defer one.Unlock()
				seen[p.Namespace+"/"+p.Name] = exporter{p.Namespace, p.Name, p.Spec.NodeName, port(p), p.Status.Phase == corev1.PodRunning}
			})
			if err != nil {
				return fmt.Errorf("list pods of DCGM exporters in all namespaces: %w", err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var out []exporter
	for _, k := range slices.Sorted(maps.Keys(seen)) {
		out = append(out, seen[k])
	}
	return out, nil
}

// port is the one that the pod calls metrics, or the exporter's own.
func port(p *corev1.Pod) string {
	for _, c := range p.Spec.Containers {
		for _, declared := range c.Ports {
			if declared.Name == "metrics" && declared.ContainerPort > 0 {
				return fmt.Sprint(declared.ContainerPort)
			}
		}
	}
	return defaultPort
}

func (s *Source) scrape(ctx context.Context, e exporter) ([]usage.Device, error) {
	patience := cmp.Or(s.patience, PerExporter)
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errSlow(patience))
	defer cancel()
	ask := func(scheme string) (io.ReadCloser, error) {
		return s.REST.Get().
			AbsPath("/api/v1/namespaces", e.namespace, "pods", utilnet.JoinSchemeNamePort(scheme, e.name, e.port), "proxy", "metrics").
			MaxRetries(0).SetHeader("Accept", "text/plain").Stream(ctx)
	}
	body, err := ask("http")
	// With --web-config-file the exporter may speak TLS alone. Go's server says that.
	if err != nil && apierrors.IsBadRequest(err) && strings.Contains(saidBy(err), "HTTP request to an HTTPS server") {
		body, err = ask("https")
	}
	if err != nil {
		return nil, slow(ctx, err)
	}
	defer func() { _ = body.Close() }()
	limited := &io.LimitedReader{R: body, N: maxBody}
	devices, err := Parse(limited)
	switch {
	case limited.N <= 0:
		return nil, fault{reason: fmt.Sprintf("a response of more than %d MiB", maxBody>>20)}
	case err != nil && ctx.Err() != nil:
		return nil, slow(ctx, err)
	case errors.Is(err, errTruncated):
		return nil, fault{reason: err.Error()}
	case err != nil:
		return nil, fault{reason: "a response without metrics", err: err}
	case len(devices) == 0:
		return nil, fault{reason: "a response without GPUs"}
	}
	return devices, nil
}

// saidBy is what an answer says beside its status.
func saidBy(err error) string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return ""
	}
	said := status.Status().Message
	if d := status.Status().Details; d != nil {
		for _, c := range d.Causes {
			said += " " + c.Message
		}
	}
	return said
}

// errSlow says how long an exporter was waited for.
type errSlow time.Duration

func (e errSlow) Error() string { return "no response within " + time.Duration(e).String() }

// slow tells the end of one exporter's time from other errors.
func slow(ctx context.Context, err error) error {
	var late errSlow
	if errors.As(context.Cause(ctx), &late) {
		return fault{reason: late.Error()}
	}
	return err
}

// fault is why an exporter's figures are unknown, short enough to be counted.
type fault struct {
	reason    string
	forbidden bool
	err       error
}

func (f fault) Error() string {
	if f.err != nil {
		return f.reason + ": " + f.err.Error()
	}
	return f.reason
}

func (f fault) Unwrap() error { return f.err }

// explain names what the API server or the exporter answered instead of figures.
func explain(err error, e exporter) fault {
	var known fault
	var status apierrors.APIStatus
	switch {
	case err == nil:
		return fault{}
	case errors.As(err, &known):
		return known
	case apierrors.IsForbidden(err):
		return fault{forbidden: true, err: err, reason: fmt.Sprintf("forbidden (get pods/proxy in namespace %s)", e.namespace)}
	case errors.Is(err, context.DeadlineExceeded):
		return fault{err: err, reason: fmt.Sprintf("no response within the limit of %s for all exporters", Altogether)}
	case errors.As(err, &status) && status.Status().Code > 0:
		code := int(status.Status().Code)
		if code == http.StatusUnauthorized {
			return fault{err: err, reason: "the exporter asks for a password (HTTP 401), which kubectl jupyter does not have"}
		}
		return fault{err: err, reason: strings.TrimSpace(fmt.Sprintf("HTTP %d %s", code, http.StatusText(code)))}
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // the address would make every reason another
	}
	return fault{err: err, reason: err.Error()}
}

// named is how many nodes a summary names for one reason.
const named = 3

// summary is one sentence for all exporters that did not tell.
func summary(failures map[string][]string, of int) string {
	if len(failures) == 0 {
		return ""
	}
	nodes := map[string]bool{}
	var parts []string
	for _, reason := range slices.Sorted(maps.Keys(failures)) {
		names := slices.Compact(slices.Sorted(slices.Values(failures[reason])))
		for _, n := range names {
			nodes[n] = true
		}
		text := strings.Join(names[:min(named, len(names))], ", ")
		if n := len(names) - named; n > 0 {
			text += fmt.Sprintf(" and %d more", n)
		}
		parts = append(parts, fmt.Sprintf("%s: %s", text, reason))
	}
	return fmt.Sprintf("live GPU use is unknown on %d of %d nodes with a DCGM exporter: %s", len(nodes), of, strings.Join(parts, "; "))
}

// Devices implements usage.LiveSource.
func (s *Source) Devices(ctx context.Context, nodes []string) (usage.Devices, map[string]usage.Absence, []string) {
	devices, absent := usage.Devices{}, map[string]usage.Absence{}
	r, err := s.Read(ctx, sets.New(nodes...).Has)
	if err != nil {
		return nil, nil, nil // the whole command ends
	}
	for _, name := range nodes {
		n, exported := r.Nodes[name]
		switch {
		case n.Absence != nil:
			absent[name] = *n.Absence
		case exported:
			devices[name] = n.Devices
		case r.Absence != nil:
			absent[name] = *r.Absence
		}
	}
	if r.Problem == "" {
		return devices, absent, nil
	}
	return devices, absent, []string{r.Problem}
}
