package components

import "strings"

// Architectures that the images of all components are made for, as in the node label
// kubernetes.io/arch.
func (*Release) Architectures() []string { return []string{"amd64", "arm64"} }

// AMD64Only tells of an image of the catalogue that is made for amd64 and for nothing
// else, although its component runs elsewhere too: notebooks with CUDA or Gaudi.
func AMD64Only(ref string) bool {
	return strings.Contains(ref, "/notebook-servers/") && (strings.Contains(ref, "-cuda") || strings.Contains(ref, "-gaudi"))
}
