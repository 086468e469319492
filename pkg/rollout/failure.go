package rollout

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	utilnet "k8s.io/apimachinery/pkg/util/net"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Failure is why a run ended without reaching its end.
type Failure struct {
	// Err says it in one sentence.
	Err error
	// Causes, worst first, with their evidence.
	Causes []report.Cause
	// Stood says how far the run came.
	Stood string
}

func (f *Failure) Error() string { return f.Err.Error() }

func (f *Failure) Unwrap() error { return f.Err }

// ErrTimeout is wrapped by a Failure when --timeout ran out.
var ErrTimeout = errors.New("timed out")

// ErrInterrupted is wrapped by a Failure when the caller's context was cancelled.
var ErrInterrupted = errors.New("interrupted")

// retryable tells whether an answer to a write may be different later, and names
// what is waited for. Everything else is a refusal that no waiting cures.
func retryable(err error) (string, bool) {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return "", false
	}
	message := err.Error()
	switch {
	case strings.Contains(message, "failed calling webhook"):
		return webhookOf(message) + " does not answer yet: " + reasonOf(message), true
	case apierrors.IsTooManyRequests(err), apierrors.IsServerTimeout(err), apierrors.IsTimeout(err), apierrors.IsServiceUnavailable(err):
		return "the API server is busy: " + message, true
	case apierrors.IsForbidden(err) && strings.Contains(message, "being terminated"):
		return "its namespace is still being deleted", true
	case apierrors.IsNotFound(err) && strings.Contains(message, "could not find the requested resource"):
		return "its kind is not served yet", true
	case apierrors.IsInvalid(err) && strings.Contains(message, "being deleted"), apierrors.IsAlreadyExists(err) && strings.Contains(message, "object is being deleted"):
		return "a previous object of that name is still being deleted", true
	case apierrors.IsForbidden(err) && strings.Contains(message, "error looking up service account"):
		return "its service account does not exist yet", true
	case apierrors.IsInternalError(err) && strings.Contains(message, "no API token found"):
		return "its service account is not ready yet", true
	case etcdPasses(message):
		return "the API server's storage (etcd) does not answer: " + lastClause(message), true
	}
	var network *net.OpError
	if errors.As(err, &network) || utilnet.IsConnectionRefused(err) || utilnet.IsConnectionReset(err) || utilnet.IsProbableEOF(err) || utilnet.IsHTTP2ConnectionLost(err) {
		return "the API server does not answer: " + message, true
	}
	return "", false
}

// etcdPasses tells etcd's troubles that pass by themselves, such as the election of a
// leader or a disk that is slow for a moment. The API server hands them on as errors
// without a reason. A full database or too large a request does not pass.
func etcdPasses(message string) bool {
	for _, passing := range []string{"request timed out", "leader changed", "no leader", "too many requests"} {
		if strings.Contains(message, "etcdserver: "+passing) {
			return true
		}
	}
	return false
}

// webhookOf cuts the name out of `failed calling webhook "NAME": ...`.
func webhookOf(message string) string {
	_, rest, ok := strings.Cut(message, `failed calling webhook "`)
	if !ok {
		return "a webhook"
	}
	name, _, _ := strings.Cut(rest, `"`)
	return "webhook " + name
}

// reasonOf is why a call of a webhook failed: what follows the address that was called,
// as in `Post "https://...": remote error: tls: internal error`.
func reasonOf(message string) string {
	if _, called, ok := strings.Cut(message, `Post "`); ok {
		if _, reason, ok := strings.Cut(called, `": `); ok {
			return reason
		}
	}
	if _, reason, ok := strings.Cut(message, "failed calling webhook "); ok {
		return reason
	}
	return message
}

// lastClause is what follows the last ": ", which in Go's errors is the reason.
func lastClause(message string) string {
	if i := strings.LastIndex(message, ": "); i >= 0 {
		return message[i+2:]
	}
	return message
}

// refusal adds to an error what a person can do about it.
func refusal(ref report.Ref, err error) error {
	switch {
	case meta.IsNoMatchError(err):
		return fmt.Errorf("%s: the cluster does not serve this kind, and no component to install defines it: %w", ref, err)
	case apierrors.IsForbidden(err):
		return fmt.Errorf("%s: not allowed: %w", ref, err)
	}
	return fmt.Errorf("%s: %w", ref, err)
}

// Bounded ends a context after the time that --timeout gives; zero means no bound.
func Bounded(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, timeout, fmt.Errorf("%w after %s", ErrTimeout, timeout))
}
