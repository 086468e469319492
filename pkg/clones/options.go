package clones

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// Flags about a clone. All but the first mean nothing without it.
const (
	FlagManifests = "manifests"
	FlagOverlay   = "overlay"
	FlagKeep      = "keep-shipped-credentials"
	FlagAsIs      = "as-is"
)

// Options are what a person can choose about a clone.
type Options struct {
	// Overlays are paths of kustomizations, in the clone or absolute, that are taken
	// instead of the usual ones, by component.
	Overlays map[string]string
	// KeepCredentials installs the credentials that the clone ships.
	KeepCredentials bool
	// AsIs adds nothing to what the clone has.
	AsIs bool
}

// ParseOverlays reads COMPONENT=PATH.
func ParseOverlays(overlays []string) (map[string]string, error) {
	out := map[string]string{}
	for _, overlay := range overlays {
		name, path, ok := strings.Cut(overlay, "=")
		if !ok || name == "" || path == "" {
			return nil, fmt.Errorf("--overlay: %q is not COMPONENT=PATH, as in --overlay oauth2-proxy=common/oauth2-proxy/overlays/m2m-dex-and-kind", overlay)
		}
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("--overlay: %s is specified twice", name)
		}
		out[name] = path
	}
	return out, nil
}

// Reopen is a clone with the choices of the last run where they are not made now. One that
// was opened with the same choices is taken as it is.
func Reopen(ctx context.Context, opened *components.Files, o Options, last *components.Clone, given func(flag string) bool) (*components.Files, error) {
	kept := o
	for flag, take := range map[string]func(){
		FlagOverlay: func() { kept.Overlays = last.Overlays },
		FlagKeep:    func() { kept.KeepCredentials = last.KeepCredentials },
		FlagAsIs:    func() { kept.AsIs = last.AsIs },
	} {
		if !given(flag) {
			take()
		}
	}
	if maps.Equal(kept.Overlays, o.Overlays) && kept.KeepCredentials == o.KeepCredentials && kept.AsIs == o.AsIs {
		return opened, nil
	}
	return Open(ctx, opened.Release().Clone.Path, kept)
}

// About says what is installed of a clone, and what differs from it; nothing about a release
// of the plugin's own.
func About(release *components.Release) string {
	clone := release.Clone
	if clone == nil {
		return ""
	}
	var b strings.Builder
	b.WriteString(Warnings(release))
	fmt.Fprintf(&b, "The clone %s is of version %s", clone.Path, clone.Version)
	if len(clone.Commit) >= 12 {
		fmt.Fprintf(&b, ", commit %s", clone.Commit[:12])
	}
	b.WriteString(".\n")
	if len(clone.Notes) > 0 {
		fmt.Fprintf(&b, "Changed from the clone:\n  %s\n", strings.Join(clone.Notes, "\n  "))
	}
	return b.String()
}

// Warnings says what is doubtful about a clone, a line each.
func Warnings(release *components.Release) string {
	if release.Clone == nil {
		return ""
	}
	var b strings.Builder
	for _, warning := range release.Clone.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", warning)
	}
	return b.String()
}
