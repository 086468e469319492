//go:build certmanager_1_20

package main

import (
	"time"

	"github.com/spf13/pflag"

	"github.com/cert-manager/cert-manager/pkg/controller"
	"github.com/cert-manager/cert-manager/pkg/metrics"
)

// addFlags adds the flags that only this version has.
func addFlags(o *controller.ContextOptions, fs *pflag.FlagSet) {
	fs.DurationVar(&o.CertificateRequestMinimumBackoffDuration, "certificate-request-minimum-backoff-duration", time.Hour, "")
}

// prepare has nothing to do: the factory of contexts makes its own clock and metrics.
func prepare(*controller.ContextOptions) {}

// metricsOf also registers the collectors, which this version does not do by itself.
func metricsOf(c *controller.Context) *metrics.Metrics {
	informers := c.SharedInformerFactory.Certmanager().V1()
	c.Metrics.SetupCertificateCollector(informers.Certificates().Lister())
	c.Metrics.SetupIssuerCollector(informers.Issuers().Lister())
	c.Metrics.SetupClusterIssuerCollector(informers.ClusterIssuers().Lister())
	return c.Metrics
}
