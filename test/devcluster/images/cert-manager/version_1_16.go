//go:build !certmanager_1_20

package main

import (
	"github.com/spf13/pflag"
	"k8s.io/utils/clock"

	"github.com/cert-manager/cert-manager/pkg/controller"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/metrics"
)

// addFlags adds the flags that only this version has.
func addFlags(*controller.ContextOptions, *pflag.FlagSet) {}

// prepare sets what the factory of contexts wants to be given.
func prepare(o *controller.ContextOptions) {
	o.Clock = clock.RealClock{}
	o.Metrics = metrics.New(logf.Log.WithName("controller"), clock.RealClock{})
}

func metricsOf(c *controller.Context) *metrics.Metrics { return c.Metrics }
