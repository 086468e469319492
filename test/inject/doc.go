// Package inject proves the sidecar injector's templates with istiod's own injection
// code: the templates and values that the istio component installs are parsed and run
// exactly as istiod does it, and the pods that come out are looked at.
//
// It is a module of its own because Istio's code is large and only needed here. The
// Istio that the Go module proxy serves is newer than the one that is installed; what
// the templates use of it (functions, fields) is the same in both.
package inject
