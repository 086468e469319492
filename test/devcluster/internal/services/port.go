package services

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
)

// port is one open port of a Service.
type port struct {
	listener net.Listener
	mu       sync.Mutex
	backends []string
}

func openPort(ctx context.Context, at netip.AddrPort, backends []string) (*port, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", at.String())
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", at, err)
	}
	p := &port{listener: l, backends: backends}
	go p.accept(ctx)
	return p, nil
}

func (p *port) set(backends []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.backends = backends
}

func (p *port) close() { _ = p.listener.Close() }

func (p *port) accept(ctx context.Context) {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		go func() {
			p.mu.Lock()
			to, err := pick(p.backends)
			p.mu.Unlock()
			if err == nil {
				var d net.Dialer
				var out net.Conn
				if out, err = d.DialContext(ctx, "tcp", to); err == nil {
					Join(in, out)
					return
				}
			}
			// The pod's process does not listen: what a client of kube-proxy sees
			// as a refused connection is a reset here.
			if c, ok := in.(*net.TCPConn); ok {
				_ = c.SetLinger(0)
			}
			_ = in.Close()
		}()
	}
}
