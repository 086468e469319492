// Package kubeversion gives the embedded Kubernetes components the version
// that they were built from. Release builds of Kubernetes get it from linker
// flags; taking it from the binary's own module list keeps a plain `go build`
// right and the version in one place, go.mod.
package kubeversion

import (
	"fmt"
	"runtime/debug"
	_ "unsafe" // for go:linkname

	utilversion "k8s.io/apimachinery/pkg/util/version"
	"k8s.io/component-base/version"
	kwokconsts "sigs.k8s.io/kwok/pkg/consts"
)

//go:linkname gitVersion k8s.io/component-base/version.gitVersion
var gitVersion string

//go:linkname gitMajor k8s.io/component-base/version.gitMajor
var gitMajor string

//go:linkname gitMinor k8s.io/component-base/version.gitMinor
var gitMinor string

// The modules whose versions the bed reports.
const (
	Kubernetes    = "k8s.io/kubernetes"
	Etcd          = "go.etcd.io/etcd/server/v3"
	Kwok          = "sigs.k8s.io/kwok"
	MetricsServer = "sigs.k8s.io/metrics-server"
)

// Of returns the version of a module linked into this binary, "unknown" when
// it is not among them.
func Of(module string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, d := range info.Deps {
		if d.Path == module {
			if d.Replace != nil && d.Replace.Version != "" {
				return d.Replace.Version
			}
			return d.Version
		}
	}
	return "unknown"
}

// Stamp writes the module versions into the components. It has to run before
// any of them starts, and fails when the binary carries no module list.
func Stamp() error {
	v, err := utilversion.ParseSemantic(Of(Kubernetes))
	if err != nil {
		return fmt.Errorf("version of %s in this binary: %w", Kubernetes, err)
	}
	gitVersion = "v" + v.String()
	gitMajor, gitMinor = fmt.Sprint(v.Major()), fmt.Sprint(v.Minor())
	kwokconsts.Version = Of(Kwok)
	return version.SetDynamicVersion(gitVersion)
}
