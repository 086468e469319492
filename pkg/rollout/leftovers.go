package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// othersOf are the components of the release that somebody else has made, if they are there
// at all: those that the installation uses and has not made, and, where it is gone but for
// what an uninstall has kept, those that nothing was kept of.
func othersOf(release *components.Release, parent *unstructured.Unstructured, kept []member) (map[string]bool, error) {
	out := map[string]bool{}
	if parent == nil {
		for _, c := range release.Components {
			out[c.Name] = !slices.ContainsFunc(kept, func(m member) bool { return m.component == c.Name })
		}
		return out, nil
	}
	settings, err := settingsOf(parent)
	if err != nil {
		return nil, err
	}
	for _, name := range settings.UseExisting {
		out[name] = true
	}
	return out, nil
}

// removeLeftovers deletes what components made at run time outside of their own
// namespaces, such as the root certificate that istiod puts into every namespace.
func (e *Engine) removeLeftovers(ctx context.Context, release *components.Release, r *Removal) error {
	kinds := map[schema.GroupKind]bool{}
	for _, c := range release.Components {
		for _, l := range c.Leaves {
			if l.Kind != crdKind {
				kinds[schema.GroupKind{Group: l.Group, Kind: l.Kind}] = true
			}
		}
	}
	var left []member
	for gk := range kinds {
		all, err := e.every(ctx, gk)
		if err != nil {
			return err
		}
		for _, m := range all {
			if by := leftBy(release, m.key); by != "" && !r.others[by] && !r.trusted[m.key] {
				m.component = by
				left = append(left, m)
			}
		}
	}
	return e.deleteAll(ctx, left)
}

// deletableNamespaces leaves out those that hold something which is not the
// installation's: deleting the namespace would delete that too.
func (e *Engine) deletableNamespaces(ctx context.Context, release *components.Release, r *Removal, namespaces []member) ([]member, error) {
	going := map[string]bool{}
	for _, m := range slices.Concat(r.steps[:]...) {
		going[m.key.ref().String()] = true
	}
	var out []member
	for _, m := range namespaces {
		foreign, err := e.foreignIn(ctx, release, m.key.name, r.options.DeleteData)
		if err != nil {
			return nil, err
		}
		foreign = slices.DeleteFunc(foreign, func(name string) bool { return going[name] })
		if len(foreign) == 0 {
			out = append(out, m)
			continue
		}
		shown := strings.Join(foreign[:min(len(foreign), 5)], ", ")
		r.keep(m, fmt.Sprintf("it still contains %s not managed by kubectl jupyter: %s; if none of it is needed: kubectl delete namespace %s", report.Count(len(foreign), "object"), shown, m.key.name))
	}
	return out, nil
}

// peoplesNamespaces keeps those that Profiles have, and the Profiles that the installation
// has not made.
func (e *Engine) peoplesNamespaces(ctx context.Context, r *Removal, ours map[key]bool) error {
	profiles, err := e.every(ctx, schema.GroupKind{Group: "kubeflow.org", Kind: "Profile"})
	if err != nil || len(profiles) == 0 {
		return err
	}
	namespaces, err := e.every(ctx, schema.GroupKind{Kind: "Namespace"})
	if err != nil {
		return err
	}
	of := map[types.UID]bool{}
	for _, p := range profiles {
		of[p.meta.UID] = true
		if !ours[p.key] {
			r.keep(p, keptData)
		}
	}
	for _, m := range namespaces {
		if slices.ContainsFunc(m.meta.OwnerReferences, func(o metav1.OwnerReference) bool { return of[o.UID] }) {
			r.keep(m, keptData)
		}
	}
	return nil
}

// keptData is why what users have made stays.
const keptData = "user data is deleted only with --delete-data"

// derivedResources are made by the control plane from other objects, or say nothing
// about anybody's data: quotas and limits of a namespace are of no use without it.
var derivedResources = []string{"resourcequotas", "limitranges", "events", "endpoints", "endpointslices", "leases", "pods", "replicasets", "controllerrevisions", "podmetrics", "bindings", "ipaddresses"}

// foreignIn lists what a namespace holds beside the installation.
func (e *Engine) foreignIn(ctx context.Context, release *components.Release, namespace string, dataToo bool) ([]string, error) {
	resources := e.cluster.Mapper.Namespaced()
	var mu sync.Mutex
	var out []string
	err := e.parallel(ctx, len(resources), func(ctx context.Context, i int) error {
		r := resources[i]
		if slices.Contains(derivedResources, r.Resource) {
			return nil
		}
		list, err := e.cluster.Metadata.Resource(r.GroupVersionResource).Namespace(namespace).List(ctx, metav1.ListOptions{})
		// What cannot be listed (an aggregated API that is down) cannot hold data.
		if apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) || apierrors.IsServiceUnavailable(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s in namespace %s: %w", r.Resource, namespace, err)
		}
		for j := range list.Items {
			m := &list.Items[j]
			k := key{r.Group, r.Kind, namespace, m.Name}
			kept := m.Labels[applySetPartOfLabel] == setID && m.DeletionTimestamp == nil && keptKind(k.kind) && !dataToo
			switch {
			case len(m.OwnerReferences) > 0, everywhere(k, m.Annotations), e.ofThePlatform(ctx, r, m.Name), leftBy(release, k) != "", runtimeState(k):
			case m.Labels[applySetPartOfLabel] == setID && !kept:
			default:
				mu.Lock()
				out = append(out, k.ref().String())
				mu.Unlock()
			}
		}
		return nil
	})
	slices.Sort(out)
	return out, err
}

// everywhere is what the control plane puts into every namespace.
func everywhere(k key, annotations map[string]string) bool {
	return k.group == "" && (k.kind == "ServiceAccount" && k.name == "default" || k.kind == "ConfigMap" && k.name == "kube-root-ca.crt" ||
		// The token of a ServiceAccount, as older servers and OpenShift make them.
		k.kind == "Secret" && annotations["kubernetes.io/service-account.name"] != "")
}

// copied are the kinds of which platforms put one of the same name into every namespace:
// OpenShift's builder and deployer, bundles of certificates, credentials for a registry.
var copied = []string{"configmaps", "secrets", "serviceaccounts", "roles", "rolebindings", "networkpolicies"}

// quiet are namespaces that nobody works in, so that what is in both of them by one name is
// somebody's who puts it everywhere.
var quiet = []string{metav1.NamespaceDefault, metav1.NamespacePublic}

// ofThePlatform tells of an object that a platform puts one like it into every namespace. What
// cannot be told is not.
func (e *Engine) ofThePlatform(ctx context.Context, r cluster.Resource, name string) bool {
	if !slices.Contains(copied, r.Resource) {
		return false
	}
	for _, namespace := range quiet {
		if _, err := e.cluster.Metadata.Resource(r.GroupVersionResource).Namespace(namespace).Get(ctx, name, metav1.GetOptions{}); err != nil {
			return false
		}
	}
	return true
}
