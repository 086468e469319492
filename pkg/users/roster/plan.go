package roster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/users"
)

// Change is what a person of the list lacks.
type Change struct {
	Entry
	// New tells that there is no Profile yet.
	New bool
	// Password tells that one has to be generated.
	Password bool
	// Was is the quota that is there, where it is another one; Limit tells that it has to
	// become that of the list.
	Was   map[string]string
	Limit bool
	// Share and Unshare are contributors to add, or to give another role, and to remove.
	Share, Unshare []users.Contributor
	// Isolate closes the namespace or opens it; nil: as it is.
	Isolate *bool
}

// Nothing tells that the cluster is what the list says.
func (c *Change) Nothing() bool {
	return !c.New && !c.Password && !c.Limit && len(c.Share)+len(c.Unshare) == 0 && c.Isolate == nil
}

// Plan is what differs between a list and a cluster.
type Plan struct {
	// Changes are those of people who lack something, in the order of the list.
	Changes []Change
	// Unchanged counts the others.
	Unchanged int
	// Pruned are those who can log in with a password and are not in the list.
	Pruned []users.User
}

// Compare reads the cluster and says what the list changes. Prune also takes from people
// what the list does not name.
func Compare(ctx context.Context, i *users.Installation, list []Entry, prune bool) (*Plan, error) {
	s := state{first: i.First, isolate: i.Settings.IsolateNamespaces}
	group, ctx := errgroup.WithContext(ctx)
	var shared map[string][]users.Contributor
	group.Go(func() (err error) { s.all, err = i.List(ctx); return err })
	group.Go(func() (err error) { shared, err = i.Contributors(ctx, ""); return err })
	group.Go(func() (err error) { s.namespaces, err = i.Namespaces(ctx); return err })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for n := range s.all {
		s.all[n].Contributors = shared[s.all[n].Profile]
	}
	return s.compare(list, prune)
}

// state is what is known of a cluster.
type state struct {
	all        []users.User
	first      users.First
	namespaces map[string]bool
	// isolate is what the installation says of namespaces that are made.
	isolate bool
}

func (s state) compare(list []Entry, prune bool) (*Plan, error) {
	homes, owned, password := map[string]*users.User{}, map[string][]string{}, map[string]bool{}
	for i := range s.all {
		u := &s.all[i]
		if u.Profile != "" {
			homes[u.Profile] = u
			owned[u.Email] = append(owned[u.Email], u.Profile)
		}
		password[strings.ToLower(u.Email)] = password[strings.ToLower(u.Email)] || u.Password
	}
	plan, listed := &Plan{}, map[string]bool{}
	var refusals []error
	for _, e := range list {
		listed[e.Email] = true
		if e.Profile == "" && len(owned[e.Email]) == 1 {
			e.Profile = owned[e.Email][0] // the one that they have, whatever its name
		}
		c, err := s.change(e, homes[e.Name()], owned[e.Email], prune)
		if err != nil {
			refusals = append(refusals, fmt.Errorf("%s: %w", e.where, err))
			continue
		}
		c.Password = e.Password && !password[e.Email] && !s.first.Is(e.Email)
		if c.Nothing() {
			plan.Unchanged++
			continue
		}
		plan.Changes = append(plan.Changes, c)
	}
	if more := len(refusals) - maxErrors; more > 0 {
		refusals = append(refusals[:maxErrors], fmt.Errorf("and %d more", more))
	}
	if err := errors.Join(refusals...); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, u := range s.all {
		email := strings.ToLower(u.Email)
		if prune && u.Password && !u.First && !listed[email] && !seen[email] {
			plan.Pruned = append(plan.Pruned, u)
			seen[email] = true
		}
	}
	return plan, nil
}

// change is what one person lacks, but for the password; home is the Profile of the name
// that the list says, and owned are all of theirs.
func (s state) change(e Entry, home *users.User, owned []string, prune bool) (Change, error) {
	c := Change{Entry: e}
	switch {
	case s.first.Is(e.Email) && len(e.Quota) > 0:
		return c, fmt.Errorf("%s is the first user, whose Profile belongs to the installation: leave the quota out, and set it with a patch of `kubectl jupyter install -k`", e.Email)
	case home == nil && e.Profile == "" && len(owned) > 1:
		return c, fmt.Errorf("%s owns the Profiles %s: name one of them as profile", e.Email, strings.Join(owned, ", "))
	case home == nil && s.namespaces[e.Name()]:
		return c, fmt.Errorf("Namespace %s exists and does not belong to a Profile: name another one as profile", e.Name())
	case home != nil && home.Deleting:
		return c, fmt.Errorf("Profile %s is being deleted: wait until it is deleted, or name another one as profile", e.Name())
	case home != nil && home.Email != e.Email:
		return c, fmt.Errorf("Profile %s belongs to %s: name another one as profile", e.Name(), home.Email)
	}
	if home == nil {
		home, c.New = &users.User{}, true
	}
	if len(e.Quota) > 0 && !maps.EqualFunc(home.Quota, e.Quota, sameQuantity) {
		c.Limit, c.Was = true, home.Quota
	}
	for _, with := range e.Contributors {
		if !slices.Contains(home.Contributors, with) {
			c.Share = append(c.Share, with)
		}
	}
	for _, with := range home.Contributors {
		named := slices.ContainsFunc(e.Contributors, func(o users.Contributor) bool { return o.Email == with.Email })
		if prune && e.Contributors != nil && !named {
			c.Unshare = append(c.Unshare, with)
		}
	}
	isolate := e.Isolate
	if isolate == nil && c.New && s.isolate {
		isolate = &s.isolate
	}
	if isolate != nil && *isolate != home.Isolated {
		c.Isolate = isolate
	}
	return c, nil
}

// sameQuantity compares 1000m with 1.
func sameQuantity(a, b string) bool {
	x, err := resource.ParseQuantity(a)
	if err != nil {
		return false
	}
	y, err := resource.ParseQuantity(b)
	return err == nil && x.Cmp(y) == 0
}

// Text says what changes for a person, in one line.
func (c *Change) Text() string {
	var parts []string
	if c.New {
		parts = append(parts, "new namespace "+c.Name())
	}
	if c.Password {
		parts = append(parts, "generated password")
	}
	if c.Limit {
		var limits []string
		for _, name := range slices.Sorted(maps.Keys(c.Quota)) {
			switch was, there := c.Was[name]; {
			case !there:
				limits = append(limits, name+"="+c.Quota[name])
			case !sameQuantity(was, c.Quota[name]):
				limits = append(limits, fmt.Sprintf("%s=%s (was %s)", name, c.Quota[name], was))
			}
		}
		for _, name := range slices.Sorted(maps.Keys(c.Was)) {
			if _, kept := c.Quota[name]; !kept {
				limits = append(limits, "no "+name)
			}
		}
		parts = append(parts, "quota "+strings.Join(limits, ","))
	}
	for _, with := range c.Share {
		parts = append(parts, fmt.Sprintf("shared with %s (%s)", with.Email, with.Role))
	}
	for _, with := range c.Unshare {
		parts = append(parts, fmt.Sprintf("no longer shared with %s (%s)", with.Email, with.Role))
	}
	if c.Isolate != nil {
		parts = append(parts, map[bool]string{true: "isolated", false: "no longer isolated"}[*c.Isolate])
	}
	return strings.Join(parts, "; ")
}
