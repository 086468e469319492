package forward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
)

// Direct is a connection to one pod for this program alone: no port of this machine is
// opened, and nobody waits for another pod.
type Direct struct {
	link   *link
	ctx    context.Context
	cancel context.CancelFunc
}

// ToPod connects to a pod. It needs the right to create pods/portforward.
func ToPod(ctx context.Context, c *cluster.Cluster, namespace, pod string) (*Direct, error) {
	conn, err := dial(ctx, c, namespace, pod)
	if err != nil {
		return nil, fmt.Errorf("port-forward to Pod %s/%s: %w", namespace, pod, err)
	}
	d := &Direct{link: &link{conn: conn, pod: namespace + "/" + pod}}
	d.ctx, d.cancel = context.WithCancel(ctx)
	return d, nil
}

// Close ends the connection and all that goes through it.
func (d *Direct) Close() error {
	d.cancel()
	return d.link.conn.Close()
}

// Client talks HTTP to a port of the pod. The host of its URLs does not matter.
func (d *Direct) Client(port int32) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext: func(context.Context, string, string) (net.Conn, error) { return d.Dial(port) },
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Dial connects to a port of the pod. What the kubelet says went wrong with it comes with
// the first read.
func (d *Direct) Dial(port int32) (net.Conn, error) {
	s, err := d.link.openTo(port)
	if err != nil {
		return nil, fmt.Errorf("Pod %s: %w", d.link.pod, err)
	}
	near, far := net.Pipe()
	c := &directConn{Conn: near}
	go func() {
		defer func() { _ = far.Close() }()
		if err := s.carry(d.ctx, far); err != nil {
			c.fail(fmt.Errorf("Pod %s: %w", d.link.pod, err))
		}
	}()
	return c, nil
}

// directConn tells why the far side has ended, if it was no ordinary end.
type directConn struct {
	net.Conn
	mu  sync.Mutex
	why error
}

func (c *directConn) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.why = err
}

// Read is the connection's.
func (c *directConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n == 0 && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe)) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.why != nil {
			return 0, c.why
		}
	}
	return n, err
}
