// Package certmanager pins the cert-manager release whose API types the CRDs of
// the cert-manager component are generated from. Its go.sum is what makes the
// generated files reproducible; nothing imports it.
package certmanager

import (
	_ "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	_ "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
)
