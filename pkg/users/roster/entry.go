// Package roster makes the users of a cluster what a list says: a course, a company.
package roster

import (
	"fmt"
	"slices"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/users"
)

// Entry is a person of a list.
type Entry struct {
	users.Person
	// Contributors are whom the namespace is to be shared with; others keep what they have
	// unless they are pruned. Nil: the list says nothing of them.
	Contributors []users.Contributor
	// Isolate closes the namespace, or opens it; nil: as it is, and as the installation says
	// for one that is made.
	Isolate *bool
	// Password tells whether the person logs in with a password of Dex. Without one they come
	// through an identity provider.
	Password bool
	// where names the place in the list, for messages.
	where string
}

// maxErrors is how many mistakes of a list are shown at once.
const maxErrors = 10

// check refuses a list with mistakes, and names each with its place.
func check(all []Entry) (mistakes []error) {
	emails, homes := map[string]string{}, map[string]string{}
	for _, e := range all {
		wrong := func(err error) { mistakes = append(mistakes, fmt.Errorf("%s: %w", e.where, err)) }
		if err := e.Validate(); err != nil {
			wrong(err)
			continue
		}
		if other := emails[e.Email]; other != "" {
			wrong(fmt.Errorf("%s is in the list already: %s", e.Email, other))
		} else if other := homes[e.Name()]; other != "" {
			wrong(fmt.Errorf("the namespace of %s is called %s, as that of %s: give one of them a profile of another name", e.Email, e.Name(), other))
		}
		emails[e.Email], homes[e.Name()] = e.where, e.where
		for i, c := range e.Contributors {
			switch err := c.Validate(); {
			case err != nil:
				wrong(fmt.Errorf("contributors: %w", err))
			case c.Email == e.Email:
				wrong(fmt.Errorf("contributors: %s owns the namespace", c.Email))
			case slices.ContainsFunc(e.Contributors[:i], func(o users.Contributor) bool { return o.Email == c.Email }):
				wrong(fmt.Errorf("contributors: %s is named twice", c.Email))
			}
		}
	}
	return mistakes
}
