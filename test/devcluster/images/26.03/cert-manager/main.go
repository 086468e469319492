// Command cert-manager is cert-manager's own controller, webhook and cainjector in one binary: each is assembled
// from the packages of the cert-manager module at the release's version, as cert-manager's commands (which are
// modules of their own and not published) do it. Name the part by the first argument or by the name of the binary.
//
// What is left out: the ACME, Vault and Venafi issuers with the cloud SDKs that they need, the ingress and
// Gateway API shims. Self-signed and CA issuers, approval, leader election, admission and CA injection are
// cert-manager's own code, unchanged.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/pflag"

	logf "github.com/cert-manager/cert-manager/pkg/logs"
)

// parts are the commands of cert-manager that this binary can be.
var parts = map[string]func(ctx context.Context, args []string) error{
	"controller": runController,
	"webhook":    runWebhook,
	"cainjector": runCAInjector,
}

func main() {
	name, args := filepath.Base(os.Args[0]), os.Args[1:]
	run, ok := parts[name]
	if !ok && len(args) > 0 {
		name, args = args[0], args[1:]
		run, ok = parts[name]
	}
	if !ok {
		fmt.Fprintln(os.Stderr, "usage: cert-manager controller|webhook|cainjector [FLAGS]")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	logf.InitLogs()
	err := run(ctx, args)
	logf.FlushLogs()
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

// parse reads args into fs. Flags of the ACME, Vault and Venafi parts, which this binary does not have, are
// accepted and named in the log, because the Deployments pass some of them.
func parse(fs *pflag.FlagSet, args []string) error {
	fs.ParseErrorsAllowlist.UnknownFlags = false
	var kept []string
	for _, a := range args {
		if strings.HasPrefix(a, "--acme-") || strings.HasPrefix(a, "--dns01-") || strings.HasPrefix(a, "--max-concurrent-challenges") {
			fmt.Fprintf(os.Stderr, "flag %s has no effect: this build has no ACME issuer\n", a)
			continue
		}
		kept = append(kept, a)
	}
	return fs.Parse(kept)
}
