// Package users manages people: who may sign in, and which namespace is theirs. A person
// is a Profile, whose controller makes the namespace, and a password at Dex.
package users

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
)

// FieldManager owns the fields that this package writes.
const FieldManager = "kubectl-jupyter"

var (
	profileKind  = schema.GroupKind{Group: "kubeflow.org", Kind: "Profile"}
	notebookKind = schema.GroupKind{Group: "kubeflow.org", Kind: "Notebook"}
	passwordKind = schema.GroupKind{Group: "dex.coreos.com", Kind: "Password"}

	namespaces = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
)

// User is a person as the cluster knows them.
type User struct {
	Email string `json:"email"`
	// Profile is the name of the person's Profile and of their namespace, empty for
	// somebody who can sign in and has nowhere to go.
	Profile string `json:"profile,omitempty"`
	// Password tells whether Dex knows one, so that the person can sign in.
	Password bool `json:"password"`
	// First is the person whom the installation itself names.
	First bool `json:"firstUser,omitempty"`
	// Notebooks counts those in the namespace, running or not.
	Notebooks int `json:"notebooks"`
	// Quota of the namespace, by resource; none where nothing is bounded.
	Quota map[string]string `json:"quota,omitempty"`
	// Isolated tells that the namespace has the policy that closes it.
	Isolated bool `json:"isolated"`
	// Contributors are those whom the namespace is shared with, by e-mail address.
	Contributors []Contributor `json:"contributors,omitempty"`
	// Deleting tells that the Profile is on its way out.
	Deleting bool `json:"deleting,omitempty"`
	// Since is when the Profile was made.
	Since *time.Time `json:"since,omitempty"`
}

// First is the person whom the installation names, whose password is not a Password
// object: Dex reads it from a Secret when it starts.
type First struct {
	// Email, empty where nothing is installed.
	Email string
	// Locked: the password has been taken away.
	Locked bool
}

// Is tells whether the address is the first user's, as Dex compares addresses.
func (f First) Is(email string) bool { return f.Email != "" && strings.EqualFold(f.Email, email) }

// Users of one cluster.
type Users struct {
	Cluster *cluster.Cluster
	First   First
}

