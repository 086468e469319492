package rollout

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// UninstallOptions say what goes beyond the installation itself.
type UninstallOptions struct {
	// DeleteCRDs removes the definitions, and with them every object of their kinds.
	DeleteCRDs bool
	// DeleteData removes Notebooks, Profiles and with them their namespaces and volumes.
	DeleteData bool
}

// ErrNothingInstalled tells that the cluster has no inventory.
var ErrNothingInstalled = errors.New("nothing is installed")

// Removal is an uninstallation that has been looked up and not begun.
type Removal struct {
	options UninstallOptions
	parent  *unstructured.Unstructured
	// steps in the order of deletion; what is in one step goes at once
	steps [len(stepNames)][]member
	kept  []Kept
	// others are components whose leftovers are not the installation's
	others map[string]bool
	// trusted are leftovers that are kept
	trusted map[key]bool
}

// Kept is an object that stays, and why.
type Kept struct {
	Ref       report.Ref `json:"object"`
	Why       string     `json:"why"`
	component string
}

// Steps go backwards: people's data while its controllers run, webhooks before the
// Deployments that answer them, definitions and namespaces last.
const (
	stepNotebooks = iota
	stepProfiles
	stepWebhooks
	stepCustom
	stepWorkloads
	stepRest
	stepDefinitions
	stepNamespaces
)

var stepNames = [...]string{"notebooks", "profiles", "webhook configurations", "custom resources", "workloads", "service accounts, RBAC, Services and configuration", "CustomResourceDefinitions", "namespaces"}

// Deleted lists what goes, in order.
func (r *Removal) Deleted() []report.Ref {
	var out []report.Ref
	for _, step := range r.steps {
		for _, m := range step {
			out = append(out, m.key.ref())
		}
	}
	if r.parent != nil {
		out = append(out, cluster.RefOf(r.parent))
	}
	return out
}

// Kept lists what stays and why.
func (r *Removal) Kept() []Kept { return r.kept }

// PlanUninstall finds out what an uninstallation deletes and what it keeps. It writes nothing.
func (e *Engine) PlanUninstall(ctx context.Context, release *components.Release, o UninstallOptions) (*Removal, error) {
	parent, err := readParent(ctx, e.cluster)
	if err != nil {
		return nil, err
	}
	// Without an inventory there may still be what an earlier uninstall kept.
	kinds := []schema.GroupKind{{Group: "apiextensions.k8s.io", Kind: crdKind}, {Group: "kubeflow.org", Kind: "Profile"}, {Kind: "Namespace"}}
	if parent != nil {
		kinds = groupKindsOf(parent)
	}
	all, err := e.members(ctx, kinds)
	if err != nil {
		return nil, err
	}
	if parent == nil && len(all) == 0 {
		return nil, fmt.Errorf("%w: no inventory (ConfigMap %s/%s) in the cluster", ErrNothingInstalled, InventoryNamespace, InventoryName)
	}
	r := &Removal{options: o, parent: parent, trusted: map[key]bool{}}
	ours := map[key]bool{}
	for _, m := range all {
		ours[m.key] = true
		switch step := stepOf(m.key); {
		case step == stepDefinitions && !o.DeleteCRDs:
			r.keep(m, "deleted only with --delete-crds")
		case (step == stepNotebooks || step == stepProfiles) && !o.DeleteData, m.key.kind == "PersistentVolumeClaim" && !o.DeleteData:
			r.keep(m, keptData)
		case step != stepNotebooks && step != stepProfiles:
			r.steps[step] = append(r.steps[step], m)
		}
	}
	if r.others, err = othersOf(release, parent, all); err != nil {
		return nil, err
	}
	accounts, err := e.accounts(ctx, release)
	if err != nil {
		return nil, err
	}
	if o.DeleteData {
		for kind, step := range map[string]int{"Notebook": stepNotebooks, "Profile": stepProfiles} {
			if r.steps[step], err = e.every(ctx, schema.GroupKind{Group: "kubeflow.org", Kind: kind}); err != nil {
				return nil, err
			}
		}
		r.steps[stepCustom] = append(r.steps[stepCustom], accounts...)
	} else {
		for _, m := range accounts {
			r.keep(m, accountKinds[m.key.kind]+" are deleted only with --delete-data")
		}
		if err := e.peoplesNamespaces(ctx, r, ours); err != nil {
			return nil, err
		}
		if err := e.keepTrusted(ctx, release, r, ours); err != nil {
			return nil, err
		}
	}
	if o.DeleteCRDs {
		if err := e.leftDefinitions(ctx, release, r, ours); err != nil {
			return nil, err
		}
		if err := e.refuseOrphans(ctx, r, ours); err != nil {
			return nil, err
		}
	}
	if parent == nil {
		// Nothing else of the installation is there, which would have to go before it shows what stays.
		if r.steps[stepNamespaces], err = e.deletableNamespaces(ctx, release, r, r.steps[stepNamespaces]); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *Removal) keep(m member, why string) {
	r.kept = append(r.kept, Kept{m.key.ref(), why, m.component})
}

func stepOf(k key) int {
	switch {
	case k.kind == "Notebook" && k.group == "kubeflow.org":
		return stepNotebooks
	case k.kind == "Profile" && k.group == "kubeflow.org":
		return stepProfiles
	case isWebhookConfiguration(k.kind):
		return stepWebhooks
	case k.kind == crdKind:
		return stepDefinitions
	case k.kind == "Namespace" && k.group == "":
		return stepNamespaces
	case isWorkload(k.kind):
		return stepWorkloads
	case strings.Contains(k.group, ".") && !strings.HasSuffix(k.group, ".k8s.io"):
		return stepCustom
	}
	return stepRest
}

// every lists all objects of a kind, whoever made them.
func (e *Engine) every(ctx context.Context, gk schema.GroupKind) ([]member, error) {
	r, err := e.cluster.Mapper.Preferred(gk)
	if err != nil {
		return nil, nil // the kind is not defined here
	}
	list, err := e.cluster.Metadata.Resource(r.GroupVersionResource).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", gk, err)
	}
	var out []member
	for i := range list.Items {
		m := &list.Items[i]
		out = append(out, member{key{gk.Group, gk.Kind, m.Namespace, m.Name}, m.Labels[components.ComponentLabel], r.GroupVersionResource, m})
	}
	return out, nil
}

