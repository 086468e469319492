// Package volumes tells of PersistentVolumeClaims whose they are, what uses them, since
// when nothing does, and how full they are.
package volumes

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
)

// User is what mounts a volume.
type User struct {
	// Kind is Notebook, Job or Pod.
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Active: a pod of it mounts the volume now, or is about to.
	Active bool `json:"active"`
}

// String is as in notebook/lab.
func (u User) String() string {
	s := strings.ToLower(u.Kind) + "/" + u.Name
	if !u.Active {
		s += " (" + u.State() + ")"
	}
	return s
}

// State of one that does not mount it now.
func (u User) State() string {
	switch {
	case u.Active:
		return "active"
	case u.Kind == "Notebook":
		return "stopped"
	}
	return "ended"
}

// Source says what it is known from since when a volume is not used.
type Source string

// The sources.
const (
	// FromClaim: the cluster records it in the claim's status (Kubernetes 1.36, alpha).
	FromClaim Source = "claim"
	// FromNotebook: since then a notebook that mounts it has been stopped.
	FromNotebook Source = "notebook"
	// FromPod: a pod that mounted it has ended, and is still there.
	FromPod Source = "pod"
	// FromCreation: no pod has ever asked for it, so that it has not been provisioned.
	FromCreation Source = "creation"
)

// Volume is one claim.
type Volume struct {
	Namespace, Name string
	// Owner of the namespace's Profile, empty where it is nobody's.
	Owner usage.Maybe[string]
	Class string
	Modes []corev1.PersistentVolumeAccessMode
	Phase corev1.PersistentVolumeClaimPhase
	// Size is what the volume has or, while there is none, what is requested.
	Size    resource.Quantity
	Created time.Time
	// Deleted: it has been, and goes when nothing uses it any more.
	Deleted bool
	// UsedBy is complete where Doubt is empty.
	UsedBy []User
	Doubt  string
	// Unused is since when nothing has used it; absent for one in use, too.
	Unused usage.Maybe[time.Time]
	Source Source
	// Used of Capacity bytes of the file system are taken.
	Used, Capacity usage.Maybe[int64]

	uid string
}

// Ref names it.
func (v *Volume) Ref() report.Ref {
	return report.Ref{Kind: "PersistentVolumeClaim", Namespace: v.Namespace, Name: v.Name}
}

// Active tells whether a pod uses it, or will as soon as it starts.
func (v *Volume) Active() bool {
	return slices.ContainsFunc(v.UsedBy, func(u User) bool { return u.Active })
}

// Percent of the file system that is taken.
func (v *Volume) Percent() usage.Maybe[float64] {
	used, ok := v.Used.Get()
	if !ok {
		return usage.Missing[float64](v.Used.Why())
	}
	capacity, ok := v.Capacity.Get()
	if !ok || capacity == 0 {
		return usage.Missing[float64](usage.Absence{Reason: "the size of its file system is not known"})
	}
	return usage.Known(100 * float64(used) / float64(capacity))
}

// UnusedFor is how long nothing has used it.
func (v *Volume) UnusedFor(now time.Time) usage.Maybe[time.Duration] {
	t, ok := v.Unused.Get()
	if !ok {
		return usage.Missing[time.Duration](v.Unused.Why())
	}
	return usage.Known(max(0, now.Sub(t)))
}

// Deletable says why a volume must not be deleted, nil where it may be. What is not known
// counts as use.
func (v *Volume) Deletable() error {
	switch {
	case v.Deleted:
		return fmt.Errorf("%s is being deleted already", v.Ref())
	case v.Doubt != "":
		return fmt.Errorf("%s: what uses it is not known: %s", v.Ref(), v.Doubt)
	}
	for _, u := range v.UsedBy {
		switch {
		case u.Active:
			return fmt.Errorf("%s is used by %s: stop that first", v.Ref(), u)
		case u.Kind == "Notebook":
			return fmt.Errorf("%s belongs to notebook %s, which is stopped and would not start without it: delete the notebook first, `kubectl jupyter notebook delete %s -n %s`", v.Ref(), u.Name, u.Name, v.Namespace)
		}
	}
	return nil
}

// List is what one look at volumes has found.
type List struct {
	Time    time.Time
	Volumes []Volume
	// Problems are what is missing and why, one sentence each.
	Problems []string
}

// Find returns the volumes with the names, in their order.
func (l *List) Find(namespace string, names []string) ([]*Volume, error) {
	var out []*Volume
	for _, name := range names {
		i := slices.IndexFunc(l.Volumes, func(v Volume) bool { return v.Name == name && v.Namespace == namespace })
		if i < 0 {
			v := Volume{Namespace: namespace, Name: name}
			return nil, fmt.Errorf("%s does not exist: `kubectl jupyter notebook volume list -n %s` lists the volumes", v.Ref(), namespace)
		}
		out = append(out, &l.Volumes[i])
	}
	return out, nil
}

// UnusedFor leaves the volumes that nothing has used for so long. Those that nothing uses,
// and of which nobody knows since when, are counted instead: they may be older.
func (l *List) UnusedFor(d time.Duration) (unknown int) {
	var kept []Volume
	for _, v := range l.Volumes {
		switch t, known := v.UnusedFor(l.Time).Get(); {
		case known && t >= d:
			kept = append(kept, v)
		case !known && !v.Active() && v.Doubt == "":
			unknown++
		}
	}
	l.Volumes = kept
	return unknown
}

// SortKeys are what lists can be sorted by.
func SortKeys() []string { return []string{"namespace", "name", "size", "used", "unused", "age"} }

// Sort by a key: the largest, the fullest, the longest unused and the oldest first.
func (l *List) Sort(key string) {
	number := func(m usage.Maybe[float64]) float64 {
		f, ok := m.Get()
		if !ok {
			return -1
		}
		return f
	}
	unused := func(v Volume) int64 {
		d, ok := v.UnusedFor(l.Time).Get()
		if !ok {
			return -1
		}
		return int64(d)
	}
	slices.SortStableFunc(l.Volumes, func(a, b Volume) int {
		var first int
		switch key {
		case "name":
			first = cmp.Compare(a.Name, b.Name)
		case "size":
			first = b.Size.Cmp(a.Size)
		case "used":
			first = cmp.Compare(number(b.Percent()), number(a.Percent()))
		case "unused":
			first = cmp.Compare(unused(b), unused(a))
		case "age":
			first = a.Created.Compare(b.Created)
		}
		return cmp.Or(first, cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
}
