// Command standin plays the parts of Kubeflow's own programs, and of Istio's proxy, in images of the real node. Its
// first argument, or the variable STANDIN_PART where a pod's command replaces the image's, names the part.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"sort"
	"strings"
	"syscall"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/standin"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/standin/kfam"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/standin/notebook"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/standin/proxy"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/standin/serve"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/standin/webapp"
)

// partVar names the part in images whose programs pods call by their path.
const partVar = "STANDIN_PART"

var parts = map[string]func(ctx context.Context, args []string) error{
	"profile-controller":  profileController,
	"kfam":                runKFAM,
	"notebook-controller": notebookController,
	"poddefaults-webhook": podDefaultsWebhook,
	"jupyter-web-app":     jupyterWebApp,
	"notebook": func(ctx context.Context, _ []string) error {
		return notebook.Run(ctx, ":"+notebook.Port, os.Getenv("NB_PREFIX"))
	},
	"pilot-agent": func(ctx context.Context, args []string) error {
		return proxy.Run(ctx, args, os.Getenv(proxy.ProbersVar), os.Stderr)
	},
}

func main() {
	name, args := os.Getenv(partVar), os.Args[1:]
	if name == "" && len(args) > 0 {
		name, args = args[0], args[1:]
	}
	run, ok := parts[name]
	if !ok {
		var names []string
		for n := range parts {
			names = append(names, n)
		}
		sort.Strings(names)
		fmt.Fprintf(os.Stderr, "usage: standin %s [ARGS]\n", strings.Join(names, "|"))
		os.Exit(2)
	}
	fmt.Fprintf(os.Stderr, "this is a stand-in for %s, not the program itself\n", name)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, args); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintf(os.Stderr, "stand-in %s: %v\n", name, err)
		os.Exit(1)
	}
}

// inCluster is the configuration of the pod's ServiceAccount. The API server
// has priority and fairness: the client needs no throttle of its own.
func inCluster() (*rest.Config, error) {
	c, err := rest.InClusterConfig()
	if err != nil {
		return nil, err
	}
	c.QPS = -1
	return c, nil
}

// beside answers a controller's probes while it runs.
func beside(ctx context.Context, address string, run func(context.Context) error) error {
	mux := http.NewServeMux()
	mux.Handle("GET /healthz", serve.OK("ok"))
	mux.Handle("GET /readyz", serve.OK("ok"))
	return serve.All(ctx, run, func(ctx context.Context) error { return serve.HTTP(ctx, address, mux, nil) })
}

// namespaceLabels is where the profile controller reads the labels of namespaces.
const namespaceLabels = "/etc/profile-controller/namespace-labels.yaml"

func profileController(ctx context.Context, args []string) error {
	cfg, err := inCluster()
	if err != nil {
		return err
	}
	fs := flag.NewFlagSet("profile-controller", flag.ContinueOnError)
	header := fs.String("userid-header", "x-goog-authenticated-user-email", "")
	prefix := fs.String("userid-prefix", "accounts.google.com:", "")
	_ = fs.String("workload-identity", "", "")
	if err := fs.Parse(args); err != nil {
		return err
	}
	return beside(ctx, ":9876", func(ctx context.Context) error {
		return standin.Profiles(ctx, cfg, standin.ProfileOptions{
			Log: os.Stderr, UserIDHeader: *header, UserIDPrefix: *prefix,
			GatewayPrincipal:            os.Getenv("ISTIO_INGRESS_GATEWAY_PRINCIPAL"),
			NotebookControllerPrincipal: os.Getenv("NOTEBOOK_CONTROLLER_PRINCIPAL"),
			Labels: func(context.Context) (map[string]string, error) {
				b, err := os.ReadFile(namespaceLabels)
				if err != nil {
					return nil, err
				}
				return standin.ParseLabels(b)
			},
		})
	})
}

func runKFAM(ctx context.Context, _ []string) error {
	cfg, err := inCluster()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return err
	}
	d, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return err
	}
	return kfam.Run(ctx, client, d, ":"+kfam.Port)
}

func getenv(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

func notebookController(ctx context.Context, _ []string) error {
	cfg, err := inCluster()
	if err != nil {
		return err
	}
	return beside(ctx, ":8081", func(ctx context.Context) error {
		return standin.Notebooks(ctx, cfg, standin.NotebookOptions{
			Log: os.Stderr, UseIstio: os.Getenv("USE_ISTIO") == "true",
			Gateway: getenv("ISTIO_GATEWAY", "kubeflow/kubeflow-gateway"), Host: getenv("ISTIO_HOST", "*"),
			ClusterDomain: getenv("CLUSTER_DOMAIN", "cluster.local"),
		})
	})
}

func podDefaultsWebhook(ctx context.Context, args []string) error {
	cfg, err := inCluster()
	if err != nil {
		return err
	}
	fs := flag.NewFlagSet("poddefaults-webhook", flag.ContinueOnError)
	crt := fs.String("tlsCertFile", "/etc/webhook/certs/tls.crt", "")
	key := fs.String("tlsKeyFile", "/etc/webhook/certs/tls.key", "")
	port := fs.String("webhookPort", "4443", "")
	if err := fs.Parse(args); err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(*crt, *key)
	if err != nil {
		return err
	}
	return standin.PodDefaults(ctx, cfg, ":"+*port, pair, os.Stderr)
}

// jupyterWebApp listens as the program itself does: gunicorn is told where, by the image on
// all addresses of IPv4.
func jupyterWebApp(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("gunicorn", flag.ContinueOnError)
	address := fs.String("bind", "0.0.0.0:"+webapp.Port, "")
	_ = fs.String("w", "", "")
	_ = fs.String("access-logfile", "", "")
	if err := fs.Parse(args); err != nil {
		return err
	}
	cfg, err := inCluster()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return err
	}
	d, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return err
	}
	return webapp.New(client, d, webapp.Options{
		Prefix: getenv("APP_PREFIX", "/"), UserHeader: os.Getenv("USERID_HEADER"), UserPrefix: os.Getenv("USERID_PREFIX"),
		SecureCookies: getenv("APP_SECURE_COOKIES", "true") == "true",
		Config: func(context.Context) (map[string]any, error) {
			b, err := os.ReadFile(webapp.SpawnerConfig)
			if err != nil {
				return nil, err
			}
			c := map[string]any{}
			return c, yaml.Unmarshal(b, &c)
		},
	}).Run(ctx, *address)
}
