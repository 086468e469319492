package components

import (
	"fmt"
	"slices"
	"strings"
)

// DefaultRelease is what is installed where nobody names a release.
const DefaultRelease = "26.03"

// Releases that are part of the binary, the oldest first. Each call makes them anew, for
// the caller to keep.
func Releases() []*Release { return []*Release{release110(), release2603()} }

// ReleaseNames lists the names of Releases.
func ReleaseNames() []string {
	var names []string
	for _, r := range Releases() {
		names = append(names, r.Name)
	}
	return names
}

// NewestRelease is the name of the last of Releases.
func NewestRelease() string {
	names := ReleaseNames()
	return names[len(names)-1]
}

// ReleaseNamed finds a release.
func ReleaseNamed(name string) (*Release, error) {
	for _, r := range Releases() {
		if r.Name == name {
			return r, nil
		}
	}
	return nil, fmt.Errorf("unknown release %q: the releases are %s", name, strings.Join(ReleaseNames(), ", "))
}

// ComponentNames lists the components of all releases.
func ComponentNames() []string {
	var names []string
	for _, r := range Releases() {
		for _, name := range r.Names() {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}
