package users

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/forward"
)

// Token is what the gateway takes from a program in the place of a session.
type Token struct {
	Email   string    `json:"email"`
	Token   string    `json:"token"`
	Expires time.Time `json:"expires"`
}

// ErrRejected tells that Dex does not take a password.
var ErrRejected = errors.New("Dex rejects the password")

// Token logs a person in at Dex as a browser would, and returns the token that oauth2-proxy
// would keep in the session. It needs the secret of their client: no other client, no other
// way to log in is added to the cluster for programs.
func (u *Users) Token(ctx context.Context, email string, password []byte) (*Token, error) {
	id, secret, err := u.client(ctx)
	if err != nil {
		return nil, err
	}
	// The tunnel ends with the login.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tunnel, err := forward.Start(ctx, u.Cluster, forward.Target{Namespace: dexNamespace, Service: dexService, Port: dexPort}, forward.Options{})
	if err != nil {
		return nil, fmt.Errorf("Service %s/%s: %w", dexNamespace, dexService, err)
	}
	return tokenAt(ctx, "http://"+tunnel.Address, id, secret, email, password)
}

// client reads what Dex knows oauth2-proxy by.
func (u *Users) client(ctx context.Context) (id, secret string, err error) {
	const name = "dex-oidc-client"
	object, err := u.Cluster.Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "secrets"}).Namespace(dexNamespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", "", fmt.Errorf("Secret %s/%s, which Dex knows the web app by: %w", dexNamespace, name, err)
	}
	data, _, _ := unstructured.NestedStringMap(object.Object, "data")
	var values [2]string
	for i, key := range []string{"OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET"} {
		value, err := base64.StdEncoding.DecodeString(data[key])
		if err != nil || len(value) == 0 {
			return "", "", fmt.Errorf("Secret %s/%s has no %s", dexNamespace, name, key)
		}
		values[i] = string(value)
	}
	return values[0], values[1], nil
}

// tokenAt asks Dex at an address.
func tokenAt(ctx context.Context, dex, id, secret, email string, password []byte) (*Token, error) {
	client, state, verifier := tunnelled(), rand.Text(), rand.Text()+rand.Text() // of 43 characters or more
	digest := sha256.Sum256([]byte(verifier))
	back, err := login(ctx, client, dex, local, email, password, url.Values{
		"client_id": {id}, "scope": {"openid email groups profile"}, "state": {state},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(digest[:])}, "code_challenge_method": {"S256"},
	})
	if err != nil {
		return nil, err
	}
	if back == "" {
		return nil, fmt.Errorf("%w of %s", ErrRejected, email)
	}
	to, err := url.Parse(back)
	if err != nil || to.Query().Get("code") == "" || to.Query().Get("state") != state {
		return nil, errors.New("Dex took the password and returned no code")
	}
	a, err := request(ctx, client, http.MethodPost, dex+"/dex/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {to.Query().Get("code")}, "redirect_uri": {dexRedirect},
		"client_id": {id}, "client_secret": {secret}, "code_verifier": {verifier},
	})
	if err != nil {
		return nil, err
	}
	var answer struct {
		IDToken string `json:"id_token"`
		Error   string `json:"error_description"`
	}
	if err := json.Unmarshal(a.body, &answer); err != nil || a.code != http.StatusOK || answer.IDToken == "" {
		return nil, fmt.Errorf("Dex returned %d and no token: %s", a.code, answer.Error)
	}
	return parseToken(answer.IDToken)
}

// parseToken reads from a token whose it is and how long it lasts. The gateway checks it; here
// it comes from Dex itself.
func parseToken(token string) (*Token, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errors.New("Dex returned a token that is not a JWT")
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, fmt.Errorf("the token that Dex returned: %w", err)
	}
	var claims struct {
		Email  string `json:"email"`
		Expiry int64  `json:"exp"`
	}
	if err := json.Unmarshal(text, &claims); err != nil {
		return nil, fmt.Errorf("the token that Dex returned: %w", err)
	}
	if claims.Email == "" || claims.Expiry == 0 {
		return nil, errors.New("the token that Dex returned has no e-mail address or no expiry: the gateway would not take it")
	}
	return &Token{claims.Email, token, time.Unix(claims.Expiry, 0).UTC()}, nil
}
