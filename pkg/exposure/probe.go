package exposure

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

const (
	// answers is how long an address may take until it answers: neighbours have to learn
	// where it is, and a proxy that has just started asks for its configuration first.
	answers = 20 * time.Second
	// resolves is the same for an address that is a name, which clouds give before it is
	// known everywhere.
	resolves = 3 * time.Minute
	// oneAnswer bounds a single try.
	oneAnswer = 3 * time.Second
	// healthPort is where the gateway says whether it is ready.
	healthPort = 15021
)

// Probe asks whether the way in answers: its URL, and the gateway's own health where the
// Service has that port too. Any answer counts that is not a proxy's about somebody behind
// it, also a redirection to the login or a refusal: whether it is the right one, login-url
// finds out. A certificate is not checked. Failures are tried again for twenty seconds,
// for an address that is a name for three minutes.
func Probe(ctx context.Context, svc *corev1.Service, way report.WayIn, say func(string)) error {
	patience := answers
	if net.ParseIP(way.Address) == nil {
		patience = resolves
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	client := &http.Client{
		Timeout: oneAnswer,
		Transport: &http.Transport{
			Proxy:             http.ProxyFromEnvironment,
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // no secret is sent, and nothing of the answer is used
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if err := untilAnswers(ctx, client, way.URL, say, func(code int) bool { return code < http.StatusBadGateway || code > http.StatusGatewayTimeout }); err != nil {
		return err
	}
	health := healthURL(svc, way)
	if health == "" {
		return nil
	}
	return untilAnswers(ctx, client, health, say, func(code int) bool { return code == http.StatusOK })
}

// healthURL is where the gateway's health is asked from outside, empty where it is not.
func healthURL(svc *corev1.Service, way report.WayIn) string {
	for _, p := range svc.Spec.Ports {
		if p.Port != healthPort {
			continue
		}
		number := healthPort
		if way.Via == string(corev1.ServiceTypeNodePort) {
			number = int(p.NodePort)
		}
		u := url.URL{Scheme: "http", Host: net.JoinHostPort(way.Address, strconv.Itoa(number)), Path: "/healthz/ready"}
		return u.String()
	}
	return ""
}

func untilAnswers(ctx context.Context, client *http.Client, address string, say func(string), good func(int) bool) error {
	said := false
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		err := ask(ctx, client, address, good)
		if err == nil {
			return nil
		}
		if !said {
			said = true
			say(fmt.Sprintf("%s does not answer yet: %v", address, err))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("GET %s: %w", address, err)
		case <-ticker.C:
		}
	}
}

func ask(ctx context.Context, client *http.Client, address string, good func(int) bool) error {
	// The deadline of all tries does not cut the last one: its own words say more.
	request, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			return wrapped.Err
		}
		return err
	}
	_ = response.Body.Close()
	if !good(response.StatusCode) {
		return wrongAnswer(response.Status)
	}
	return nil
}

// wrongAnswer is that of somebody who is not a gateway that is ready.
type wrongAnswer string

func (w wrongAnswer) Error() string { return "the answer is " + string(w) }

// Unreachable is the cause of a way in that does not answer, or not as the gateway would.
func Unreachable(way report.WayIn, err error) report.Cause {
	c := report.Cause{
		Name: diagnose.AddressUnreachable, Severity: report.Error, Component: component, Object: ServiceRef,
		Summary:  fmt.Sprintf("%s does not answer from this machine", way.Address),
		Evidence: []string{err.Error()},
		Remedy:   "if the nodes' network is not reachable, such as Docker's on macOS and Windows: kubectl jupyter port-forward; if this machine is not meant to reach it: --probe=false",
	}
	if proxy, by := cluster.Proxy(way.URL, nil); proxy != "" {
		c.Summary = fmt.Sprintf("requests to %s go through the proxy %s (%s), which does not bring them to a ready gateway", way.Address, proxy, by)
		c.Remedy = fmt.Sprintf("add %s to NO_PROXY, here and in the browser; if only browsers are meant to reach it: --probe=false", way.Address)
		return c
	}
	var wrong wrongAnswer
	if errors.As(err, &wrong) {
		c.Summary = fmt.Sprintf("what answers at %s is not a ready gateway", way.Address)
		c.Remedy = "to find the hop that answers: kubectl jupyter login-url --check; to find out whether it is the network: kubectl jupyter login-url --check --port-forward"
	}
	return c
}

// Answers probes the way in, and says why it does not answer.
func Answers(ctx context.Context, c *cluster.Cluster, way report.WayIn, say func(string)) error {
	snapshot, err := Read(ctx, c)
	if err != nil {
		return err
	}
	failed := Probe(ctx, snapshot.Gateway(), way, say)
	if failed == nil {
		return nil
	}
	causes := append(snapshot.Causes(), Unreachable(way, failed))
	if blocked := blockedByPolicies(ctx, c, strings.HasPrefix(way.URL, "https:")); blocked != nil {
		causes = append([]report.Cause{*blocked}, causes...)
	}
	if !snapshot.GatewayRuns() {
		// The way there is not at fault, as far as anybody can tell.
		gateway := report.Ref{Group: "apps", Kind: "Deployment", Namespace: Namespace, Name: ServiceName}
		causes = diagnose.Explain(ctx, c, []diagnose.Subject{{Component: "istio", Ref: gateway, Message: "has no ready pod, so nothing serves the address"}})
	}
	return &rollout.Failure{Err: fmt.Errorf("%s has the address %s, which does not answer from this machine: %w", ServiceRef, way.Address, failed), Causes: causes}
}
