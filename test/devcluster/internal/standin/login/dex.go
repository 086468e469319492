// Package login has stand-ins for the parts of the login path on simulated
// nodes: Dex, oauth2-proxy and the ingress gateway. They answer health checks
// and discovery as the originals do and log nobody in.
package login

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"strings"

	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/pods"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/standin/serve"
)

// DexName is what lists call the stand-in for Dex.
const DexName = "stand-in dex"

// Dex acts for pods with the image of Dex.
func Dex() pods.Behaviour {
	return pods.Behaviour{Name: DexName, Images: []string{"dex"}, Run: runDex}
}

// dexConfig is what the stand-in heeds of Dex's configuration.
type dexConfig struct {
	Issuer  string `json:"issuer"`
	Storage struct {
		Type string `json:"type"`
	} `json:"storage"`
	Web struct {
		HTTP string `json:"http"`
	} `json:"web"`
}

func runDex(ctx context.Context, c *pods.Container) error {
	env, err := c.Env(ctx)
	if err != nil {
		return err
	}
	args := c.Args(env)
	if len(args) == 0 {
		return fmt.Errorf("container %s of pod %s/%s has no command that names Dex's configuration", c.Spec.Name, c.Pod.Namespace, c.Pod.Name)
	}
	raw, err := c.File(ctx, args[len(args)-1])
	if err != nil {
		return err
	}
	var cfg dexConfig
	if err := yaml.Unmarshal(raw, &cfg); err != nil {
		return fmt.Errorf("configuration of Dex: %w", err)
	}
	issuer, err := url.Parse(cfg.Issuer)
	if err != nil || issuer.Host == "" {
		return fmt.Errorf("configuration of Dex: issuer %q is not a URL", cfg.Issuer)
	}
	_, port, err := net.SplitHostPort(cfg.Web.HTTP)
	if err != nil {
		return fmt.Errorf("configuration of Dex: web.http %q: %w", cfg.Web.HTTP, err)
	}
	if cfg.Storage.Type == "kubernetes" {
		if err := storageCRDs(ctx, c); err != nil {
			return err
		}
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	return serve.HTTP(ctx, net.JoinHostPort(c.IP, port), DexHandler(cfg.Issuer, &key.PublicKey), nil)
}

// DexHandler answers what Dex answers before anybody logs in.
func DexHandler(issuer string, key *rsa.PublicKey) http.Handler {
	issuer = strings.TrimSuffix(issuer, "/")
	prefix := ""
	if u, err := url.Parse(issuer); err == nil {
		prefix = u.Path
	}
	mux := http.NewServeMux()
	mux.Handle(prefix+"/healthz", serve.OK("Health check passed"))
	mux.HandleFunc(prefix+"/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{
			"issuer": issuer, "authorization_endpoint": issuer + "/auth", "token_endpoint": issuer + "/token",
			"jwks_uri": issuer + "/keys", "userinfo_endpoint": issuer + "/userinfo",
			"device_authorization_endpoint":         issuer + "/device/code",
			"grant_types_supported":                 []string{"authorization_code", "refresh_token"},
			"response_types_supported":              []string{"code"},
			"subject_types_supported":               []string{"public"},
			"id_token_signing_alg_values_supported": []string{"RS256"},
			"code_challenge_methods_supported":      []string{"S256", "plain"},
			"scopes_supported":                      []string{"openid", "email", "groups", "profile", "offline_access"},
		})
	})
	mux.HandleFunc(prefix+"/keys", func(w http.ResponseWriter, _ *http.Request) {
		e := big.NewInt(int64(key.E)).Bytes()
		answer(w, map[string]any{"keys": []any{map[string]any{
			"use": "sig", "kty": "RSA", "kid": "devcluster-stand-in", "alg": "RS256",
			"n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()), "e": base64.RawURLEncoding.EncodeToString(e),
		}}})
	})
	return mux
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// storageKinds are the custom resources that Dex defines by itself when it
// starts, besides authcodes, which its manifests bring.
var storageKinds = map[string]string{
	"authcodes": "AuthCode", "authrequests": "AuthRequest", "connectors": "Connector", "devicerequests": "DeviceRequest",
	"devicetokens": "DeviceToken", "oauth2clients": "OAuth2Client", "offlinesessionses": "OfflineSessions",
	"passwords": "Password", "refreshtokens": "RefreshToken", "signingkeies": "SigningKey",
}

func storageCRDs(ctx context.Context, c *pods.Container) error {
	client, err := dynamic.NewForConfig(c.Config)
	if err != nil {
		return err
	}
	crds := client.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	for plural, kind := range storageKinds {
		name := plural + ".dex.coreos.com"
		_, err := crds.Create(ctx, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
			"metadata": map[string]any{"name": name},
			"spec": map[string]any{
				"group": "dex.coreos.com", "scope": "Namespaced",
				"names": map[string]any{"plural": plural, "singular": strings.ToLower(kind), "kind": kind, "listKind": kind + "List"},
				"versions": []any{map[string]any{"name": "v1", "served": true, "storage": true, "schema": map[string]any{
					"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true},
				}}},
			},
		}}, metav1.CreateOptions{})
		if err != nil && !errors.IsAlreadyExists(err) {
			return fmt.Errorf("CustomResourceDefinition %s: %w", name, err)
		}
	}
	return nil
}
