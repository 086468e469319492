package roster

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/users"
)

// Credential is a password that was generated for somebody.
type Credential struct{ Email, Password string }

// Outcome is what has become of a person.
type Outcome struct {
	Email   string `json:"email"`
	Profile string `json:"profile,omitempty"`
	// Change is what was changed, or was to be.
	Change string `json:"change"`
	// Error is why it was not, or only in part.
	Error string `json:"error,omitempty"`
	// Unset tells that a generated password did not become theirs.
	Unset bool `json:"-"`

	err error
}

// Options of a run.
type Options struct {
	// Keep puts passwords where they are found later; it is called once, before anything is
	// written to the cluster, and only if there are any.
	Keep func([]Credential) error
	// Progress says what is done, of how many people.
	Progress func(doing string, done, total int)
}

// inFlight is how many people are worked on at a time.
const inFlight = 16

// run is one application of a plan.
type run struct {
	*users.Installation
	Options
	plan     *Plan
	adding   *users.Adding
	sharing  *users.Sharing
	outcomes []Outcome
	hashes   []string
	mu       sync.Mutex
	done     int
	// homeless is why namespaces are missing at the end.
	homeless error
}

// errHomeless is said of everybody without a namespace; why is said once.
var errHomeless = errors.New("added, but the namespace is not ready yet")

// Apply makes the cluster what the list says, and returns what has become of everybody who
// lacked something, in the order of the list, and of who was pruned. One who fails does
// not keep the others from what they need.
func (p *Plan) Apply(ctx context.Context, i *users.Installation, o Options) ([]Outcome, error) {
	r := &run{Installation: i, Options: o, plan: p}
	if err := r.prepare(ctx); err != nil {
		return nil, fmt.Errorf("nothing was changed: %w", err)
	}
	opened := func(c *Change) bool { return len(c.Share)+len(c.Unshare) > 0 || c.Isolate != nil }
	r.each("Adding people", r.concerned(func(c *Change) bool { return c.New || c.Password || c.Limit }), func(n int) error { return r.add(ctx, n) })
	r.await(ctx, r.concerned(func(c *Change) bool { return c.New || opened(c) }))
	r.each("Sharing and isolating namespaces", r.concerned(opened), func(n int) error { return r.open(ctx, n) })
	r.prune(ctx)
	var failed []error
	for n := range r.outcomes {
		if err := r.outcomes[n].err; err != nil {
			r.outcomes[n].Error = err.Error()
			if errors.Is(err, errHomeless) {
				continue
			}
			failed = append(failed, fmt.Errorf("%s: %w", r.outcomes[n].Email, err))
		}
	}
	if more := len(failed) - maxErrors; more > 0 {
		failed = append(failed[:maxErrors], fmt.Errorf("and %d more", more))
	}
	if r.homeless != nil {
		failed = append(failed, r.homeless)
	}
	return r.outcomes, errors.Join(failed...)
}

// prepare finds out everything that is the same for all, tries on the first of them what
// will be done, and generates passwords.
func (r *run) prepare(ctx context.Context) (err error) {
	r.outcomes = make([]Outcome, len(r.plan.Changes))
	r.hashes = make([]string, len(r.plan.Changes))
	var isolates, shares bool
	var first *Change
	for n := range r.plan.Changes {
		c := &r.plan.Changes[n]
		r.outcomes[n] = Outcome{Email: c.Email, Profile: c.Name(), Change: c.Text()}
		isolates = isolates || c.Isolate != nil
		shares = shares || len(c.Share) > 0
		if first == nil && c.New {
			first = c
		}
	}
	if r.adding, err = r.Adding(ctx, r.Source); err != nil {
		return err
	}
	if shares {
		if r.sharing, err = r.Sharing(ctx); err != nil {
			return err
		}
	}
	if isolates {
		if err := r.MayIsolate(ctx); err != nil {
			return err
		}
	}
	made, err := r.passwords()
	if err != nil {
		return err
	}
	if first != nil {
		hash := ""
		for n := range r.plan.Changes {
			if &r.plan.Changes[n] == first {
				hash = r.hashes[n]
			}
		}
		if err := r.adding.Try(ctx, first.Person, hash); err != nil {
			return err
		}
	}
	if len(made) > 0 {
		return r.Keep(made)
	}
	return nil
}

