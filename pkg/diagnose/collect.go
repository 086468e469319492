package diagnose

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// What bounds the reads of one diagnosis.
const (
	readBudget = 8 * time.Second
	// inFlight reads at a time.
	inFlight = 10
	// maxSubjects are read one by one; further ones are explained by the lists alone.
	maxSubjects = 64
	// maxNamespaces are listed; the stack has nine and each profile one.
	maxNamespaces = 16
	// maxLogs are the containers whose logs are read, logLines and logBytes of each.
	maxLogs  = 8
	logLines = 60
	logBytes = 48 << 10
	// maxItems of one list. Pods of a whole cluster are not bounded by it: half a sum
	// would be wrong.
	maxItems = 1000
)

var (
	podsGVR        = core("pods")
	eventsGVR      = core("events")
	namespacesGVR  = core("namespaces")
	nodesGVR       = core("nodes")
	claimsGVR      = core("persistentvolumeclaims")
	servicesGVR    = core("services")
	replicaSetsGVR = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "replicasets"}
	classesGVR     = schema.GroupVersionResource{Group: "storage.k8s.io", Version: "v1", Resource: "storageclasses"}
	slicesGVR      = schema.GroupVersionResource{Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"}
	mutatingGVR    = schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "mutatingwebhookconfigurations"}
	validatingGVR  = schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingwebhookconfigurations"}
)

func core(resource string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Version: "v1", Resource: resource}
}

// groups of the kinds that a subject may name without its group.
var groups = map[string]string{
	"Deployment": "apps", "StatefulSet": "apps", "DaemonSet": "apps", "ReplicaSet": "apps", "Job": "batch",
	"HorizontalPodAutoscaler": "autoscaling", "CustomResourceDefinition": "apiextensions.k8s.io",
	"MutatingWebhookConfiguration": "admissionregistration.k8s.io", "ValidatingWebhookConfiguration": "admissionregistration.k8s.io",
	"Certificate": "cert-manager.io", "CertificateRequest": "cert-manager.io", "Issuer": "cert-manager.io", "ClusterIssuer": "cert-manager.io",
	"Notebook": "kubeflow.org", "Profile": "kubeflow.org", "PodDefault": "kubeflow.org",
}

// Collect reads what the cluster knows about the subjects: in three rounds, since what
// is worth reading next depends on what was found, each with all its reads at once.
// It ends within eight seconds, or with the context; what was not read by then is in
// the snapshot's Unreadable.
func Collect(ctx context.Context, c *cluster.Cluster, subjects []Subject) *Snapshot {
	return collect(ctx, clusterReader{c}, subjects)
}

// CollectRoom reads what tells whether a pod that is not there yet would run in a
// namespace: the nodes and what they have left, claims and their classes, and the pods of
// the namespace, which may hold some. Place and Classify take it.
func CollectRoom(ctx context.Context, c *cluster.Cluster, namespace string) *Snapshot {
	return collectRoom(ctx, clusterReader{c}, namespace)
}

func collectRoom(ctx context.Context, r reader, namespace string) *Snapshot {
	ctx, cancel := context.WithTimeout(ctx, readBudget)
	defer cancel()
	c := newCollector(r)
	list(c, nodesGVR, "", metav1.ListOptions{ResourceVersion: "0"}, func(s *Snapshot) *[]corev1.Node { return &s.Nodes })
	list(c, podsGVR, namespace, metav1.ListOptions{Limit: maxItems}, func(s *Snapshot) *[]corev1.Pod { return &s.Pods })
	c.requested()
	c.volumes(namespace)
	c.run(ctx)
	return c.s
}

func newCollector(r reader) *collector {
	return &collector{reader: r, reads: cluster.Reads{InFlight: inFlight}, s: &Snapshot{Time: metav1.Now()}, asked: sets.New[string]()}
}

type collector struct {
	reader reader
	reads  cluster.Reads
	s      *Snapshot
	asked  sets.Set[string]
}

func collect(ctx context.Context, r reader, subjects []Subject) *Snapshot {
	ctx, cancel := context.WithTimeout(ctx, readBudget)
	defer cancel()
	c := newCollector(r)
	c.subjects(subjects)
	c.run(ctx)
	c.behindWebhooks(subjects)
	c.behindPods()
	c.behindCertificates()
	c.run(ctx)
	// A webhook's own pods came with the second round: their volumes, nodes and logs
	// are the third.
	c.behindPods()
	c.logs()
	c.run(ctx)
	return c.s
}

