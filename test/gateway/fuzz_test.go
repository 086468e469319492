package gateway

import (
	"slices"
	"strings"
	"testing"
)

// FuzzCredentials sends a notebook whatever cookies a browser, or somebody who wants to
// confuse the gateway, could send. None that oauth2-proxy would read as its own is left, in
// the way in which Go, in which it is written, reads cookies; and a notebook's own stay.
func FuzzCredentials(f *testing.F) {
	for _, cookie := range []string{
		"oauth2_proxy_kubeflow=s", "a=1; oauth2_proxy_kubeflow_0=s;b=2", "a=\"; oauth2_proxy_kubeflow=s; b=\"", " oauth2_proxy_kubeflow\t=s", "oauth2_proxy_kubeflow",
		"=oauth2_proxy_kubeflow=s", "oauth2_proxy_kubeflow_csrf_x=s", ";;;", "%6fauth2_proxy_kubeflow=s", "OAUTH2_PROXY_KUBEFLOW=s", "a=b,oauth2_proxy_kubeflow=s", "\x00", "a=oauth2_proxy_kubeflow=s",
	} {
		f.Add(cookie, "mine=1", "x-auth-request-email")
	}
	state := credentials(f)
	f.Fuzz(func(t *testing.T, cookie, second, header string) {
		// Envoy takes no header with control characters, and header names in lower case alone.
		control := func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
		if strings.ContainsFunc(cookie+second, control) || strings.Trim(header, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" || header == "" || header == "cookie" {
			return
		}
		left := handedOn(t, state, "x-kubectl-jupyter-cluster: "+notebookCluster, "cookie: "+cookie, header+": planted", "cookie: "+second, "authorization: Bearer t")
		var kept []string
		for _, h := range left {
			name, value, _ := strings.Cut(h, ": ")
			if name == "authorization" || name == "x-kubectl-jupyter-cluster" || strings.HasPrefix(name, "x-auth-request-") || strings.HasPrefix(name, "x-forwarded-access-token") {
				t.Errorf("%s is handed on", h)
			}
			if name == "cookie" {
				kept = append(kept, names(value)...)
			}
		}
		for _, name := range kept {
			if session(name) {
				t.Errorf("of %q and %q the cookie %s is handed on", cookie, second, name)
			}
		}
		for _, name := range append(names(cookie), names(second)...) {
			if !session(name) && !slices.Contains(kept, name) {
				t.Errorf("of %q and %q the cookie %q is lost: left %q", cookie, second, name, kept)
			}
		}
	})
}

// names are those of a Cookie header, as net/http reads it: parts between semicolons, in
// which what is before the first equals sign is the name, without blanks around it.
func names(header string) []string {
	var out []string
	for part := range strings.SplitSeq(header, ";") {
		name, _, ok := strings.Cut(strings.Trim(part, " \t"), "=")
		if name = strings.Trim(name, " \t"); ok && name != "" {
			out = append(out, name)
		}
	}
	return out
}

// session tells the cookies that oauth2-proxy reads: the session, its parts, a login's own.
func session(name string) bool {
	rest, ok := strings.CutPrefix(name, "oauth2_proxy_kubeflow")
	if !ok {
		return false
	}
	number, part := strings.CutPrefix(rest, "_")
	return rest == "" || strings.HasPrefix(rest, "_csrf") || part && number != "" && strings.Trim(number, "0123456789") == ""
}