// passwords generates those that are lacking. Their hashes take most of the time of a run,
// on all cores.
func (r *run) passwords() ([]Credential, error) {
	var made []Credential
	of := map[int][]byte{}
	for n := range r.plan.Changes {
		if c := &r.plan.Changes[n]; c.Password {
			of[n] = users.GeneratePassword()
			made = append(made, Credential{c.Email, string(of[n])})
		}
	}
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	done := 0
	for n, password := range of {
		group.Go(func() (err error) {
			r.hashes[n], err = users.Hash(password, users.GeneratedCost)
			r.mu.Lock()
			defer r.mu.Unlock()
			done++
			r.Progress("Generating passwords", done, len(of))
			return err
		})
	}
	return made, group.Wait()
}

// concerned are the numbers of those who have not failed yet and need something.
func (r *run) concerned(needs func(*Change) bool) []int {
	var all []int
	for n := range r.plan.Changes {
		if r.outcomes[n].err == nil && needs(&r.plan.Changes[n]) {
			all = append(all, n)
		}
	}
	return all
}

// each works on people side by side and keeps who has failed.
func (r *run) each(doing string, all []int, work func(n int) error) {
	var group errgroup.Group
	group.SetLimit(inFlight)
	r.done = 0
	for _, n := range all {
		group.Go(func() error {
			err := work(n)
			r.mu.Lock()
			defer r.mu.Unlock()
			r.outcomes[n].err = err
			r.done++
			r.Progress(doing, r.done, len(all))
			return nil
		})
	}
	_ = group.Wait() // its functions return no error
}

func (r *run) add(ctx context.Context, n int) error {
	err := r.adding.Make(ctx, r.plan.Changes[n].Person, r.hashes[n])
	r.outcomes[n].Unset = err != nil && r.plan.Changes[n].Password
	return err
}

// await waits for the namespaces of people, and has those fail who have none by the end.
func (r *run) await(ctx context.Context, all []int) {
	var homes []string
	missing := map[string]int{}
	for _, n := range all {
		homes = append(homes, r.outcomes[n].Profile)
		missing[r.outcomes[n].Profile] = n
	}
	if len(homes) == 0 {
		return
	}
	r.homeless = r.AwaitHomes(ctx, homes, func(profile string) {
		delete(missing, profile)
		r.Progress("Waiting for namespaces", len(homes)-len(missing), len(homes))
	})
	for _, n := range missing {
		if r.homeless != nil {
			r.outcomes[n].err = errHomeless
		}
	}
}

// open shares and isolates one namespace.
func (r *run) open(ctx context.Context, n int) error {
	c, home := &r.plan.Changes[n], r.outcomes[n].Profile
	for _, with := range c.Share {
		if err := r.sharing.Share(ctx, home, with); err != nil {
			return err
		}
	}
	for _, with := range c.Unshare {
		if _, err := r.Unshare(ctx, home, with.Email); err != nil {
			return err
		}
	}
	switch {
	case c.Isolate == nil:
		return nil
	case *c.Isolate:
		return r.Isolate(ctx, home)
	}
	_, err := r.Unisolate(ctx, home)
	return err
}

// prune takes the passwords of those who are not in the list; nothing else of theirs.
func (r *run) prune(ctx context.Context) {
	from := len(r.outcomes)
	for _, u := range r.plan.Pruned {
		r.outcomes = append(r.outcomes, Outcome{Email: u.Email, Profile: u.Profile, Change: "password removed"})
	}
	var all []int
	for n := range r.plan.Pruned {
		all = append(all, from+n)
	}
	r.each("Removing passwords", all, func(n int) error { return r.RemovePassword(ctx, r.outcomes[n].Email, nil) })
}
