package bundle

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/redact"
)

// listing is one list that goes into the bundle as a file.
type listing struct {
	gvr       schema.GroupVersionResource
	namespace string
	options   metav1.ListOptions
	// keep drops what is not the stack's; nil keeps everything.
	keep func(*unstructured.Unstructured) bool
	// learnOnly lists are read for what the others must not say.
	learnOnly bool

	items []unstructured.Unstructured
	cut   bool
}

// groups whose kinds are read in the namespaces of the stack, and kinds of theirs that
// tell nothing, or are read in another way.
var (
	groups = map[string]bool{
		"": true, "apps": true, "batch": true, "autoscaling": true, "policy": true, "networking.k8s.io": true,
		"discovery.k8s.io": true, "rbac.authorization.k8s.io": true, "cert-manager.io": true, "acme.cert-manager.io": true,
		"kubeflow.org": true, "metallb.io": true, "gateway.networking.k8s.io": true,
	}
	passedOver = map[string]bool{
		"endpoints": true, "bindings": true, "podtemplates": true, "controllerrevisions": true, "replicationcontrollers": true,
	}
)

func stackGroup(group string) bool { return groups[group] || strings.HasSuffix(group, ".istio.io") }

// clusterWide are the cluster-scoped kinds that are read; true where only the stack's
// own objects are wanted.
var clusterWide = []struct {
	group, plural string
	stackOnly     bool
}{
	{"admissionregistration.k8s.io", "mutatingwebhookconfigurations", false},
	{"admissionregistration.k8s.io", "validatingwebhookconfigurations", false},
	{"apiregistration.k8s.io", "apiservices", false},
	{"cert-manager.io", "clusterissuers", false},
	{"networking.k8s.io", "ingressclasses", false},
	{"storage.k8s.io", "storageclasses", false},
	{"rbac.authorization.k8s.io", "clusterroles", true},
	{"rbac.authorization.k8s.io", "clusterrolebindings", true},
}

// personal are the kinds that are read in user namespaces.
var personal = []struct{ group, plural string }{
	{"kubeflow.org", "notebooks"}, {"", "pods"}, {"", "persistentvolumeclaims"}, {"", "events"},
}

const (
	inventoryNamespace = "kube-system"
	inventoryName      = "kubectl-jupyter"
	profileSelector    = "app.kubernetes.io/part-of=kubeflow-profile"
)

