// Package serve runs HTTP servers for as long as a context lives.
package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// HTTP serves handler on address until ctx ends, with TLS when cfg is not
// nil. An address that cannot be had is an error at once.
func HTTP(ctx context.Context, address string, handler http.Handler, cfg *tls.Config) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	if cfg != nil {
		l = tls.NewListener(l, cfg)
	}
	s := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	err = s.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		return ctx.Err()
	}
	return fmt.Errorf("serve %s: %w", address, err)
}

// All runs functions side by side until ctx ends or one of them returns,
// ends the others, and returns the first result.
func All(ctx context.Context, fs ...func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan error, len(fs))
	for _, f := range fs {
		go func() { results <- f(ctx) }()
	}
	first := <-results
	cancel()
	for range len(fs) - 1 {
		<-results
	}
	return first
}

// OK answers every request with 200 and a text.
func OK(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) })
}
