// Package forward brings a port of a Service to an address of this machine, through the
// API server: the way in where no other network leads to the cluster.
package forward

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
)

// Target is a port of a Service.
type Target struct {
	Namespace, Service string
	// Port is the Service's own number, not its pods'.
	Port int32
}

func (t Target) String() string { return "Service " + t.Namespace + "/" + t.Service }

// Options of a forward.
type Options struct {
	// Address is the IP to listen on; empty means 127.0.0.1.
	Address string
	// Port to listen on; 0 takes one that is free.
	Port int
	// Notice is told what happens to the connection, one thing after the other; nil drops it.
	Notice func(Notice)
}

// State is what a Notice tells.
type State string

const (
	// Connected to a pod; also after a connection was lost.
	Connected State = "Connected"
	// Lost the pod; another connection is being made.
	Lost State = "Lost"
	// Refused: the pod did not take one connection.
	Refused State = "Refused"
)

// Notice is something that happened to a forward.
type Notice struct {
	State State
	// Pod is NAMESPACE/NAME.
	Pod string
	Err error
}

// Forward is a port of a Service at an address of this machine.
type Forward struct {
	// Address is where it listens, HOST:PORT.
	Address string
	// Pod that was connected first, NAMESPACE/NAME.
	Pod string

	cluster  *cluster.Cluster
	target   Target
	options  Options
	listener net.Listener
	// suspect asks for another link, and whether the pod of the present one is still there
	suspect chan struct{}
	done    chan struct{}
	err     error

	notices sync.Mutex
	mu      sync.Mutex
	link    *link
	// linked is closed while there is a link
	linked chan struct{}
}

// Start listens, connects to a ready pod of the Service and goes on doing so until ctx
// ends or Wait tells of an error. A pod that goes is replaced by another ready one.
// It needs the rights to get the Service, to list and watch pods and to create
// pods/portforward in the Service's namespace.
func Start(ctx context.Context, c *cluster.Cluster, t Target, o Options) (*Forward, error) {
	if o.Address == "" {
		o.Address = "127.0.0.1"
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", net.JoinHostPort(o.Address, strconv.Itoa(o.Port)))
	if err != nil {
		return nil, listenError(o, err)
	}
	f := &Forward{
		Address: listener.Addr().String(), cluster: c, target: t, options: o, listener: listener,
		suspect: make(chan struct{}, 1), done: make(chan struct{}), linked: make(chan struct{}),
	}
	first, err := f.connect(ctx, f.readyPod)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	f.Pod = first.pod
	f.use(first)
	go f.keep(ctx)
	go f.accept(ctx)
	return f, nil
}

// Wait returns when the forward has ended: nil when its context has.
func (f *Forward) Wait() error {
	<-f.done
	return f.err
}

// keep holds the link up.
func (f *Forward) keep(ctx context.Context) {
	f.err = f.relink(ctx)
	if ctx.Err() != nil {
		f.err = nil
	}
	_ = f.listener.Close()
	if l := f.drop(); l != nil {
		_ = l.conn.Close()
	}
	close(f.done)
}

func (f *Forward) relink(ctx context.Context) error {
	l := f.current()
	for {
		select {
		case <-ctx.Done():
			_ = l.conn.Close()
			return nil
		case <-f.suspect:
			// What goes through the old link is not disturbed.
			if next := f.another(ctx, l); next != nil {
				go l.finish()
				f.install(next)
				l = next
				continue
			}
		case <-l.conn.CloseChan():
		}
		f.drop()
		_ = l.conn.Close()
		f.notice(Notice{State: Lost, Pod: l.pod})
		next, err := f.reconnect(ctx)
		if err != nil {
			return err
		}
		f.use(next)
		l = next
	}
}

// another is a new link to the pod that an old one leads to, nil where that is not ready.
func (f *Forward) another(ctx context.Context, old *link) *link {
	if !f.stillReady(ctx, old) {
		return nil
	}
	next, err := f.connect(ctx, f.readyPod)
	if err != nil {
		return nil
	}
	return next
}

// reconnect tries until there is a link. What cannot be cured by waiting ends it.
func (f *Forward) reconnect(ctx context.Context) (*link, error) {
	pause := wait.Backoff{Duration: 200 * time.Millisecond, Factor: 1.5, Jitter: 0.1, Steps: 1 << 30, Cap: 5 * time.Second}
	for {
		l, err := f.connect(ctx, f.awaitPod)
		if err == nil || ctx.Err() != nil || apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) || apierrors.IsNotFound(err) {
			return l, err
		}
		// No watch tells when an API server or a kubelet is back.
		timer := time.NewTimer(pause.Step())
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		case <-timer.C:
		}
	}
}

