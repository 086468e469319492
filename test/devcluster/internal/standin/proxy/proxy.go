// Package proxy is a stand-in for Istio's proxy where there is no Envoy. As a
// sidecar it is Ready and lets all traffic by; as a gateway it passes HTTP on
// by a fixed table of the stack's paths. It knows no mTLS, no policies and no
// login: nothing that passes it says anything about those.
package proxy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/standin/serve"
)

// Name is what lists call this part.
const Name = "stand-in proxy"

// The ports of Istio's proxy: readiness, metrics, and a gateway's plain HTTP.
const (
	ReadyPort   = "15021"
	MetricsPort = "15090"
	HTTPPort    = "8080"
)

// Header marks every answer that came through the stand-in.
const Header = "X-Stand-In-Proxy"

// Run acts as pilot-agent would with args until ctx ends. The programs that
// pilot-agent is for an init container (istio-iptables, istio-clean-iptables)
// return at once: nothing is redirected to a proxy that is not there.
//
// probers is the content of ProbersVar.
func Run(ctx context.Context, args []string, probers string, log io.Writer) error {
	if len(args) == 0 {
		return fmt.Errorf("no command: want proxy or istio-iptables")
	}
	switch args[0] {
	case "istio-iptables", "istio-clean-iptables":
		fmt.Fprintf(log, "%s: no traffic is redirected\n", Name)
		return nil
	case "wait":
		return nil
	case "proxy":
	default:
		return fmt.Errorf("command %q: want proxy, wait or istio-iptables", args[0])
	}
	all, err := parseProbers(probers)
	if err != nil {
		return err
	}
	servers := []func(context.Context) error{
		func(ctx context.Context) error { return serve.HTTP(ctx, ":"+ReadyPort, ready(), nil) },
		func(ctx context.Context) error { return serve.HTTP(ctx, ":"+StatusPort, probes(all), nil) },
		func(ctx context.Context) error { return serve.HTTP(ctx, ":"+MetricsPort, ready(), nil) },
	}
	if slices.Contains(args, "router") {
		fmt.Fprintf(log, "%s: a gateway with fixed routes, without TLS, policies and login\n", Name)
		servers = append(servers, func(ctx context.Context) error {
			return serve.HTTP(ctx, ":"+HTTPPort, Gateway(Routes, log), nil)
		})
	} else {
		fmt.Fprintf(log, "%s: a sidecar that all traffic goes by\n", Name)
	}
	return serve.All(ctx, servers...)
}

func ready() *http.ServeMux {
	mux := http.NewServeMux()
	for _, p := range []string{"/healthz/ready", "/stats/prometheus"} {
		mux.Handle("GET "+p, serve.OK(""))
	}
	return mux
}

// Route passes requests below Prefix on to a Service.
type Route struct {
	Prefix string
	// To is host:port; {namespace} and {name} are the path's next two parts.
	To string
	// Strip takes the prefix off the path.
	Strip bool
}

// Routes is what a gateway of the stack knows.
var Routes = []Route{
	{Prefix: "/dex/", To: "dex.auth.svc:5556"},
	{Prefix: "/oauth2/", To: "oauth2-proxy.oauth2-proxy.svc:80"},
	{Prefix: "/jupyter/", To: "jupyter-web-app-service.kubeflow.svc:80", Strip: true},
	{Prefix: "/notebook/", To: "{name}.{namespace}.svc:80"},
}

// Gateway passes requests on by routes.
func Gateway(routes []Route, log io.Writer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(Header, "no Envoy")
		to, path, ok := match(routes, r.URL.Path)
		if !ok {
			http.NotFound(w, r)
			return
		}
		(&httputil.ReverseProxy{
			Rewrite: func(p *httputil.ProxyRequest) {
				p.SetURL(&url.URL{Scheme: "http", Host: to})
				p.Out.URL.Path, p.Out.URL.RawPath = path, ""
				p.Out.Host = p.In.Host
				p.SetXForwarded()
			},
			ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
				fmt.Fprintf(log, "%s: %s %s: %v\n", Name, r.Method, r.URL.Path, err)
				http.Error(w, "no healthy upstream", http.StatusServiceUnavailable)
			},
		}).ServeHTTP(w, r)
	})
}

// match finds where a path goes and the path there.
func match(routes []Route, path string) (to, there string, ok bool) {
	for _, r := range routes {
		rest, found := strings.CutPrefix(path, r.Prefix)
		if !found {
			continue
		}
		to, there = r.To, path
		if r.Strip {
			there = "/" + rest
		}
		if strings.Contains(to, "{name}") {
			parts := strings.SplitN(rest, "/", 3)
			if len(parts) < 2 || parts[0] == "" || parts[1] == "" {
				return "", "", false
			}
			to = strings.NewReplacer("{namespace}", parts[0], "{name}", parts[1]).Replace(to)
		}
		return to, there, true
	}
	return "", "", false
}
