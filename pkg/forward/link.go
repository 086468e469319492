package forward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/httpstream" //lint:ignore SA1019 client-go returns these types
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	streaming "k8s.io/streaming/pkg/httpstream"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
)

// link is one connection to a pod, through which many connections go.
type link struct {
	conn httpstream.Connection
	// pod is NAMESPACE/NAME
	pod  string
	uid  types.UID
	port int32
	// gone is closed when the link is no longer the present one
	gone chan struct{}
	last atomic.Int64
	// active counts the connections that go through it
	active sync.WaitGroup
}

// finish closes a link that takes no more connections, once those that it has have ended.
func (l *link) finish() {
	l.active.Wait()
	_ = l.conn.Close()
}

// dial asks the API server for a connection to the pod: over a websocket, which passes
// through most proxies, and over SPDY where the server is older than that, or somebody on the
// way refuses or cuts the websocket.
func dial(ctx context.Context, c *cluster.Cluster, namespace, pod string) (httpstream.Connection, error) {
	url := c.REST().Post().AbsPath("/api/v1").Namespace(namespace).Resource("pods").Name(pod).SubResource("portforward").URL()
	websocket, err := portforward.NewSPDYOverWebsocketDialer(url, c.Config)
	if err != nil {
		return nil, err
	}
	transport, upgrader, err := spdy.RoundTripperFor(c.Config)
	if err != nil {
		return nil, err
	}
	older := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)
	var refused, strange error
	dialer := portforward.NewFallbackDialer(websocket, older, func(err error) bool {
		// The websocket's errors are of the streaming library's own type.
		var upgrade *streaming.UpgradeFailureError
		if errors.As(err, &upgrade) && (apierrors.IsForbidden(upgrade.Cause) || apierrors.IsUnauthorized(upgrade.Cause)) {
			refused = upgrade.Cause // of SPDY's refusal only the text is left
		}
		lost := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		// What is no Status does not come from the API server.
		var status *apierrors.StatusError
		if lost || upgrade != nil && !errors.As(upgrade.Cause, &status) {
			strange = err
		}
		return upgrade != nil || lost || streaming.IsHTTPSProxyError(err)
	})
	type dialled struct {
		conn httpstream.Connection
		err  error
	}
	// The dialers know no context.
	result := make(chan dialled, 1)
	go func() {
		conn, _, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
		switch {
		case err == nil:
		case refused != nil:
			err = refused
		case strange != nil:
			err = fmt.Errorf("neither a websocket (%w) nor SPDY (%w) gets through: does a proxy between this machine and the API server pass upgraded connections on?", strange, err)
		}
		result <- dialled{conn, err}
	}()
	select {
	case d := <-result:
		return d.conn, d.err
	case <-ctx.Done():
		go func() {
			if d := <-result; d.err == nil {
				_ = d.conn.Close()
			}
		}()
		return nil, ctx.Err()
	}
}

// streams of one forwarded connection: its data, and what went wrong with it.
type streams struct {
	conn          httpstream.Connection
	data, trouble httpstream.Stream
}

func (l *link) open() (*streams, error) { return l.openTo(l.port) }

func (l *link) openTo(port int32) (*streams, error) {
	headers := http.Header{}
	headers.Set(corev1.PortHeader, strconv.Itoa(int(port)))
	headers.Set(corev1.PortForwardRequestIDHeader, strconv.FormatInt(l.last.Add(1), 10))
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	trouble, err := l.conn.CreateStream(headers)
	if err != nil {
		return nil, err
	}
	_ = trouble.Close() // nothing is written to it
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	data, err := l.conn.CreateStream(headers)
	if err != nil {
		l.conn.RemoveStreams(trouble)
		return nil, err
	}
	return &streams{l.conn, data, trouble}, nil
}

// carry copies both ways until the pod's side has said all, and returns what the
// kubelet tells went wrong.
func (s *streams) carry(ctx context.Context, local net.Conn) error {
	defer s.conn.RemoveStreams(s.data, s.trouble)
	told := make(chan error, 1)
	go func() {
		message, err := io.ReadAll(s.trouble)
		if err == nil && len(message) > 0 {
			err = errors.New(string(message))
		}
		told <- err
	}()
	received, failed := make(chan struct{}), make(chan struct{})
	go func() {
		_, _ = io.Copy(local, s.data)
		close(received)
	}()
	go func() {
		if _, err := io.Copy(s.data, local); err != nil {
			close(failed)
		}
		_ = s.data.Close()
	}()
	select {
	case <-received:
	case <-failed: // the local side is gone
	case <-ctx.Done():
		_ = s.data.Reset()
		return nil
	}
	// Data that nobody has read would hold up the stream of errors, and every other one.
	_ = s.data.Reset()
	select {
	case err := <-told:
		if err != nil {
			return fmt.Errorf("port %s: %w", s.trouble.Headers().Get(corev1.PortHeader), err)
		}
		return nil
	case <-ctx.Done():
		return nil
	}
}
