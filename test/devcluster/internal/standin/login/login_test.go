package login

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
)

func get(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

func TestDexIsBelowThePathOfItsIssuer(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	const issuer = "http://dex.auth.svc.cluster.local:5556/dex"
	h := DexHandler(issuer, &key.PublicKey)
	for path, want := range map[string]int{"/dex/healthz": 200, "/dex/keys": 200, "/healthz": 404, "/dex/auth": 404} {
		if w := get(t, h, path); w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
	var d map[string]any
	if err := json.NewDecoder(get(t, h, "/dex/.well-known/openid-configuration").Body).Decode(&d); err != nil {
		t.Fatal(err)
	}
	if d["issuer"] != issuer || d["jwks_uri"] != issuer+"/keys" {
		t.Errorf("discovery %v", d)
	}
}

func TestOAuth2ProxyAnswersSomebodyWithoutASession(t *testing.T) {
	for path, want := range map[string]int{"/ping": 200, "/ready": 200, "/oauth2/auth": 401, "/jupyter/": 403} {
		if w := get(t, OAuth2ProxyHandler(), path); w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
}

func TestOAuth2ProxyListensWhereItIsTold(t *testing.T) {
	for want, args := range map[string][]string{"4180": nil, "9999": {"--x", "--http-address=0.0.0.0:9999"}} {
		if got := oauth2ProxyPort(args); got != want {
			t.Errorf("%v: %s, want %s", args, got, want)
		}
	}
}
