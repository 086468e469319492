// Package version says which build of the program this is.
package version

import (
	"regexp"
	"runtime"
	"runtime/debug"
)

// Set by the linker: -X .../pkg/version.version=v0.1.0, and so on.
var (
	version string
	commit  string
	date    string
)

// Info is one build.
type Info struct {
	// Version is semantic, with a leading v; "dev" for a build from a work tree.
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	// Date of the commit in RFC 3339, so that two builds of one commit are the same.
	Date      string `json:"date,omitempty"`
	GoVersion string `json:"goVersion"`
	Platform  string `json:"platform"`
}

// Get tells what the linker or, for `go install`, the Go toolchain has recorded.
func Get() Info {
	i := Info{Version: version, Commit: commit, Date: date, GoVersion: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if build, ok := debug.ReadBuildInfo(); ok && i.Version == "" {
		if v := build.Main.Version; v != "(devel)" {
			i.Version = v
		}
		for _, s := range build.Settings {
			switch s.Key {
			case "vcs.revision":
				i.Commit = s.Value
			case "vcs.time":
				i.Date = s.Value
			}
		}
	}
	if i.Version == "" {
		i.Version = "dev"
	}
	return i
}

// Tooling is the name and version under which the program signs what it does: user
// agent, inventory. The ApplySet specification wants a semantic version, which a build
// from a work tree does not have.
func (i Info) Tooling() string {
	v := i.Version
	if !semantic.MatchString(v) {
		v = "v0.0.0-" + notSemantic.ReplaceAllString(v, "-")
	}
	return "kubectl-jupyter/" + v
}

var (
	semantic    = regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?$`)
	notSemantic = regexp.MustCompile(`[^0-9A-Za-z.-]+`)
)