func (f *Forward) accept(ctx context.Context) {
	for {
		local, err := f.listener.Accept()
		if err != nil {
			return // closed by keep
		}
		go f.serve(ctx, local)
	}
}

// use makes a link the present one.
func (f *Forward) use(l *link) {
	f.install(l)
	f.notice(Notice{State: Connected, Pod: l.pod})
}

func (f *Forward) install(l *link) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.link = l
	close(f.linked)
}

// retire lets no more connections through a link, and asks for another: a runtime that
// could not connect to a port may leave a link behind in which the next one hangs.
func (f *Forward) retire(l *link) {
	f.mu.Lock()
	present := f.link == l
	if present {
		f.forget()
	}
	f.mu.Unlock()
	if !present {
		return // somebody has done so
	}
	select {
	case f.suspect <- struct{}{}:
	default: // asked already
	}
}

// drop takes the present link away; connections wait for the next.
func (f *Forward) drop() *link {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.link
	if l != nil {
		f.forget()
	}
	return l
}

// forget is for who holds the lock, while there is a link.
func (f *Forward) forget() {
	close(f.link.gone)
	f.link, f.linked = nil, make(chan struct{})
}

func (f *Forward) current() *link {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.link
}

// await returns the present link, or the next, with one more connection that goes through it.
func (f *Forward) await(ctx context.Context) *link {
	for {
		f.mu.Lock()
		l, linked := f.link, f.linked
		if l != nil {
			l.active.Add(1)
		}
		f.mu.Unlock()
		if l != nil {
			return l
		}
		select {
		case <-ctx.Done():
			return nil
		case <-f.done:
			return nil
		case <-linked:
		}
	}
}

func (f *Forward) notice(n Notice) {
	if f.options.Notice == nil {
		return
	}
	f.notices.Lock()
	defer f.notices.Unlock()
	f.options.Notice(n)
}

// connect finds the pod behind the Service and dials it.
func (f *Forward) connect(ctx context.Context, find func(context.Context, *corev1.Service) (*corev1.Pod, error)) (*link, error) {
	service, err := f.service(ctx)
	if err != nil {
		return nil, err
	}
	pod, err := find(ctx, service)
	if err != nil {
		return nil, err
	}
	port, err := podPort(f.target, service, pod)
	if err != nil {
		return nil, err
	}
	conn, err := dial(ctx, f.cluster, pod.Namespace, pod.Name)
	if err != nil {
		return nil, fmt.Errorf("port-forward to Pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	return &link{conn: conn, pod: pod.Namespace + "/" + pod.Name, uid: pod.UID, port: port, gone: make(chan struct{})}, nil
}

// serve carries one connection.
func (f *Forward) serve(ctx context.Context, local net.Conn) {
	defer func() { _ = local.Close() }()
	// A link that has just gone may not be noticed before a stream fails to open on it.
	for range 2 {
		l := f.await(ctx)
		if l == nil {
			return
		}
		streams, err := l.open()
		if err != nil {
			l.active.Done()
			_ = l.conn.Close()
			<-l.gone
			continue
		}
		err = streams.carry(ctx, local)
		l.active.Done()
		if err != nil {
			f.retire(l)
			f.notice(Notice{State: Refused, Pod: l.pod, Err: err})
		}
		return
	}
}
