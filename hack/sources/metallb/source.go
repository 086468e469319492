// Package metallb pins the MetalLB release whose API types the CRDs of the
// metallb component are generated from. Nothing imports it.
package metallb

import (
	_ "go.universe.tf/metallb/api/v1beta1"
	_ "go.universe.tf/metallb/api/v1beta2"
)
