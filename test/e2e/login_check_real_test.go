//go:build e2e_real

package e2e

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
)

const (
	loginUser     = "user@example.com"
	loginPassword = "correct horse battery staple"
	// gatewayAddress is in the bed's range of cluster IPs, which its proxy reaches from outside.
	gatewayAddress = "10.96.255.10"
	webAppURL      = "http://" + gatewayAddress + "/jupyter/"
)

// checked is what `login-url --check -o json` prints.
type checked struct {
	result
	Through string
	Probes  []struct{ Hop, Outcome, Came, Cause string }
	Causes  []struct {
		Name, Severity, Summary string
		Evidence                []string
	}
}

// names of the causes, the worst first.
func (c checked) names() []string {
	var names []string
	for _, cause := range c.Causes {
		names = append(names, cause.Name)
	}
	return names
}

// says all that proves the causes of a name.
func (c checked) says(name string) string {
	var lines []string
	for _, cause := range c.Causes {
		if cause.Name == name {
			lines = append(append(lines, cause.Severity, cause.Summary), cause.Evidence...)
		}
	}
	return strings.Join(lines, "\n")
}

// at is the cause that a hop's probe names.
func (c checked) at(hop string) string {
	for _, p := range c.Probes {
		if p.Hop == hop {
			return p.Cause
		}
	}
	return ""
}

// checkLogin walks the way in; with a password as the first user.
func (b *bed) checkLogin(t *testing.T, password string, flags ...string) checked {
	t.Helper()
	args := append([]string{"login-url", "--check", "-o", "json"}, flags...)
	if password != "" {
		args = append(args, "--user-email", loginUser, "--password-stdin")
	}
	c := checked{result: b.run(context.Background(), password, nil, args...)}
	if err := json.Unmarshal([]byte(c.Stdout), &c); err != nil {
		t.Fatalf("kubectl %s: %v: %s", strings.Join(args, " "), err, c.result)
	}
	return c
}

// throughProxy lets what this test starts reach addresses of the bed, as a company's
// proxy would.
func (b *bed) throughProxy(t *testing.T) {
	t.Helper()
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"} {
		t.Setenv(name, b.state().Proxy)
	}
}

// healthy waits until the whole way works.
func (b *bed) healthy(t *testing.T) {
	t.Helper()
	var c checked
	eventually(t, "the way in works", func() bool {
		c = b.checkLogin(t, loginPassword)
		return c.Code == 0
	})
	if len(c.Causes) > 0 {
		t.Errorf("the way in works, and still there are causes: %s", c.result)
	}
}
