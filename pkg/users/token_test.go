package users

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// jwt is a token with these claims and no signature worth the name.
func jwt(claims string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
}

// dexOf is a stand-in for Dex that knows one person, and hands out a token for its code.
func dexOf(t *testing.T, claims string) string {
	t.Helper()
	challenge := ""
	mux := http.NewServeMux()
	mux.HandleFunc("GET /dex/auth/local", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		challenge = q.Get("code_challenge")
		if q.Get("client_id") != "client" || q.Get("code_challenge_method") != "S256" || !strings.Contains(q.Get("scope"), "groups") {
			t.Errorf("Dex is asked %s", r.URL.RawQuery)
		}
		http.Redirect(w, r, "/dex/auth/local/login?state="+q.Get("state"), http.StatusFound)
	})
	mux.HandleFunc("GET /dex/auth/local/login", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /dex/auth/local/login", func(w http.ResponseWriter, r *http.Request) {
		if r.PostFormValue("login") != "ada@example.com" || r.PostFormValue("password") != "right" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Location", "/oauth2/callback?"+url.Values{"code": {"c"}, "state": {r.URL.Query().Get("state")}}.Encode())
		w.WriteHeader(http.StatusSeeOther)
	})
	mux.HandleFunc("POST /dex/token", func(w http.ResponseWriter, r *http.Request) {
		digest := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
		if r.PostFormValue("code") != "c" || r.PostFormValue("client_secret") != "secret" || base64.RawURLEncoding.EncodeToString(digest[:]) != challenge {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":"invalid_client","error_description":"Invalid client credentials."}`)
			return
		}
		fmt.Fprintf(w, `{"access_token":"a","id_token":%q}`, jwt(claims))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

func TestATokenIsThatOfALogin(t *testing.T) {
	const claims = `{"email":"ada@example.com","exp":1800000000}`
	dex := dexOf(t, claims)
	token, err := tokenAt(t.Context(), dex, "client", "secret", "ada@example.com", []byte("right"))
	if err != nil {
		t.Fatal(err)
	}
	if want := (Token{"ada@example.com", jwt(claims), time.Unix(1800000000, 0).UTC()}); *token != want {
		t.Errorf("the token is %+v, want %+v", *token, want)
	}
	if _, err := tokenAt(t.Context(), dex, "client", "secret", "ada@example.com", []byte("wrong")); !errors.Is(err, ErrRejected) {
		t.Errorf("with a wrong password: %v", err)
	}
	if _, err := tokenAt(t.Context(), dex, "client", "another", "ada@example.com", []byte("right")); err == nil || !strings.Contains(err.Error(), "Invalid client credentials") {
		t.Errorf("with another client's secret: %v", err)
	}
}

func TestATokenThatTheGatewayWouldNotTakeIsNotHandedOut(t *testing.T) {
	for name, token := range map[string]string{
		"no JWT": "abc", "no claims": "a.b.c", "claims that are none": jwt("[]"), "nobody's": jwt(`{"exp":1}`), "one that never ends": jwt(`{"email":"ada@example.com"}`),
	} {
		if got, err := parseToken(token); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
