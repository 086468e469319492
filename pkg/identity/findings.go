package identity

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Claims are what a provider says of a person.
type Claims struct {
	// Entry is where the directory has the person.
	Entry string `json:"entry,omitempty"`
	Email string `json:"email"`
	// Verified tells that the provider vouches for the address; Dex takes directories as doing so.
	Verified bool     `json:"emailVerified"`
	Groups   []string `json:"groups"`
	// Profile that the address opens, empty where there is none.
	Profile string `json:"profile,omitempty"`
}

// Findings are what asking a provider has brought.
type Findings struct {
	// Asked says from where: this machine, through the API server, Dex.
	Asked  string         `json:"asked"`
	Probes []report.Probe `json:"probes"`
	Causes []report.Cause `json:"causes,omitempty"`
	Claims *Claims        `json:"claims,omitempty"`
}

// Passed tells that nothing failed.
func (f *Findings) Passed() bool {
	return !slices.ContainsFunc(f.Probes, func(p report.Probe) bool { return p.Outcome == report.ProbeFailed }) &&
		!slices.ContainsFunc(f.Causes, func(c report.Cause) bool { return c.Severity >= report.Error })
}

// Unreached tells that the provider did not answer where it was asked from, which says
// little of whether Dex would reach it.
func (f *Findings) Unreached() bool {
	return len(f.Probes) > 0 && f.Probes[0].Outcome == report.ProbeFailed && f.Probes[0].Cause == diagnose.ProviderUnreachable
}

// add numbers a step and records it. A cause makes it fail.
func (f *Findings) add(hop, request, expected, came string, since time.Time, cause *report.Cause) {
	p := report.Probe{Step: len(f.Probes) + 1, Hop: hop, Request: request, Expected: expected, Came: came, Outcome: report.ProbePassed, Elapsed: time.Since(since).Seconds()}
	if cause != nil {
		p.Outcome, p.Cause = report.ProbeFailed, cause.Name
		f.Causes = append(f.Causes, *cause)
	}
	f.Probes = append(f.Probes, p)
}

// skip records a step that was not taken.
func (f *Findings) skip(hop, expected, why string) {
	f.Probes = append(f.Probes, report.Probe{Step: len(f.Probes) + 1, Hop: hop, Expected: expected, Came: why, Outcome: report.ProbeSkipped})
}

// causeOf is a fault of a connector.
func causeOf(c *Connector, name, summary, remedy string, evidence ...string) *report.Cause {
	return &report.Cause{
		Name: name, Severity: report.Error, Component: component, Object: Ref(c.ID), Summary: summary, Evidence: evidence, Remedy: remedy,
	}
}

// unreachable is a provider that did not answer.
func (c *Connector) unreachable(asked, address string, err error) *report.Cause {
	return causeOf(c, diagnose.ProviderUnreachable, fmt.Sprintf("%s does not answer at %s, asked %s", known[c.Type].name, address, asked),
		"check the address and firewalls\nif only the cluster reaches it: --skip-provider-check leaves out the check from here, and Dex is asked afterwards", err.Error())
}

// Dial makes a connection to a provider.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Asker asks providers from one place.
type Asker struct {
	Dial Dial
	// Says where it asks from.
	Says string
	// Proxy of HTTP requests; nil for none.
	Proxy func(*http.Request) (*url.URL, error)
	// Timeout of one request.
	Timeout time.Duration
}

// opens names the Profile of an address: the owner is compared letter by letter.
func (f *Findings) opens(c *Connector, profiles map[string]string) {
	claims := f.Claims
	if claims == nil || claims.Email == "" {
		return
	}
	if p, ok := profiles[claims.Email]; ok {
		claims.Profile = p
		return
	}
	for owner, p := range profiles {
		if strings.EqualFold(owner, claims.Email) {
			f.Causes = append(f.Causes, *causeOf(c, diagnose.OwnerCaseDiffers,
				fmt.Sprintf("Profile %s belongs to %s, and the provider writes the address as %s: its owner would see no namespace", p, owner, claims.Email),
				fmt.Sprintf("kubectl edit profile %[1]s   write the owner as the provider does\nkubectl annotate namespace %[1]s --overwrite owner=%[2]s", p, claims.Email)))
			return
		}
	}
	f.Causes = append(f.Causes, report.Cause{
		Name: diagnose.ProfileMissing, Severity: report.Warning, Component: "profiles", Object: report.Ref{Group: "kubeflow.org", Kind: "Profile", Name: "for " + claims.Email},
		Summary: claims.Email + " can log in and has no Profile, so no namespace for notebooks", Remedy: "kubectl jupyter user add " + claims.Email,
	})
}
