package status

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/login"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

const (
	// inFlight requests at a time: beyond two dozen a server of a few cores answers no faster.
	inFlight = 24
	// maxItems of one list. The stack has a dozen objects of a kind; more are somebody else's.
	maxItems = 500
	// maxPages of a list of what people have: two thousand of each.
	maxPages = 4
	// maxNodes are enough for an address; how all of them are is another command's matter.
	maxNodes = 8
	// maxGets are the objects that are asked for one by one because no list had them.
	maxGets = 80
)

// scope is where objects of a kind are looked for.
type scope int

const (
	// ours: everywhere, by the inventory's label; in an installation that somebody else
	// made, in the namespaces of the stack.
	ours scope = iota
	// atProvider: in the namespace of the one who decides who may come in.
	atProvider
	// atGateway: in the namespace of the gateway's pods, whoever has made them.
	atGateway
	// all: everywhere, as many as maxPages have.
	all
)

// kindRead is how a kind is read. Of one marked meta, who wrote which field is all that
// matters, or may be read: Secrets.
type kindRead struct {
	group, kind string
	scope       scope
	meta        bool
}

// kinds are what is read of a cluster.
var kinds = []kindRead{
	{"", "Namespace", ours, false},
	{"", "Service", ours, false},
	{"", "ConfigMap", ours, true},
	{"", "Secret", ours, true},
	{"", "ServiceAccount", ours, true},
	{"apps", "Deployment", ours, false},
	{"apps", "DaemonSet", ours, false},
	{"autoscaling", "HorizontalPodAutoscaler", ours, true},
	{"discovery.k8s.io", "EndpointSlice", atProvider, false},
	{"storage.k8s.io", "StorageClass", all, false},
	{"", "Node", all, false},
	{"rbac.authorization.k8s.io", "Role", ours, true},
	{"rbac.authorization.k8s.io", "RoleBinding", ours, true},
	{"rbac.authorization.k8s.io", "ClusterRole", ours, true},
	{"rbac.authorization.k8s.io", "ClusterRoleBinding", ours, true},
	{"admissionregistration.k8s.io", "MutatingWebhookConfiguration", ours, false},
	{"admissionregistration.k8s.io", "ValidatingWebhookConfiguration", ours, false},
	{"cert-manager.io", "Certificate", ours, false},
	{"cert-manager.io", "Issuer", ours, false},
	{"cert-manager.io", "ClusterIssuer", ours, false},
	{"networking.istio.io", "Gateway", ours, false},
	{"networking.istio.io", "VirtualService", ours, false},
	{"networking.istio.io", "DestinationRule", ours, false},
	{"networking.istio.io", "EnvoyFilter", atGateway, false},
	{"security.istio.io", "AuthorizationPolicy", ours, false},
	{"security.istio.io", "RequestAuthentication", ours, false},
	{"kubeflow.org", "Profile", all, false},
	{"kubeflow.org", "Notebook", all, false},
	{"kubeflow.org", "PodDefault", all, false},
}

// kindsOfSome are of releases that have them: they are listed where the inventory names
// them, and cost no request elsewhere.
var kindsOfSome = []schema.GroupKind{
	{Group: "networking.k8s.io", Kind: "NetworkPolicy"},
	{Group: "networking.istio.io", Kind: "Sidecar"},
}

// meshConfig is where istiod reads the mesh's settings.
var meshConfig = report.Ref{Kind: "ConfigMap", Namespace: "istio-system", Name: "istio"}