// subjects reads the subjects themselves and what lives in their namespaces.
func (c *collector) subjects(subjects []Subject) {
	for i, sub := range subjects {
		if sub.waits() {
			continue
		}
		ref := sub.Ref
		if ns := ref.Namespace; ns != "" {
			c.workloads(ns)
		}
		if i >= maxSubjects {
			continue
		}
		switch ref.Kind {
		case "Secret", "Pod":
			// A Secret's content is nobody's evidence; pods come with their namespace.
		case "Namespace":
			c.workloads(ref.Name)
		case "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration":
			c.webhooks()
		case "Service":
			c.behindService(ref.Namespace, ref.Name)
			c.object(ref)
		case "PersistentVolumeClaim":
			c.volumes(ref.Namespace)
			c.object(ref)
		default:
			c.object(ref)
		}
		if strings.Contains(sub.Message, "webhook") {
			c.webhooks()
		}
	}
}

// workloads lists what tells how the pods of a namespace are.
func (c *collector) workloads(namespace string) {
	key := "namespace " + namespace
	if c.asked.Has(key) || len(c.namespaces()) >= maxNamespaces {
		return
	}
	c.asked.Insert(key)
	c.add("namespaces "+namespace, func(ctx context.Context) error {
		u, err := c.reader.get(ctx, namespacesGVR, "", namespace)
		if apierrors.IsNotFound(err) {
			c.store(func(s *Snapshot) { s.Missing = append(s.Missing, report.Ref{Kind: "Namespace", Name: namespace}) })
			return nil
		}
		if err != nil {
			return err
		}
		return into(c, []unstructured.Unstructured{*u}, func(s *Snapshot) *[]corev1.Namespace { return &s.Namespaces })
	})
	list(c, podsGVR, namespace, metav1.ListOptions{Limit: maxItems}, func(s *Snapshot) *[]corev1.Pod { return &s.Pods })
	list(c, eventsGVR, namespace, metav1.ListOptions{Limit: maxItems}, func(s *Snapshot) *[]corev1.Event { return &s.Events })
	list(c, replicaSetsGVR, namespace, metav1.ListOptions{Limit: maxItems}, sliceOfReplicaSets)
}

func (c *collector) namespaces() []string {
	var names []string
	for k := range c.asked {
		if strings.HasPrefix(k, "namespace ") {
			names = append(names, k)
		}
	}
	return names
}

func (c *collector) webhooks() {
	list(c, mutatingGVR, "", metav1.ListOptions{}, sliceOfMutating)
	list(c, validatingGVR, "", metav1.ListOptions{}, sliceOfValidating)
}

func (c *collector) volumes(namespace string) {
	list(c, claimsGVR, namespace, metav1.ListOptions{Limit: maxItems}, sliceOfClaims)
	list(c, classesGVR, "", metav1.ListOptions{}, sliceOfClasses)
}

