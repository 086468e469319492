package notebook

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/exposure"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/login"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/activity"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/show"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

const (
	// asking is between two questions to a server that does not answer yet.
	asking = time.Second
	// unasked times in a row are enough to know that the server cannot be asked.
	unasked = 3
	// trying bounds the test of the gateway's address.
	trying = 5 * time.Second
)

// AwaitAnswer waits until a notebook runs and its server answers, through the API server.
func (p *Place) AwaitAnswer(ctx context.Context, b *plugin.Base, name string) error {
	var n *notebooks.Notebook
	err := p.Await(ctx, b, name, func(now *notebooks.Notebook) bool {
		n = now
		return now != nil && now.State == notebooks.Running
	})
	if err != nil {
		return err
	}
	failed := 0
	return untilAnswers(ctx, b, n.Ref(), "its server", func() error {
		err := activity.Answers(ctx, p.Cluster, activity.TargetOf(n))
		switch {
		case err == nil:
			fmt.Fprintf(b.ErrOut, "%s: its server answers, through the API server\n", name)
			return nil
		case activity.IsForbidden(err), activity.IsUnasked(err) && failed == unasked:
			fmt.Fprintf(b.ErrOut, "warning: %s runs; whether its server answers is not known: %v\n", name, err)
			return nil
		}
		if failed++; !activity.IsUnasked(err) {
			failed = 0
		}
		return err
	})
}

// AwaitGateway waits until a notebook answers somebody who has logged in, through the gateway.
func (p *Place) AwaitGateway(ctx context.Context, b *plugin.Base, name, url string, who *login.Visitor) error {
	return untilAnswers(ctx, b, notebooks.RefOf(p.Namespace, name), "the gateway", func() error {
		err := who.Answers(ctx, url)
		if err == nil {
			fmt.Fprintf(b.ErrOut, "%s: answers through the gateway\n", name)
		}
		return err
	})
}

// untilAnswers asks a notebook until it answers, and says each new reason why not yet.
func untilAnswers(ctx context.Context, b *plugin.Base, n report.Ref, through string, ask func() error) error {
	tick := time.NewTicker(asking)
	defer tick.Stop()
	said := ""
	for {
		err := ask()
		if err == nil {
			return nil
		}
		if err.Error() != said && ctx.Err() == nil {
			said = err.Error()
			fmt.Fprintf(b.ErrOut, "%s: waiting for %s: %s\n", n.Name, through, said)
		}
		select {
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), plugin.ErrInterrupted) {
				return ctx.Err()
			}
			return fmt.Errorf("%s: its pod is ready, but %s does not answer (%w): %s", n, through, context.Cause(ctx), said)
		case <-tick.C:
		}
	}
}

// URL is where the gateway serves a notebook, or why nowhere.
func (p *Place) URL(ctx context.Context, name string) (string, report.WayIn, error) {
	in, err := login.FindAddress(ctx, p.Cluster)
	if err != nil {
		return "", in, fmt.Errorf("%s: %w", p.Where(), err)
	}
	if in.URL == "" {
		return "", in, fmt.Errorf("%s has no URL: %s\nrun `kubectl jupyter expose` to assign an address, or `kubectl jupyter port-forward` to connect without one", notebooks.RefOf(p.Namespace, name), in.Missing)
	}
	url, err := login.NotebookURL(in, p.Namespace, notebooks.Path(p.Namespace, name))
	return url, in, err
}

// ShowURL prints the URL of a notebook that runs, and opens it where that was asked for.
// That there is none is no failure of what was done, and neither is an address that does
// not answer from here: both are said.
func (p *Place) ShowURL(ctx context.Context, b *plugin.Base, name string, open bool) error {
	url, in, err := p.URL(ctx, name)
	if err != nil {
		fmt.Fprintf(b.ErrOut, "warning: %v\n", err)
		return nil
	}
	within, cancel := context.WithTimeout(ctx, trying)
	defer cancel()
	if err := exposure.Probe(within, &corev1.Service{}, in, func(string) {}); err != nil {
		fmt.Fprintf(b.ErrOut, "warning: the gateway does not answer from this machine, at %s: %v\n", in.URL, err)
	}
	if _, err := fmt.Fprintln(b.Out, url); err != nil || !open {
		return err
	}
	return show.OpenBrowser(ctx, url)
}
