package users

import (
	"net/url"
	"strings"
	"testing"
)

// FuzzBelow checks that wherever Dex's redirects lead, the next request, which may have the
// password with it, goes to the tunnel to Dex.
func FuzzBelow(f *testing.F) {
	for _, location := range []string{
		"/dex/auth/local?req=a", "http://dex.auth.svc.cluster.local:5556/dex/auth?x=y#z", "//other.invalid/x", "x:@other.invalid/", "?a=b", "", "../up",
		"mailto:a@other.invalid", "/a b", "http://other.invalid", "x:/%zz", "/\x00", "*",
	} {
		f.Add(location)
	}
	const tunnel = "127.0.0.1:34567"
	f.Fuzz(func(t *testing.T, location string) {
		path, err := below(location)
		if err != nil {
			return
		}
		if !strings.HasPrefix(path, "/") {
			t.Errorf("%q leads to %q, which is no path", location, path)
		}
		u, err := url.Parse("http://" + tunnel + path)
		if err == nil && (u.Host != tunnel || u.User != nil) {
			t.Errorf("%q leads to %s, want the tunnel at %s", location, u.Host, tunnel)
		}
	})
}
