package identity

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/login"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/users"
)

const hopDex = "Dex"

// ThroughDex has Dex use a connector that it has: what it is asked from inside of the cluster is
// what it is asked at a login. By the form of a directory somebody tries to log in who cannot
// exist, which the directory has to be searched for; for others Dex reads the provider's
// document and sends a browser there. The error is that Dex could not be asked.
func (s *Store) ThroughDex(ctx context.Context, c *Connector) (*Findings, error) {
	f := &Findings{Asked: "by Dex, from inside the cluster"}
	ctx, cancel := context.WithCancel(ctx) // the tunnel ends with the question
	defer cancel()
	tunnel, err := users.ToDex(ctx, s.Cluster)
	if err != nil {
		return nil, fmt.Errorf("Dex could not be asked: %w", err)
	}
	start := time.Now()
	if !c.Redirects() {
		const expected = "nobody has that name"
		request := "log in as somebody who does not exist"
		in, err := users.SignInBy(ctx, "http://"+tunnel.Address, c.ID, "nobody-"+strings.ToLower(rand.Text()), []byte(rand.Text()))
		switch {
		case err != nil:
			f.add(hopDex, request, expected, gist(err), start, s.dexCause(ctx, c, start, err.Error()))
		case in:
			f.add(hopDex, request, expected, "logged in", start, causeOf(c, diagnose.ProviderRefuses, "the provider lets in who does not exist", "do not use it: kubectl jupyter identity remove "+c.ID))
		default:
			f.add(hopDex, request, expected, "nobody has that name: bind and search work", start, nil)
		}
		return f, nil
	}
	const expected = "a redirect to the provider"
	request := "GET /dex/auth/" + c.ID
	location, code, err := users.RedirectBy(ctx, "http://"+tunnel.Address, c.ID)
	if err != nil {
		return nil, fmt.Errorf("Dex could not be asked: %w", err)
	}
	// To itself it would redirect for a form.
	if to, err := url.Parse(location); err == nil && to.Host != "" && to.Host != tunnel.Address {
		f.add(hopDex, request, expected, "a redirect to "+to.Host, start, nil)
	} else {
		f.add(hopDex, request, expected, fmt.Sprint(code), start, s.dexCause(ctx, c, start, fmt.Sprintf("Dex returned %d", code)))
	}
	return f, nil
}

// dexCause is why Dex does not get on with a provider, in the words of its log.
func (s *Store) dexCause(ctx context.Context, c *Connector, since time.Time, said string) *report.Cause {
	evidence := append([]string{said}, complaintsOf(ctx, s.Cluster, since)...)
	name, summary := diagnose.ProviderRefuses, "Dex cannot use the provider"
	all := strings.ToLower(strings.Join(evidence, " "))
	switch {
	case strings.Contains(all, "certificate"):
		name, summary = diagnose.ProviderUntrusted, "Dex does not trust the provider's certificate"
	case slices.ContainsFunc([]string{"failed to connect", "no such host", "connection refused", "i/o timeout", "deadline exceeded", "no route to host", "network is unreachable"}, func(w string) bool { return strings.Contains(all, w) }):
		name, summary = diagnose.ProviderUnreachable, "Dex does not reach the provider from its pod"
	case strings.Contains(all, "did not match the issuer"):
		name, summary = diagnose.IssuerMismatch, "the provider's issuer is another one than the connector's"
	case strings.Contains(all, "expected callback url"):
		name, summary = diagnose.CallbackUnregistered, "the connector's callback is not Dex's: the issuer has moved since"
	}
	return causeOf(c, name, summary, fmt.Sprintf("kubectl -n %s logs deployment/dex", Namespace), evidence...)
}

// complaintsOf Dex, as lines of evidence.
func complaintsOf(ctx context.Context, c *cluster.Cluster, since time.Time) []string {
	said := login.Complaints(ctx, c, Namespace, since)
	for i := range said {
		said[i] = "Dex: " + said[i]
	}
	return said
}
