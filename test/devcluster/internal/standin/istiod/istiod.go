// Package istiod is a stand-in for Istio's control plane: what installing
// and running a stack needs of it, and no proxy configuration. It injects a
// sidecar of its own making into pods, validates the plainest mistakes, signs
// its own certificate, writes its CA into its webhook configurations some
// time after its pod is Ready, switches its validator to Fail, and gives each
// namespace the CA's certificate. It does all of it with the rights of the
// pod's ServiceAccount.
package istiod

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/pods"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/standin/admission"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/standin/serve"
)

// Name is what lists call this part.
const Name = "stand-in istiod"

// caDelay is the time between the start and the first write of the CA into
// the webhook configurations. istiod needs some hundred milliseconds, in which
// its pod is Ready and its webhooks fail.
const caDelay = 400 * time.Millisecond

// Behaviour acts for pods with the image of istiod.
func Behaviour() pods.Behaviour {
	return pods.Behaviour{Name: Name, Images: []string{"pilot"}, Run: run}
}

// server is one running stand-in.
type server struct {
	namespace string
	revision  string
	native    bool
	client    kubernetes.Interface
	dynamic   dynamic.Interface
	pod       *pods.Container
}

func run(ctx context.Context, c *pods.Container) error {
	env, err := c.Env(ctx)
	if err != nil {
		return err
	}
	s := &server{namespace: c.Pod.Namespace, revision: env["REVISION"], native: env["ENABLE_NATIVE_SIDECARS"] == "true", pod: c}
	if s.revision == "" {
		s.revision = "default"
	}
	if s.client, err = kubernetes.NewForConfig(c.Config); err != nil {
		return err
	}
	if s.dynamic, err = dynamic.NewForConfig(c.Config); err != nil {
		return err
	}
	ca, err := s.ca(ctx)
	if err != nil {
		return err
	}
	cert, err := s.servingCertificate(ca)
	if err != nil {
		return err
	}
	webhooks := http.NewServeMux()
	webhooks.Handle("/inject", admission.Handler(s.inject(ctx)))
	webhooks.Handle("/inject/", admission.Handler(s.inject(ctx)))
	webhooks.Handle("/validate", admission.Handler(validate))
	webhooks.Handle("/validate/", admission.Handler(validate))
	webhooks.Handle("/ready", serve.OK(""))
	at := func(port string) string { return net.JoinHostPort(c.IP, port) }
	fmt.Fprintf(c.Log, "%s: revision %s, native sidecars %t\n", Name, s.revision, s.native)
	return serve.All(ctx,
		func(ctx context.Context) error {
			return serve.HTTP(ctx, at("15017"), webhooks, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
		},
		func(ctx context.Context) error { return serve.HTTP(ctx, at("8080"), http.HandlerFunc(ready), nil) },
		func(ctx context.Context) error {
			return serve.HTTP(ctx, at("15014"), http.HandlerFunc(monitoring), nil)
		},
		func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(caDelay):
				return s.patchWebhooks(ctx, ca.CertPEM())
			}
		},
		func(ctx context.Context) error { return s.writeRoots(ctx, ca.CertPEM()) },
	)
}

func ready(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/ready" {
		http.NotFound(w, r)
	}
}

func monitoring(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/version":
		fmt.Fprint(w, "devcluster-stand-in")
	default:
		http.NotFound(w, r)
	}
}