const dexComponent = "dex"

// leftDefinitions adds the definitions that components made at run time.
func (e *Engine) leftDefinitions(ctx context.Context, release *components.Release, r *Removal, ours map[key]bool) error {
	all, err := e.every(ctx, schema.GroupKind{Group: "apiextensions.k8s.io", Kind: crdKind})
	if err != nil {
		return err
	}
	for _, m := range all {
		if by := leftBy(release, m.key); by != "" && !ours[m.key] {
			ours[m.key] = true
			m.component = by
			r.steps[stepDefinitions] = append(r.steps[stepDefinitions], m)
		}
	}
	return nil
}

// leftBy names the component of the release that makes such an object at run time,
// and is empty where none does.
func leftBy(release *components.Release, k key) string {
	for _, c := range release.Components {
		if slices.ContainsFunc(c.Leaves, func(l components.Leftover) bool { return l.Matches(k.kind, k.namespace, k.name) }) {
			return c.Name
		}
	}
	return ""
}

// refuseOrphans stops a --delete-crds that would take other people's objects along.
func (e *Engine) refuseOrphans(ctx context.Context, r *Removal, ours map[key]bool) error {
	if r.options.DeleteData {
		return nil
	}
	found := make([][]string, len(r.steps[stepDefinitions]))
	err := e.parallel(ctx, len(found), func(ctx context.Context, i int) error {
		plural, group, _ := strings.Cut(r.steps[stepDefinitions][i].key.name, ".")
		resource, err := e.cluster.Mapper.ByName(group, plural)
		if err != nil {
			return nil // not served: it has no objects that could be seen
		}
		list, err := e.every(ctx, schema.GroupKind{Group: group, Kind: resource.Kind})
		if err != nil {
			return err
		}
		for _, m := range list {
			if !(ours[m.key] && stepOf(m.key) != stepProfiles) && len(m.meta.OwnerReferences) == 0 && !runtimeState(m.key) {
				found[i] = append(found[i], m.key.ref().String())
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if all := slices.Concat(found...); len(all) > 0 {
		return fmt.Errorf("--delete-crds would delete %d objects that are not managed by kubectl jupyter (%s): delete or move them first, or use --delete-data as well",
			len(all), strings.Join(all[:min(len(all), 5)], ", "))
	}
	return nil
}

// runtimeState is what Dex keeps for itself: sessions and keys, no person's data.
func runtimeState(k key) bool {
	return k.group == "dex.coreos.com" && accountKinds[k.kind] == ""
}

// Uninstall deletes what the removal lists, step by step, and waits for each step.
func (e *Engine) Uninstall(ctx context.Context, release *components.Release, r *Removal) (*report.Report, error) {
	started := time.Now()
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	deleted := map[string]int{}
	for step, members := range r.steps {
		if step == stepNamespaces {
			if err := e.removeLeftovers(ctx, release, r); err != nil {
				return nil, e.stopped(ctx, err, stepNames[step])
			}
			kept, err := len(r.kept), error(nil)
			if members, err = e.deletableNamespaces(ctx, release, r, members); err != nil {
				return nil, e.stopped(ctx, err, stepNames[step])
			}
			for _, k := range r.kept[kept:] {
				e.events.emit(report.Event{Kind: report.EventObject, Component: k.component, Object: &k.Ref, Action: report.Kept, Message: k.Why})
			}
		}
		if step == stepProfiles && len(members) > 0 {
			if err := e.releaseProfiles(ctx, members); err != nil {
				return nil, e.stopped(ctx, err, stepNames[step])
			}
		}
		if err := e.deleteAll(ctx, members); err != nil {
			return nil, e.stopped(ctx, err, stepNames[step])
		}
		if step == stepProfiles {
			if err := e.awaitNamespaces(ctx, members); err != nil {
				return nil, e.stopped(ctx, err, stepNames[step])
			}
		}
		for _, m := range members {
			deleted[m.component]++
		}
	}
	err := e.cluster.Dynamic.Resource(configMaps).Namespace(InventoryNamespace).Delete(ctx, InventoryName, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, e.stopped(ctx, err, "inventory")
	}
	out := &report.Report{APIVersion: report.APIVersion, Kind: "Report", Release: release.Name, Target: e.cluster.Target, Elapsed: time.Since(started).Seconds()}
	for _, name := range slices.Sorted(maps.Keys(deleted)) {
		out.Components = append(out.Components, report.Component{
			Name: name, State: report.Removed, Objects: deleted[name],
			Changes: map[report.Action]int{report.Deleted: deleted[name]},
		})
	}
	return out, nil
}

func (e *Engine) stopped(ctx context.Context, err error, step string) error {
	if cause := context.Cause(ctx); errors.Is(cause, ErrTimeout) {
		err = fmt.Errorf("%w: %w", cause, err)
	} else if ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", ErrInterrupted, err)
	}
	return &Failure{Err: fmt.Errorf("%s: %w; run uninstall again to continue", step, err), Stood: "stopped while deleting " + step}
}

// deleteAll deletes the objects of one step and waits until they are gone.
func (e *Engine) deleteAll(ctx context.Context, members []member) error {
	return e.parallel(ctx, len(members), func(ctx context.Context, i int) error {
		m := members[i]
		ref := m.key.ref()
		policy := metav1.DeletePropagationBackground
		if stepOf(m.key) == stepWorkloads {
			policy = metav1.DeletePropagationForeground // until its pods are gone too
		}
		uid := m.meta.UID
		err := e.resource(m).Delete(ctx, m.key.name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}, PropagationPolicy: &policy})
		if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			return nil // gone, or another object by now
		}
		if err != nil {
			return refusal(ref, err)
		}
		// Nobody waits where nothing that is still to be deleted needs it gone.
		if !e.options.Wait && stepOf(m.key) >= stepWorkloads {
			e.events.emit(report.Event{Kind: report.EventObject, Component: m.component, Object: &ref, Action: report.Deleted})
			return nil
		}
		err = until(ctx, e.resource(m), m.key.name, "", func(u *unstructured.Unstructured) (bool, error) {
			if u != nil && u.GetUID() == uid {
				e.events.wait(m.component, ref, "is being deleted"+finalizing(u))
				return false, nil
			}
			return true, nil
		})
		if err != nil {
			return fmt.Errorf("%s: not deleted: %w", ref, err)
		}
		e.events.emit(report.Event{Kind: report.EventObject, Component: m.component, Object: &ref, Action: report.Deleted})
		return nil
	})
}

func finalizing(u *unstructured.Unstructured) string {
	if f := u.GetFinalizers(); len(f) > 0 && u.GetDeletionTimestamp() != nil {
		return "; waiting for " + strings.Join(f, ", ")
	}
	return ""
}

// awaitNamespaces waits for the namespaces that Profiles own.
func (e *Engine) awaitNamespaces(ctx context.Context, profiles []member) error {
	namespaces := e.cluster.Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"})
	return e.parallel(ctx, len(profiles), func(ctx context.Context, i int) error {
		p := profiles[i]
		return until(ctx, namespaces, p.key.name, "", func(u *unstructured.Unstructured) (bool, error) {
			if u == nil || !slices.ContainsFunc(u.GetOwnerReferences(), func(o metav1.OwnerReference) bool { return o.UID == p.meta.UID }) {
				return true, nil
			}
			e.events.wait(p.component, cluster.RefOf(u), "is being deleted with its Profile"+finalizing(u))
			return false, nil
		})
	})
}