// Collect reads what the checks need. The number of requests depends on the catalogue
// and on what is missing, not on how large the cluster is or how much others have in it.
//
// It fails where the server does not answer at all. What may not be read, and what
// fails alone, is in the snapshot's Reads.
func Collect(ctx context.Context, c *cluster.Cluster, source components.Source) (*Snapshot, error) {
	k := &collector{Reads: cluster.Reads{InFlight: inFlight}, c: c, s: &Snapshot{
		Time: metav1.Now(), Target: c.Target, Server: c.Version, Release: source.Release(),
	}, whole: map[report.Ref]bool{}}
	var err error
	if k.core, err = protobufClient(c); err != nil {
		return nil, err
	}
	inventory, err := rollout.ReadInventory(ctx, c)
	switch {
	case apierrors.IsForbidden(err):
		k.add(Read{Kind: "ConfigMap", Namespace: rollout.InventoryNamespace, Name: rollout.InventoryName}, err)
	case err != nil:
		return nil, err
	}
	if k.s.Inventory = inventory; inventory != nil {
		// A release that this version does not have is looked at as the nearest thing to it.
		if installed, err := inventory.Settings.Source(); err == nil {
			source = installed
		}
	} else if source, err = rollout.SourceThere(ctx, c); err != nil {
		return nil, err
	}
	k.s.Release = source.Release()

	k.lists()
	g, first := errgroup.WithContext(ctx)
	g.Go(func() error { return k.s.expect(first, source, c) })
	g.Go(func() error { return k.Run(first) })
	g.Go(func() error { k.prove(first); return nil })
	if err := g.Wait(); err != nil {
		return nil, err
	}
	k.s.sort()
	k.s.settle()
	k.missing()
	k.lateLogin()
	if err := k.Run(ctx); err != nil {
		return nil, err
	}
	k.s.sort()
	k.s.notChecked()
	k.s.WayIn = k.s.wayIn()
	return k.s, nil
}

type collector struct {
	cluster.Reads
	c     *cluster.Cluster
	s     *Snapshot
	core  rest.Interface
	whole map[report.Ref]bool
}

// lists plans the reads that depend on nothing.
func (k *collector) lists() {
	namespaces := k.namespaces()
	labels, read := "", kinds
	if k.s.Inventory != nil {
		labels = rollout.MemberSelector()
		for _, of := range kindsOfSome {
			if slices.Contains(k.s.Inventory.Kinds, of) {
				read = append(slices.Clip(read), kindRead{of.Group, of.Kind, ours, false})
			}
		}
	}
	for _, kind := range read {
		r := Read{Group: kind.group, Kind: kind.kind}
		resource, err := k.c.Mapper.Preferred(schema.GroupKind{Group: kind.group, Kind: kind.kind})
		if meta.IsNoMatchError(err) {
			r.NoKind = true
			k.s.Reads = append(k.s.Reads, r)
			continue
		}
		in := []string{""}
		if kind.scope == ours {
			r.Labels = labels
		}
		switch {
		case kind.scope == atProvider:
			in = []string{providerNamespace}
		case kind.scope == atGateway:
			in = []string{login.GatewayRef.Namespace}
		case resource.Namespaced && kind.scope == ours && labels == "":
			in = namespaces
		}
		for _, r.Namespace = range in {
			k.list(r, resource.GroupVersionResource, kind.meta)
		}
	}
	for _, ns := range namespaces {
		k.podsIn(ns)
	}
	k.meshPods()
	k.claims()
	k.networkPolicies()
	k.get(meshConfig, false)
	k.get(login.MeshRootRef, false)
	k.passwords()
	k.login()
}

// namespaces of the stack; where it is known what was installed, of that. kube-system
// holds a few roles of cert-manager and everything of the cluster: it is not listed.
func (k *collector) namespaces() []string {
	var used map[string]bool
	if inv := k.s.Inventory; inv != nil && len(inv.Applied) > 0 && len(inv.Settings.UseExisting) == 0 {
		used = map[string]bool{}
		for _, ref := range inv.Applied {
			used[ref.Namespace] = true
		}
	}
	var out []string
	for _, c := range k.s.Release.Components {
		for _, ns := range c.Namespaces {
			if ns != "kube-system" && !slices.Contains(out, ns) && (used == nil || used[ns]) {
				out = append(out, ns)
			}
		}
	}
	return out
}

func (k *collector) list(r Read, gvr schema.GroupVersionResource, metaOnly bool) {
	o := metav1.ListOptions{LabelSelector: r.Labels, Limit: maxItems}
	if r.Kind == "Node" {
		o.Limit = maxNodes
	}
	k.Plan(func(ctx context.Context) error {
		if !metaOnly {
			var objects []*unstructured.Unstructured
			cut, err := paged(ctx, o, k.c.Dynamic.Resource(gvr).Namespace(r.Namespace).List, func(l *unstructured.UnstructuredList) {
				objects = append(objects, pointers(l.Items)...)
			})
			r.Cut = cut && r.Kind != "Node"
			return k.add(r, err, objects...)
		}
		objects, cut, err := k.metadataOf(ctx, gvr.GroupVersion().WithKind(r.Kind), k.c.Metadata.Resource(gvr).Namespace(r.Namespace).List, o)
		r.Cut = cut
		return k.add(r, err, objects...)
	})
}

