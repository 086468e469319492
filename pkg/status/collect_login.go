package status

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/login"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Log is the end of a container's log.
type Log struct {
	Namespace, Pod, Container string
	Lines                     []string
}

// What bounds the logs that are read: what has gone wrong lately, and no more than a
// screen or two of it.
const (
	logSince = 15 * time.Minute
	logLines = 400
	logBytes = 256 << 10
	// logTime is how long a node may take; its silence is told elsewhere.
	logTime = 2 * time.Second
)

// loud are the programs whose logs tell what no object does: why a request was refused.
var loud = []struct{ namespace, workload, container string }{
	{"istio-system", "istio-ingressgateway", "istio-proxy"},
	{"istio-system", "istiod", "discovery"},
	{"oauth2-proxy", "oauth2-proxy", "oauth2-proxy"},
	{"auth", "dex", "dex"},
}

// maxReplicas of a program are listened to: those that restarted last.
const maxReplicas = 2

// editor is the ServiceAccount that a Profile's notebooks run as.
const editor = "default-editor"

// login plans the reads that only the login needs, and that of the controller's settings.
func (k *collector) login() {
	for _, ref := range settings() {
		k.get(ref, false)
	}
	k.editors()
}

// editors lists one ServiceAccount in all namespaces.
func (k *collector) editors() {
	r := Read{Kind: "ServiceAccount", Name: editor}
	gvr := schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}
	k.Plan(func(ctx context.Context) error {
		objects, cut, err := k.metadataOf(ctx, gvr.GroupVersion().WithKind(r.Kind), k.c.Metadata.Resource(gvr).List,
			metav1.ListOptions{FieldSelector: "metadata.name=" + editor, Limit: maxItems})
		// That of the first user is asked for by its name.
		if apierrors.IsForbidden(err) {
			return k.unlooked("whether Profiles are complete: forbidden (ServiceAccounts of all namespaces)")
		}
		r.Cut = cut
		return k.add(r, err, objects...)
	})
}

// lateLogin plans what the first reads have made possible: settings whose names have a
// suffix, and logs of pods.
func (k *collector) lateLogin() {
	for _, ref := range settings() {
		if u := k.s.suffixed(ref); u != nil && k.s.Object(ref) == nil {
			k.get(cluster.RefOf(u), false)
		}
	}
	if !k.s.Foreign() {
		for _, service := range login.AskedByFilters(k.s.strangeFilters()) {
			if k.s.Presence(service) == Unread {
				k.get(service, true)
			}
		}
	}
	for _, l := range loud {
		for _, p := range k.s.newestPods(l.namespace, l.workload) {
			k.log(p, l.container)
		}
	}
}

// suffixed finds the newest ConfigMap of a name with a generator's hash behind it.
func (s *Snapshot) suffixed(ref report.Ref) *unstructured.Unstructured {
	var newest *unstructured.Unstructured
	for _, u := range s.All(ref.Group, ref.Kind) {
		rest, ok := strings.CutPrefix(u.GetName(), ref.Name)
		if !ok || u.GetNamespace() != ref.Namespace || !suffix.MatchString(rest) {
			continue
		}
		if newest == nil || newest.GetCreationTimestamp().Time.Before(u.GetCreationTimestamp().Time) {
			newest = u
		}
	}
	return newest
}

// setting is one of settings with its content, nil where it could not be read.
func (s *Snapshot) setting(ref report.Ref) *unstructured.Unstructured {
	u := s.Object(ref)
	if u == nil {
		u = s.suffixed(ref)
	}
	if u == nil || u.Object["data"] == nil {
		return nil
	}
	return u
}

// newestPods are pods of a Deployment, those that started last, maxReplicas at most.
func (s *Snapshot) newestPods(namespace, deployment string) []corev1.Pod {
	var out []corev1.Pod
	for _, p := range s.Pods() {
		if p.Namespace == namespace && cluster.WorkloadOf(&p).Name == deployment && p.DeletionTimestamp == nil {
			out = append(out, p)
		}
	}
	slices.SortStableFunc(out, func(a, b corev1.Pod) int { return b.CreationTimestamp.Compare(a.CreationTimestamp.Time) })
	return out[:min(len(out), maxReplicas)]
}

// log plans the read of a container's log. One that cannot be read proves nothing: why
// a pod does not run, or a node does not answer, is looked for elsewhere.
func (k *collector) log(p corev1.Pod, container string) {
	running := slices.ContainsFunc(p.Status.ContainerStatuses, func(s corev1.ContainerStatus) bool {
		return s.Name == container && s.State.Running != nil
	})
	if !running {
		return
	}
	k.Plan(func(ctx context.Context) error {
		timed, cancel := context.WithTimeout(ctx, logTime)
		defer cancel()
		since, lines := int64(logSince.Seconds()), int64(logLines)
		stream, err := k.c.Log(timed, p.Namespace, p.Name, &corev1.PodLogOptions{Container: container, SinceSeconds: &since, TailLines: &lines})
		if apierrors.IsForbidden(err) {
			return k.add(Read{Kind: "Pod/log", Namespace: p.Namespace, Name: p.Name}, err)
		}
		if err != nil {
			return ctx.Err()
		}
		defer stream.Close()
		text, err := io.ReadAll(io.LimitReader(stream, logBytes))
		if err != nil && len(text) == 0 {
			return ctx.Err()
		}
		l := Log{Namespace: p.Namespace, Pod: p.Name, Container: container}
		for line := range bytes.Lines(text) {
			l.Lines = append(l.Lines, strings.TrimRight(string(line), "\r\n"))
		}
		k.Keep(func() { k.s.Logs = append(k.s.Logs, l) })
		return nil
	})
}
