package login

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/pods"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/standin/serve"
)

// The names that lists call these stand-ins.
const (
	OAuth2ProxyName = "stand-in oauth2-proxy"
	GatewayName     = "stand-in ingress gateway"
)

// OAuth2Proxy acts for pods with the image of oauth2-proxy.
func OAuth2Proxy() pods.Behaviour {
	return pods.Behaviour{Name: OAuth2ProxyName, Images: []string{"oauth2-proxy"}, Run: func(ctx context.Context, c *pods.Container) error {
		env, err := c.Env(ctx)
		if err != nil {
			return err
		}
		return serve.HTTP(ctx, net.JoinHostPort(c.IP, oauth2ProxyPort(c.Args(env))), OAuth2ProxyHandler(), nil)
	}}
}

// oauth2ProxyPort returns the port of --http-address, 4180 without one.
func oauth2ProxyPort(args []string) string {
	for _, a := range args {
		if v, ok := strings.CutPrefix(a, "--http-address="); ok {
			if _, port, err := net.SplitHostPort(v); err == nil {
				return port
			}
		}
	}
	return "4180"
}

// OAuth2ProxyHandler answers as oauth2-proxy does to somebody without a session.
func OAuth2ProxyHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/ping", serve.OK("OK"))
	mux.Handle("/ready", serve.OK("OK"))
	mux.HandleFunc("/oauth2/auth", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "Unauthorized", http.StatusUnauthorized)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, `<form method="GET" action="/oauth2/start"><button>Sign in (stand-in)</button></form>`)
	})
	return mux
}

// Gateway acts for pods of an Istio gateway: it is healthy and routes nothing.
func Gateway() pods.Behaviour {
	return pods.Behaviour{
		Name: GatewayName, Images: []string{"proxyv2"},
		Match: func(_ *corev1.Pod, c *corev1.Container) bool {
			return slices.Contains(c.Args, "router")
		},
		Run: func(ctx context.Context, c *pods.Container) error {
			health := http.NewServeMux()
			health.Handle("/healthz/ready", serve.OK(""))
			listen := func(port string, h http.Handler) func(context.Context) error {
				return func(ctx context.Context) error { return serve.HTTP(ctx, net.JoinHostPort(c.IP, port), h, nil) }
			}
			routes := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				http.Error(w, GatewayName+": routes nothing", http.StatusNotFound)
			})
			return serve.All(ctx, listen("15021", health), listen("8080", routes))
		},
	}
}
