package volumes

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage/holders"
)

// Options of a look.
type Options struct {
	// Fullness asks the nodes how full the volumes are: one request for each node that has
	// one of them.
	Fullness bool
	// Fresh reads what is stored now, and not what the server remembers.
	Fresh bool
}

// found is what a look knows before it is put together.
type found struct {
	now    time.Time
	claims []corev1.PersistentVolumeClaim
	pods   []corev1.Pod
	jobs   []batchv1.Job
	// notebooks by the claims that they mount need no pods.
	notebooks []unstructured.Unstructured
	owners    holders.Owners
	// unread is why something of what may use volumes could not be read.
	unread []error
	stats  stats
}

// Read looks at the volumes of a namespace, or of all when it is empty. Without the claims
// there is nothing to show, and that is its error; all else that cannot be read leaves a
// gap with a reason.
func Read(ctx context.Context, c *cluster.Cluster, namespace string, o Options) (*List, error) {
	f := found{stats: stats{asked: o.Fullness}}
	together, asking := errgroup.WithContext(ctx)
	at := "/api/v1" + usage.Below(namespace)
	params, version := url.Values{}, ""
	if !o.Fresh {
		version = "0"
		params.Set("resourceVersion", version)
	}
	together.Go(func() error {
		err := usage.List(asking, c.REST(), at+"/persistentvolumeclaims", params, []string{"metadata", "spec", "status"},
			func(p *corev1.PersistentVolumeClaim) { f.claims = append(f.claims, *p) })
		if err != nil {
			where := "in all namespaces"
			if namespace != "" {
				where = "in namespace " + namespace
			}
			return fmt.Errorf("PersistentVolumeClaims cannot be listed %s: %w", where, err)
		}
		return nil
	})
	unread := make([]error, 3)
	together.Go(func() error {
		unread[0] = named("pods", usage.List(asking, c.REST(), at+"/pods", params, []string{
			"metadata.name", "metadata.namespace", "metadata.labels", "metadata.ownerReferences", "metadata.creationTimestamp",
			"spec.nodeName", "spec.volumes", "status.phase", "status.containerStatuses.state",
		}, func(p *corev1.Pod) { f.pods = append(f.pods, *p) }))
		return nil
	})
	together.Go(func() error {
		unread[1] = named("jobs", usage.List(asking, c.REST(), "/apis/batch/v1"+usage.Below(namespace)+"/jobs", params, []string{
			"metadata.name", "metadata.namespace", "spec.template.spec.volumes", "status.conditions", "status.completionTime",
		}, func(j *batchv1.Job) { f.jobs = append(f.jobs, *j) }))
		return nil
	})
	together.Go(func() error {
		list, err := c.Dynamic.Resource(notebooks.Resource).Namespace(namespace).List(asking, metav1.ListOptions{ResourceVersion: version})
		switch {
		case apierrors.IsNotFound(err): // a cluster without Notebooks has none
		case err != nil:
			unread[2] = named("notebooks", err)
		default:
			f.notebooks = list.Items
		}
		return nil
	})
	together.Go(func() error {
		if namespace == "" {
			f.owners = holders.ReadOwners(asking, c, namespace)
		} else {
			f.owners = holders.ReadOwner(asking, c, namespace)
		}
		return nil
	})
	if err := together.Wait(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, err := range unread {
		if err != nil {
			f.unread = append(f.unread, err)
		}
	}
	f.now = time.Now()
	if o.Fullness {
		f.stats.read(ctx, c, nodesOf(f.pods))
	}
	return f.list(), ctx.Err()
}

func named(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s", usage.AbsenceOf(what, err).Reason)
}

// list puts together what was found.
func (f *found) list() *List {
	out := &List{Time: f.now}
	users := f.users()
	for i := range f.claims {
		v := volumeOf(&f.claims[i])
		v.Owner = f.owners.Of(v.Namespace)
		mounts := users[v.Namespace+"/"+v.Name]
		v.UsedBy = mounts.list()
		if len(f.unread) > 0 {
			v.Doubt = f.unread[0].Error()
		}
		v.Unused, v.Source = unused(&f.claims[i], v, mounts)
		v.Used, v.Capacity = f.stats.of(v.Namespace, v.Name, mounts != nil && len(mounts.nodes) > 0)
		out.Volumes = append(out.Volumes, *v)
	}
	out.Sort("namespace")
	for _, err := range f.unread {
		out.Problems = append(out.Problems, "what uses the volumes is not known completely: "+err.Error())
	}
	out.Problems = append(out.Problems, f.stats.problems()...)
	return out
}

func volumeOf(p *corev1.PersistentVolumeClaim) *Volume {
	v := &Volume{
		Namespace: p.Namespace, Name: p.Name, Modes: p.Spec.AccessModes, Phase: p.Status.Phase, Created: p.CreationTimestamp.Time,
		Deleted: p.DeletionTimestamp != nil, Size: p.Spec.Resources.Requests[corev1.ResourceStorage], uid: string(p.UID),
	}
	if p.Spec.StorageClassName != nil {
		v.Class = *p.Spec.StorageClassName
	}
	if q, ok := p.Status.Capacity[corev1.ResourceStorage]; ok {
		v.Size = q
	}
	return v
}

// mounts are what is known of one volume's use.
type mounts struct {
	users map[User]bool
	// nodes on which a pod mounts it now.
	nodes map[string]bool
	// last signs of use that is over, by where they come from.
	last map[Source]time.Time
}

func (m *mounts) list() []User {
	if m == nil {
		return nil
	}
	var out []User
	for u := range m.users {
		// Of what was active at one place, and is not at another, only the former counts.
		if u.Active || !m.users[User{u.Kind, u.Name, true}] {
			out = append(out, u)
		}
	}
	slices.SortFunc(out, func(a, b User) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
	return out
}

// users are the mounts of each volume, by NAMESPACE/NAME.
func (f *found) users() mountsByClaim {
	out := mountsByClaim{}
	for i := range f.pods {
		p := &f.pods[i]
		over := p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
		user := User{Kind: "Pod", Name: p.Name, Active: !over}
		if n := holders.NotebookOf(p); n != "" && p.Labels[notebooks.Label] != "" {
			user.Kind, user.Name = "Notebook", n
		} else if owner := metav1.GetControllerOf(p); owner != nil && owner.Kind == "Job" {
			user.Kind, user.Name = "Job", owner.Name
		}
		for _, claim := range diagnose.ClaimsOf(p) {
			m := out.of(p.Namespace, claim)
			m.users[user] = true
			if over {
				m.sign(FromPod, ended(p))
			} else if p.Spec.NodeName != "" {
				m.nodes[p.Spec.NodeName] = true
			}
		}
	}
	for i := range f.jobs {
		j := &f.jobs[i]
		done := slices.ContainsFunc(j.Status.Conditions, func(c batchv1.JobCondition) bool {
			return (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue
		})
		for _, claim := range diagnose.ClaimsOf(&corev1.Pod{Spec: j.Spec.Template.Spec}) {
			m := out.of(j.Namespace, claim)
			m.users[User{"Job", j.Name, !done}] = true
			if done {
				for _, c := range j.Status.Conditions {
					m.sign(FromPod, c.LastTransitionTime.Time)
				}
			}
		}
	}
	for i := range f.notebooks {
		n, err := notebooks.Parse(&f.notebooks[i])
		if err != nil {
			f.unread = append(f.unread, err)
			continue
		}
		for _, claim := range n.Claims() {
			m := out.of(n.Namespace, claim)
			m.users[User{"Notebook", n.Name, n.Stopped.IsZero()}] = true
			if !n.Stopped.IsZero() {
				m.sign(FromNotebook, n.Stopped)
			}
		}
	}
	return out
}

type mountsByClaim map[string]*mounts

func (all mountsByClaim) of(namespace, claim string) *mounts {
	key := namespace + "/" + claim
	if all[key] == nil {
		all[key] = &mounts{users: map[User]bool{}, nodes: map[string]bool{}, last: map[Source]time.Time{}}
	}
	return all[key]
}

func (m *mounts) sign(from Source, at time.Time) {
	if at.After(m.last[from]) {
		m.last[from] = at
	}
}

// ended is when the last container of a pod has.
func ended(p *corev1.Pod) time.Time {
	at := p.CreationTimestamp.Time
	for _, c := range p.Status.ContainerStatuses {
		if t := c.State.Terminated; t != nil && t.FinishedAt.After(at) {
			at = t.FinishedAt.Time
		}
	}
	return at
}

// unused says since when nothing uses a volume, and where that is known from: the last of
// all signs, for none of them excludes another.
func unused(p *corev1.PersistentVolumeClaim, v *Volume, m *mounts) (usage.Maybe[time.Time], Source) {
	absent := func(why string) (usage.Maybe[time.Time], Source) {
		return usage.Missing[time.Time](usage.Absence{Reason: why}), ""
	}
	switch {
	case v.Active():
		return absent("it is in use")
	case v.Doubt != "":
		return absent(v.Doubt)
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PersistentVolumeClaimUnused && c.Status == corev1.ConditionTrue && !c.LastTransitionTime.IsZero() {
			return usage.Known(c.LastTransitionTime.Time), FromClaim
		}
	}
	var last time.Time
	var from Source
	if m != nil {
		for _, s := range []Source{FromNotebook, FromPod} {
			if m.last[s].After(last) {
				last, from = m.last[s], s
			}
		}
	}
	switch {
	case from != "":
		return usage.Known(last), from
	case p.Status.Phase == corev1.ClaimPending && p.Spec.VolumeName == "":
		return usage.Known(v.Created), FromCreation
	}
	return absent("nothing mounts it, and nothing that did is left to say until when")
}

// nodesOf are those whose pods mount a claim.
func nodesOf(pods []corev1.Pod) []string {
	var out []string
	for i := range pods {
		p := &pods[i]
		if p.Spec.NodeName != "" && p.Status.Phase == corev1.PodRunning && len(diagnose.ClaimsOf(p)) > 0 {
			out = append(out, p.Spec.NodeName)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Modes are access modes as kubectl abbreviates them.
func (v *Volume) ModesText() string {
	short := map[corev1.PersistentVolumeAccessMode]string{
		corev1.ReadWriteOnce: "RWO", corev1.ReadOnlyMany: "ROX", corev1.ReadWriteMany: "RWX", corev1.ReadWriteOncePod: "RWOP",
	}
	var out []string
	for _, m := range v.Modes {
		out = append(out, cmp.Or(short[m], string(m)))
	}
	return strings.Join(out, ",")
}
