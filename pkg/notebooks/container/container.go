// Package container works in the container of a notebook: it runs commands there, and reads
// what the container has logged.
package container

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/exec"
	streaming "k8s.io/streaming/pkg/httpstream"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
)

// Target is one container of a notebook's pod.
type Target struct{ Namespace, Pod, Container string }

func (t Target) String() string {
	return fmt.Sprintf("container %s of Pod %s/%s", t.Container, t.Namespace, t.Pod)
}

// Of finds a container of a notebook: its own for an empty name. Containers that only run
// at the start of a pod are found with inits.
func Of(ctx context.Context, c *cluster.Cluster, namespace, notebook, name string, inits bool) (*Target, error) {
	n, err := notebooks.Get(ctx, c, namespace, notebook)
	if err != nil {
		return nil, err
	}
	if err := n.NeedsPod(); err != nil {
		return nil, err
	}
	if name, err = n.ContainerNamed(name, inits); err != nil {
		return nil, err
	}
	return &Target{n.Namespace, n.Pod, name}, nil
}

// Command is what is to be run, and the streams that it gets. Without Stdin it reads
// nothing; with TTY it has a terminal, whose output is all in Stdout.
type Command struct {
	Args           []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	TTY            bool
	// Sizes tells the size of the terminal; nil leaves it as it is.
	Sizes remotecommand.TerminalSizeQueue
}

// ExitError tells that a command ran and ended with another code than zero.
type ExitError struct{ Code int }

func (e ExitError) Error() string { return fmt.Sprintf("the command ended with exit code %d", e.Code) }

// Exec runs a command and returns when it has ended, with an ExitError where it failed. It
// needs the right to create pods/exec.
func Exec(ctx context.Context, c *cluster.Cluster, t Target, command Command) error {
	if command.TTY {
		command.Stderr = nil
	}
	options := &corev1.PodExecOptions{
		Container: t.Container, Command: command.Args, TTY: command.TTY,
		Stdin: command.Stdin != nil, Stdout: command.Stdout != nil, Stderr: command.Stderr != nil,
	}
	address := c.REST().Post().AbsPath("/api/v1").Namespace(t.Namespace).Resource("pods").Name(t.Pod).SubResource("exec").
		SpecificallyVersionedParams(options, scheme.ParameterCodec, corev1.SchemeGroupVersion).URL()
	run, refused, err := executor(c, address)
	if err != nil {
		return fmt.Errorf("%s: %w", t, err)
	}
	err = run.StreamWithContext(ctx, remotecommand.StreamOptions{
		Stdin: command.Stdin, Stdout: command.Stdout, Stderr: command.Stderr, Tty: command.TTY, TerminalSizeQueue: command.Sizes,
	})
	var exited exec.CodeExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exited):
		return ExitError{exited.Code}
	case ctx.Err() != nil:
		return ctx.Err()
	case refused() != nil && strings.Contains(err.Error(), "unable to upgrade"):
		err = refused()
	case isNoProgram(err):
		return fmt.Errorf("%s: its image has no program %q: %w", t, command.Args[0], noProgramError{err})
	}
	return fmt.Errorf("%s: %w", t, err)
}

// noProgramError tells that a command could not be started.
type noProgramError struct{ error }

// IsNoProgram tells that the image does not have the program that was to be run.
func IsNoProgram(err error) bool { return errors.As(err, &noProgramError{}) }

func isNoProgram(err error) bool {
	text := err.Error()
	return strings.Contains(text, "exec") && (strings.Contains(text, "executable file not found") || strings.Contains(text, "no such file or directory"))
}

// executor runs a command over a websocket, which passes through most proxies, and over
// SPDY where the server is older than that. The second result is why the server refused,
// once it has: the executors leave only a text of it.
func executor(c *cluster.Cluster, address *url.URL) (remotecommand.Executor, func() error, error) {
	websocket, err := remotecommand.NewWebSocketExecutor(c.Config, http.MethodGet, address.String())
	if err != nil {
		return nil, nil, err
	}
	older, err := remotecommand.NewSPDYExecutor(c.Config, http.MethodPost, address)
	if err != nil {
		return nil, nil, err
	}
	var refused error
	run, err := remotecommand.NewFallbackExecutor(websocket, older, func(err error) bool {
		var upgrade *streaming.UpgradeFailureError
		if errors.As(err, &upgrade) && isFinal(upgrade.Cause) {
			refused = upgrade.Cause
		}
		return upgrade != nil || streaming.IsHTTPSProxyError(err)
	})
	return run, func() error { return refused }, err
}

// isFinal tells answers that another way of asking does not change.
func isFinal(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) || apierrors.IsNotFound(err)
}

// Logs opens the log of a container.
func Logs(ctx context.Context, c *cluster.Cluster, t Target, o corev1.PodLogOptions) (io.ReadCloser, error) {
	o.Container = t.Container
	stream, err := c.Log(ctx, t.Namespace, t.Pod, &o)
	switch {
	case err == nil:
		return stream, nil
	case o.Previous && apierrors.IsBadRequest(err):
		return nil, fmt.Errorf("%s: --previous: it has not been restarted, or its log is gone: %w", t, err)
	}
	return nil, fmt.Errorf("log of %s: %w", t, err)
}