// get plans the read of one object.
func (k *collector) get(ref report.Ref, metaOnly bool) {
	r := Read{Group: ref.Group, Kind: ref.Kind, Namespace: ref.Namespace, Name: ref.Name}
	resource, err := k.c.Mapper.Preferred(schema.GroupKind{Group: ref.Group, Kind: ref.Kind})
	if err != nil {
		r.NoKind = true
		k.s.Reads = append(k.s.Reads, r)
		return
	}
	gvr := resource.GroupVersionResource
	k.Plan(func(ctx context.Context) error {
		var u *unstructured.Unstructured
		var err error
		if metaOnly {
			var m *metav1.PartialObjectMetadata
			if m, err = k.c.Metadata.Resource(gvr).Namespace(ref.Namespace).Get(ctx, ref.Name, metav1.GetOptions{}); err == nil {
				u, err = bare(m, schema.GroupVersionKind{Group: ref.Group, Version: gvr.Version, Kind: ref.Kind})
			}
		} else {
			u, err = k.c.Dynamic.Resource(gvr).Namespace(ref.Namespace).Get(ctx, ref.Name, metav1.GetOptions{})
		}
		switch {
		case apierrors.IsNotFound(err):
			return k.add(r, nil)
		case err != nil:
			return k.add(r, err)
		}
		return k.add(r, nil, u)
	})
}

// missing plans to ask by name for what is expected and was in no list (its label may
// be gone, or the component is somebody else's), and for the whole of what somebody
// has changed.
func (k *collector) missing() {
	n := 0
	get := func(ref report.Ref, metaOnly bool) {
		if n++; n <= maxGets {
			k.get(ref, metaOnly)
		}
	}
	ask := func(ref report.Ref, metaOnly bool) {
		if k.s.Presence(ref) != Present && !k.s.answered(ref) {
			get(ref, metaOnly)
		}
	}
	for _, r := range k.s.Expected {
		for _, u := range r.Objects {
			ref := cluster.RefOf(u)
			switch {
			case ref.Kind == definition:
				if slices.Contains(k.s.Unserved, ref.Name) {
					get(ref, true)
				}
			case onlyMeta(ref.Kind) && k.s.suspicious(r, u):
				get(ref, false)
			default:
				ask(ref, onlyMeta(ref.Kind))
			}
		}
		for _, p := range r.Component.Produces {
			ask(producedRef(p), true)
		}
	}
}

// onlyMeta tells of which kinds the content is not read.
func onlyMeta(kind string) bool {
	for _, k := range kinds {
		if k.kind == kind {
			return k.meta
		}
	}
	return false
}

// add keeps what a read has found, or why it has not.
func (k *collector) add(r Read, err error, objects ...*unstructured.Unstructured) error {
	if err != nil {
		r.Forbidden, r.Error = apierrors.IsForbidden(err), err.Error()
	}
	k.Keep(func() {
		k.s.Reads = append(k.s.Reads, r)
		for _, u := range objects {
			k.keep(u)
		}
	})
	return nil
}

// keep an object, unless as much or more is known of it.
func (k *collector) keep(u *unstructured.Unstructured) {
	ref := cluster.RefOf(u)
	whole := len(u.Object) > 3 // more than apiVersion, kind and metadata
	if was, known := k.whole[ref]; known {
		if was || !whole {
			return
		}
		k.s.Objects = slices.DeleteFunc(k.s.Objects, func(o *unstructured.Unstructured) bool { return cluster.RefOf(o) == ref })
	}
	k.whole[ref] = whole
	k.s.Objects = append(k.s.Objects, u)
}

// sort makes a snapshot of parallel reads independent of which came first.
func (s *Snapshot) sort() {
	slices.SortFunc(s.Objects, func(a, b *unstructured.Unstructured) int { return compareRefs(cluster.RefOf(a), cluster.RefOf(b)) })
	slices.SortFunc(s.Reads, func(a, b Read) int { return strings.Compare(a.String(), b.String()) })
	for _, pods := range [][]corev1.Pod{s.StackPods, s.MeshPods} {
		slices.SortFunc(pods, func(a, b corev1.Pod) int {
			return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
		})
	}
	slices.Sort(s.Passwords)
	s.index, s.pods = nil, nil
}

func compareRefs(a, b report.Ref) int { return strings.Compare(a.String(), b.String()) }
