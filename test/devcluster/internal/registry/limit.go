package registry

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Bandwidth is a number of bytes a second; as a flag, 25MB/s or 4MiB/s.
type Bandwidth int64

func (b *Bandwidth) String() string {
	if *b == 0 {
		return ""
	}
	return resource.NewQuantity(int64(*b), resource.DecimalSI).String() + "B/s"
}

// Type is what the flag's help calls it.
func (b *Bandwidth) Type() string { return "BYTES/s" }

// Set reads a flag.
func (b *Bandwidth) Set(s string) error {
	q, err := resource.ParseQuantity(strings.TrimSuffix(strings.TrimSuffix(s, "/s"), "B"))
	if err != nil || q.Value() < minBandwidth {
		return fmt.Errorf("must be a number of bytes a second such as 25MB/s, and at least %dkB/s", minBandwidth/1000)
	}
	*b = Bandwidth(q.Value())
	return nil
}

const (
	minBandwidth = 100_000
	// chunk is what is sent at once, so that connections take turns.
	chunk = 32 << 10
)

// limits hold connections to a bandwidth.
type limits struct {
	all  *rate.Limiter
	each int64
}

func newLimits(all, each int64) limits { return limits{all: limiter(all), each: each} }

// limiter lets pass what a bandwidth has room for. It makes up for at most 50 ms in which
// nobody sent anything.
func limiter(bandwidth int64) *rate.Limiter {
	if bandwidth == 0 {
		return rate.NewLimiter(rate.Inf, 0)
	}
	return rate.NewLimiter(rate.Limit(bandwidth), max(chunk, int(bandwidth/20)))
}

// listener counts and slows down what is sent on the connections of l.
func (l limits) listener(in net.Listener, sent *atomic.Int64) net.Listener {
	return limited{in, l, sent}
}

type limited struct {
	net.Listener
	limits limits
	sent   *atomic.Int64
}

func (l limited) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &slow{Conn: c, all: l.limits.all, own: limiter(l.limits.each), sent: l.sent, ctx: ctx, cancel: cancel}, nil
}

// slow is a connection with a bandwidth.
type slow struct {
	net.Conn
	all, own *rate.Limiter
	sent     *atomic.Int64
	ctx      context.Context
	cancel   context.CancelFunc
}

func (s *slow) Write(b []byte) (int, error) {
	done := 0
	for done < len(b) {
		n := min(chunk, len(b)-done)
		for _, l := range []*rate.Limiter{s.own, s.all} {
			if err := l.WaitN(s.ctx, n); err != nil {
				return done, err
			}
		}
		n, err := s.Conn.Write(b[done : done+n])
		done += n
		s.sent.Add(int64(n))
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

func (s *slow) Close() error {
	s.cancel()
	return s.Conn.Close()
}