// people finds the namespaces that Profiles have made, when they are wanted.
func (w *writer) people(ctx context.Context) []string {
	if !w.options.People {
		return nil
	}
	r, err := w.reader.byName("", "namespaces")
	if err != nil {
		w.unread("user namespaces", err)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	names, err := w.reader.names(ctx, r.GroupVersionResource, metav1.ListOptions{LabelSelector: profileSelector})
	if err != nil {
		w.unread("user namespaces", err)
		return nil
	}
	slices.Sort(names)
	if len(names) > maxPeople {
		w.unread(fmt.Sprintf("%d more user namespaces", len(names)-maxPeople), bound(maxPeople))
		names = names[:maxPeople]
	}
	w.manifest.People = names
	return names
}

// listings plans every list, in the order of the files.
func (w *writer) listings(people []string) []*listing {
	var all []*listing
	add := func(l *listing) {
		if l.options.Limit == 0 {
			l.options.Limit = maxItems
		}
		all = append(all, l)
	}
	for _, k := range clusterWide {
		r, err := w.reader.byName(k.group, k.plural)
		if err != nil {
			continue // the server does not have it, as definitions.txt shows
		}
		l := &listing{gvr: r.GroupVersionResource}
		if k.stackOnly {
			l.keep = func(u *unstructured.Unstructured) bool { return w.options.Stack(u.GetKind(), u.GetName()) }
			l.options.Limit = 4 * maxItems
		}
		add(l)
	}
	wanted := slices.Concat(w.options.Namespaces, people)
	if r, err := w.reader.byName("", "namespaces"); err == nil {
		add(&listing{
			gvr: r.GroupVersionResource, options: metav1.ListOptions{Limit: 4 * maxItems},
			keep: func(u *unstructured.Unstructured) bool { return slices.Contains(wanted, u.GetName()) },
		})
	}
	if r, err := w.reader.byName("", "configmaps"); err == nil {
		add(&listing{
			gvr: r.GroupVersionResource, namespace: inventoryNamespace,
			options: metav1.ListOptions{FieldSelector: "metadata.name=" + inventoryName},
		})
	}
	var resources []schema.GroupVersionResource
	for _, r := range w.reader.namespaced() {
		// Dex's store is not among the groups, nor are reviews, which cannot be listed.
		if stackGroup(r.Group) && !passedOver[r.Resource] {
			resources = append(resources, r.GroupVersionResource)
		}
	}
	slices.SortFunc(resources, func(a, b schema.GroupVersionResource) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Resource, b.Resource))
	})
	for _, ns := range w.options.Namespaces {
		for _, gvr := range resources {
			add(&listing{gvr: gvr, namespace: ns})
		}
	}
	for _, ns := range people {
		for _, k := range personal {
			if r, err := w.reader.byName(k.group, k.plural); err == nil {
				add(&listing{gvr: r.GroupVersionResource, namespace: ns})
			}
		}
		if r, err := w.reader.byName("", "secrets"); err == nil {
			add(&listing{gvr: r.GroupVersionResource, namespace: ns, learnOnly: true})
		}
	}
	if w.options.People {
		if r, err := w.reader.byName("kubeflow.org", "profiles"); err == nil {
			add(&listing{gvr: r.GroupVersionResource})
		}
	}
	return all
}

func (l *listing) String() string {
	what := l.gvr.GroupResource().String()
	if l.namespace != "" {
		what += " of namespace " + l.namespace
	}
	return what
}

func (w *writer) read(ctx context.Context, l *listing) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	list, err := w.reader.list(ctx, l.gvr, l.namespace, l.options)
	if err != nil {
		w.unread(l.String(), err)
		if l.gvr.Resource == "secrets" {
			w.mu.Lock()
			w.manifest.SecretsUnread = append(w.manifest.SecretsUnread, l.namespace)
			w.mu.Unlock()
		}
		return
	}
	l.items = list.Items
	if l.keep != nil {
		l.items = slices.DeleteFunc(l.items, func(u unstructured.Unstructured) bool { return !l.keep(&u) })
	}
	l.cut = list.GetContinue() != ""
	slices.SortFunc(l.items, func(a, b unstructured.Unstructured) int { return cmp.Compare(a.GetName(), b.GetName()) })
}

// learn takes up what the objects tell to be credentials.
func (w *writer) learn(listings []*listing) {
	for _, ns := range w.options.Namespaces {
		w.known.Name(ns)
	}
	for _, l := range listings {
		for i := range l.items {
			if l.gvr.Resource != "events" {
				w.known.LearnFrom(&l.items[i])
			}
		}
	}
	w.known.Seal()
}

// objects writes a list, without what must not be in it.
func (w *writer) objects(l *listing) error {
	if len(l.items) == 0 || l.learnOnly {
		return nil
	}
	folder := "cluster"
	if l.namespace != "" {
		folder = l.namespace
	}
	if l.gvr.Resource == "events" {
		return w.text("events/"+folder+".txt", w.events(l.items), len(l.items), l.cut)
	}
	var b strings.Builder
	for i := range l.items {
		redact.Object(&l.items[i], w.known, w.manifest.Redacted)
		data, err := yaml.Marshal(l.items[i].Object)
		if err != nil {
			return fmt.Errorf("%s %s: %w", l, l.items[i].GetName(), err)
		}
		if i > 0 {
			b.WriteString("---\n")
		}
		b.Write(data)
	}
	return w.text("objects/"+folder+"/"+l.gvr.GroupResource().String()+".yaml", b.String(), len(l.items), l.cut)
}
