// Command kubectl-jupyter is the kubectl plugin `kubectl jupyter`.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	// Every way to log in that client-go knows: OIDC, exec plugins of the clouds.
	_ "k8s.io/client-go/plugin/pkg/client/auth"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/commands"
)

func main() { os.Exit(run()) }

// run leaves it to the first signal to end the command in good order, and to the
// second to end it at once.
func run() int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	go func() {
		<-signals
		cancel(plugin.ErrInterrupted)
		<-signals
		os.Exit(plugin.ExitInterrupted)
	}()
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	return plugin.Execute(ctx, commands.New(streams), os.Args[1:], streams)
}
