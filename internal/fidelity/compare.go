package fidelity

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Sign says how ours differs from upstream's.
type Sign string

const (
	// Added: ours says something where upstream is silent.
	Added Sign = "+"
	// Missing: upstream says something where ours is silent.
	Missing Sign = "-"
	// Changed: both say something, and not the same.
	Changed Sign = "~"
)

// WholeObject stands for the path where an object has no counterpart at all.
const WholeObject = "(object)"

// Difference is one leaf, or one whole object, that is not the same.
type Difference struct {
	Sign   Sign
	Object string // its ID
	Path   string
	// Ours is our value as JSON; empty when Missing. Upstream's is not known
	// from facts (see Values).
	Ours string
}

func (d Difference) String() string {
	return fmt.Sprintf("%s %s %s", d.Sign, d.Object, d.Path)
}

// Counterparts are the objects that are ours under another name: upstream's ID
// to ours. A reference to such an object is the same reference.
type Counterparts map[string]string

// Check reports what a counterpart names and is not there, on either side.
func (c Counterparts) Check(facts *Facts, ours []*unstructured.Unstructured) []string {
	rendered := map[string]bool{}
	for _, u := range ours {
		rendered[ID(u)] = true
	}
	var out []string
	for _, theirs := range slices.Sorted(maps.Keys(c)) {
		if _, known := facts.Objects[theirs]; !known {
			out = append(out, "upstream has no "+theirs)
		}
		if !rendered[c[theirs]] {
			out = append(out, "we have no "+c[theirs])
		}
	}
	return out
}

// sameReference tells whether a value of ours is the name of an object whose
// upstream name has the fingerprint.
func (c Counterparts) sameReference(value, print string) bool {
	for theirs, ours := range c {
		if value == quote(nameOf(ours)) && print == Fingerprint(quote(nameOf(theirs))) {
			return true
		}
	}
	return false
}

func nameOf(id string) string { return id[strings.LastIndex(id, "/")+1:] }

func quote(text string) string { return `"` + text + `"` } // object names need no escapes

// Compare lists how ours differ from the facts, sorted by object and path. The
// object of a difference is upstream's where there is one.
func Compare(facts *Facts, ours []*unstructured.Unstructured, counterparts Counterparts) ([]Difference, error) {
	var out []Difference
	seen := map[string]bool{}
	upstreamID := map[string]string{}
	for theirs, our := range counterparts {
		upstreamID[our] = theirs
	}
	for _, u := range ours {
		id := ID(u)
		if theirs, renamed := upstreamID[id]; renamed {
			id = theirs
		}
		if seen[id] {
			return nil, fmt.Errorf("%s is rendered twice", id)
		}
		seen[id] = true
		prints, known := facts.Objects[id]
		if !known {
			out = append(out, Difference{Sign: Added, Object: id, Path: WholeObject})
			continue
		}
		leaves, err := LeavesOf(u)
		if err != nil {
			return nil, err
		}
		for path, value := range leaves {
			print, both := prints[path]
			switch {
			case !both:
				out = append(out, Difference{Sign: Added, Object: id, Path: path, Ours: value})
			case print != Fingerprint(value) && !counterparts.sameReference(value, print):
				out = append(out, Difference{Sign: Changed, Object: id, Path: path, Ours: value})
			}
		}
		for path := range prints {
			if _, both := leaves[path]; !both {
				out = append(out, Difference{Sign: Missing, Object: id, Path: path})
			}
		}
	}
	for id := range facts.Objects {
		if !seen[id] {
			out = append(out, Difference{Sign: Missing, Object: id, Path: WholeObject})
		}
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].Object != out[j].Object {
			return out[i].Object < out[j].Object
		}
		return out[i].Path < out[j].Path
	})
	return out, nil
}