// List returns everybody who has a Profile or a password, by e-mail address. Whom namespaces
// are shared with is another matter: see WithContributors.
func (u *Users) List(ctx context.Context) ([]User, error) {
	var profiles, passwords []unstructured.Unstructured
	var closed map[string]bool
	notebooks := map[string]int{}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) { profiles, err = u.all(ctx, profileKind); return err })
	group.Go(func() (err error) { passwords, err = u.all(ctx, passwordKind); return err })
	group.Go(func() (err error) { closed, err = u.isolated(ctx); return err })
	group.Go(func() error {
		r, err := u.Cluster.Mapper.Preferred(notebookKind)
		if err != nil {
			return nil // without the kind nobody has any
		}
		list, err := u.Cluster.Metadata.Resource(r.GroupVersionResource).List(ctx, metav1.ListOptions{})
		if err != nil {
			return fmt.Errorf("notebooks: %w", err)
		}
		for i := range list.Items {
			notebooks[list.Items[i].Namespace]++
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	all := u.join(profiles, passwords, notebooks)
	for i := range all {
		all[i].Isolated = closed[all[i].Profile]
	}
	return all, nil
}

// join puts together what belongs to one address. Dex compares addresses in lower case.
func (u *Users) join(profiles, passwords []unstructured.Unstructured, notebooks map[string]int) []User {
	known := map[string]bool{}
	if u.First.Email != "" && !u.First.Locked {
		known[strings.ToLower(u.First.Email)] = true
	}
	for _, p := range passwords {
		email, _, _ := unstructured.NestedString(p.Object, "email")
		// The first user's own entry hides an object with the same address.
		if email = strings.ToLower(email); email != "" && !u.First.Is(email) {
			known[email] = true
		}
	}
	var out []User
	home := map[string]bool{}
	for _, p := range profiles {
		email := owner(&p)
		home[strings.ToLower(email)] = true
		since := p.GetCreationTimestamp().Time
		out = append(out, User{
			Email: email, Profile: p.GetName(), Password: known[strings.ToLower(email)], First: u.First.Is(email),
			Notebooks: notebooks[p.GetName()], Quota: quotaOf(&p), Since: &since, Deleting: p.GetDeletionTimestamp() != nil,
		})
	}
	for email := range known {
		if !home[email] {
			out = append(out, User{Email: email, Password: true, First: u.First.Is(email)})
		}
	}
	slices.SortFunc(out, func(a, b User) int {
		return cmp.Or(cmp.Compare(a.Email, b.Email), cmp.Compare(a.Profile, b.Profile))
	})
	return out
}

// Find returns the person with that address, nil where there is none. Somebody with
// several Profiles is returned with the first by name.
func (u *Users) Find(ctx context.Context, email string) (*User, error) {
	all, err := u.List(ctx)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if strings.EqualFold(all[i].Email, email) {
			return &all[i], nil
		}
	}
	return nil, nil
}

func owner(profile *unstructured.Unstructured) string {
	name, _, _ := unstructured.NestedString(profile.Object, "spec", "owner", "name")
	return name
}

func quotaOf(profile *unstructured.Unstructured) map[string]string {
	hard, _, _ := unstructured.NestedMap(profile.Object, "spec", "resourceQuotaSpec", "hard")
	out := map[string]string{}
	for name, v := range hard {
		out[name] = fmt.Sprint(v)
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// all lists every object of a kind; none where the server does not have the kind.
func (u *Users) all(ctx context.Context, gk schema.GroupKind) ([]unstructured.Unstructured, error) {
	r, err := u.Cluster.Mapper.Preferred(gk)
	if meta.IsNoMatchError(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	client := u.Cluster.Dynamic.Resource(r.GroupVersionResource)
	var list *unstructured.UnstructuredList
	if gk == passwordKind {
		list, err = client.Namespace(dexNamespace).List(ctx, metav1.ListOptions{})
	} else {
		list, err = client.List(ctx, metav1.ListOptions{})
	}
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Resource, err)
	}
	return list.Items, nil
}

// Namespaces are the names of all namespaces.
func (u *Users) Namespaces(ctx context.Context) (map[string]bool, error) {
	list, err := u.Cluster.Metadata.Resource(namespaces).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("namespaces: %w", err)
	}
	names := map[string]bool{}
	for i := range list.Items {
		names[list.Items[i].Name] = true
	}
	return names, nil
}

// preferred finds a kind that a write needs.
func (u *Users) preferred(gk schema.GroupKind, maker string) (schema.GroupVersionResource, error) {
	r, err := u.Cluster.Mapper.Preferred(gk)
	if meta.IsNoMatchError(err) {
		return schema.GroupVersionResource{}, fmt.Errorf("the cluster has no kind %s: %s; `kubectl jupyter status` shows what is missing", gk.Kind, maker)
	}
	return r.GroupVersionResource, err
}

// tryAll sends writes as dry runs, side by side, and then in earnest, one after the
// other: whoever lacks a right is told so before anything is written.
func tryAll(ctx context.Context, writes []func(context.Context, []string) error) error {
	if err := try(ctx, writes); err != nil {
		return err
	}
	return inEarnest(ctx, writes)
}

// try sends writes as dry runs, side by side.
func try(ctx context.Context, writes []func(context.Context, []string) error) error {
	refusals := make([]error, len(writes))
	var group errgroup.Group
	for i, write := range writes {
		group.Go(func() error {
			refusals[i] = write(ctx, []string{metav1.DryRunAll})
			return nil
		})
	}
	_ = group.Wait() // its functions return no error
	if err := errors.Join(refusals...); err != nil {
		return fmt.Errorf("nothing was changed: %w", err)
	}
	return nil
}

// inEarnest sends writes, one after the other.
func inEarnest(ctx context.Context, writes []func(context.Context, []string) error) error {
	for _, write := range writes {
		if err := write(ctx, nil); err != nil {
			return err
		}
	}
	return nil
}