// behindService reads a service and its endpoints, and the pods that should be there.
func (c *collector) behindService(namespace, name string) {
	what := "services " + namespace + "/" + name
	c.add(what, func(ctx context.Context) error {
		u, err := c.reader.get(ctx, servicesGVR, namespace, name)
		if apierrors.IsNotFound(err) {
			c.store(func(s *Snapshot) {
				s.Missing = append(s.Missing, report.Ref{Kind: "Service", Namespace: namespace, Name: name})
			})
			return nil
		}
		if err != nil {
			return err
		}
		return into(c, []unstructured.Unstructured{*u}, sliceOfServices)
	})
	list(c, slicesGVR, namespace, metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=" + name}, sliceOfEndpoints)
	c.workloads(namespace)
}

// behindWebhooks reads what is behind the webhooks that somebody complained about.
func (c *collector) behindWebhooks(subjects []Subject) {
	var messages []string
	for _, sub := range subjects {
		messages = append(messages, sub.Message)
		for _, w := range c.s.configuredWebhooks(sub.Ref) {
			if w.service != nil {
				c.behindService(w.service.Namespace, w.service.Name)
			}
		}
	}
	for _, e := range c.s.Events {
		messages = append(messages, e.Message)
	}
	for _, m := range messages {
		if call, ok := parseWebhookCall(m); ok {
			c.webhooks()
			if call.service != "" {
				c.behindService(call.namespace, call.service)
			} else if w := c.s.webhook(call.webhook); w != nil && w.service != nil {
				c.behindService(w.service.Namespace, w.service.Name)
			}
		}
	}
}

// behindPods reads what pods that do not run depend on.
func (c *collector) behindPods() {
	for i := range c.s.Pods {
		p := &c.s.Pods[i]
		if healthy(p) {
			continue
		}
		list(c, nodesGVR, "", metav1.ListOptions{ResourceVersion: "0"}, func(s *Snapshot) *[]corev1.Node { return &s.Nodes })
		// While the scheduler waits for a volume, it writes no condition.
		if p.Spec.NodeName == "" && len(ClaimsOf(p)) > 0 {
			c.volumes(p.Namespace)
		}
		if unscheduled(p) == nil {
			continue
		}
		c.behindGate(p)
		if strings.Contains(unscheduled(p).Message, "Insufficient") {
			c.requested()
		}
	}
}

// requestedPods names the read of the pods of all nodes.
const requestedPods = "pods of all nodes"

// requested sums up what is asked of each node. Only the sums are kept: the pods may
// be tens of thousands.
func (c *collector) requested() {
	c.add(requestedPods, func(ctx context.Context) error {
		pods, err := c.reader.list(ctx, podsGVR, "", metav1.ListOptions{
			FieldSelector: "status.phase!=Succeeded,status.phase!=Failed", ResourceVersion: "0",
		})
		if err != nil {
			return err
		}
		sums := map[string]corev1.ResourceList{}
		for i := range pods.Items {
			var p corev1.Pod
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(pods.Items[i].Object, &p); err != nil {
				return err
			}
			addRequests(sums, &p)
		}
		c.store(func(s *Snapshot) { s.Requested = sums })
		return nil
	})
}

// behindCertificates reads the certificates that a pod's missing Secret should come
// from, and the issuers of the certificates.
func (c *collector) behindCertificates() {
	for i := range c.s.Events {
		e := &c.s.Events[i]
		if e.Reason != "FailedMount" || missingSecret(e.Message) == "" {
			continue
		}
		if gvr, _, err := c.reader.resource(schema.GroupKind{Group: groups["Certificate"], Kind: "Certificate"}); err == nil {
			list(c, gvr, e.InvolvedObject.Namespace, metav1.ListOptions{Limit: maxItems}, sliceOfObjects)
		}
	}
	for _, u := range c.s.Objects {
		if u.GetKind() == "Certificate" {
			c.object(issuerOf(u))
		}
	}
}

// object reads one object of any kind.
func (c *collector) object(ref report.Ref) {
	group := ref.Group
	if group == "" {
		group = groups[ref.Kind]
	}
	c.add(fmt.Sprintf("%s %s/%s", ref.Kind, ref.Namespace, ref.Name), func(ctx context.Context) error {
		gvr, namespaced, err := c.reader.resource(schema.GroupKind{Group: group, Kind: ref.Kind})
		if meta.IsNoMatchError(err) {
			c.store(func(s *Snapshot) { s.Missing = append(s.Missing, kindRef(group, ref.Kind)) })
			return nil
		}
		if err != nil {
			return err
		}
		namespace := ref.Namespace
		if !namespaced {
			namespace = ""
		}
		u, err := c.reader.get(ctx, gvr, namespace, ref.Name)
		switch {
		case apierrors.IsNotFound(err):
			c.store(func(s *Snapshot) { s.Missing = append(s.Missing, ref) })
			return nil
		case err != nil:
			return err
		}
		strip(u)
		c.store(func(s *Snapshot) {
			if s.object(ref) == nil {
				s.Objects = append(s.Objects, u)
			}
		})
		return nil
	})
}

// kindRef stands for a kind that the server does not have.
func kindRef(group, kind string) report.Ref {
	return report.Ref{Kind: "CustomResourceDefinition", Name: kind + "." + group}
}
