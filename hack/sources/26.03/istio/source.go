// Package istio pins the release of istio.io/api that carries the CRD file of
// the istio-crds component. The API is defined in protocol buffers, so the file
// is the source and no Go types are read. Nothing imports this package.
package istio

import _ "istio.io/api/label"
