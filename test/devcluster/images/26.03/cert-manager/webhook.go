package main

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"

	certwebhook "github.com/cert-manager/cert-manager/internal/webhook"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/webhook/options"
)

func runWebhook(ctx context.Context, args []string) error {
	cfg, err := options.NewWebhookConfiguration()
	if err != nil {
		return fmt.Errorf("webhook defaults: %w", err)
	}
	fs := pflag.NewFlagSet("webhook", pflag.ContinueOnError)
	options.NewWebhookFlags().AddFlags(fs)
	options.AddConfigFlags(fs, cfg)
	if err := parse(fs, args); err != nil {
		return err
	}
	if err := logf.ValidateAndApply(&cfg.Logging); err != nil {
		return fmt.Errorf("logging flags: %w", err)
	}
	server, err := certwebhook.NewCertManagerWebhookServer(logf.Log.WithName("webhook"), *cfg)
	if err != nil {
		return fmt.Errorf("webhook server: %w", err)
	}
	return server.Run(logf.NewContext(ctx, logf.Log, "webhook"))
}
