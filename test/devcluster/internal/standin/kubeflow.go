package standin

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/pods"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/standin/kfam"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/standin/webapp"
)

// Behaviours returns the stand-ins of this package for simulated pods.
func Behaviours() []pods.Behaviour {
	return []pods.Behaviour{
		{Name: ProfilesName, Images: []string{"profile-controller"}, Run: runProfiles},
		{Name: NotebooksName, Images: []string{"notebook-controller"}, Run: runNotebooks},
		{Name: PodDefaultsName, Images: []string{"poddefaults-webhook"}, Run: runPodDefaults},
		{Name: kfam.Name, Images: []string{"kfam", "access-management"}, Run: runKFAM},
		{Name: webapp.Name, Images: []string{"jupyter-web-app"}, Run: runWebApp},
	}
}

// labelsFile is where the profile controller reads the labels of namespaces.
const labelsFile = "/etc/profile-controller/namespace-labels.yaml"

func runProfiles(ctx context.Context, c *pods.Container) error {
	env, err := c.Env(ctx)
	if err != nil {
		return err
	}
	args := c.Args(env)
	return Profiles(ctx, c.Config, ProfileOptions{
		Log:              c.Log,
		UserIDHeader:     flagValue(args, "userid-header", "x-goog-authenticated-user-email"),
		UserIDPrefix:     flagValue(args, "userid-prefix", "accounts.google.com:"),
		GatewayPrincipal: env["ISTIO_INGRESS_GATEWAY_PRINCIPAL"], NotebookControllerPrincipal: env["NOTEBOOK_CONTROLLER_PRINCIPAL"],
		Labels: func(ctx context.Context) (map[string]string, error) {
			raw, err := c.File(ctx, labelsFile)
			if err != nil {
				return nil, err
			}
			return ParseLabels(raw)
		},
	})
}

// ParseLabels reads a file of labels, a YAML map of texts.
func ParseLabels(raw []byte) (map[string]string, error) {
	var m map[string]string
	if err := yaml.Unmarshal(raw, &m); err != nil {
		return nil, fmt.Errorf("labels of namespaces: %w", err)
	}
	return m, nil
}

func runNotebooks(ctx context.Context, c *pods.Container) error {
	env, err := c.Env(ctx)
	if err != nil {
		return err
	}
	or := func(k, otherwise string) string {
		if v := env[k]; v != "" {
			return v
		}
		return otherwise
	}
	return Notebooks(ctx, c.Config, NotebookOptions{
		Log: c.Log, UseIstio: env["USE_ISTIO"] == "true",
		Gateway: or("ISTIO_GATEWAY", "kubeflow/kubeflow-gateway"), Host: or("ISTIO_HOST", "*"), ClusterDomain: or("CLUSTER_DOMAIN", "cluster.local"),
	})
}

func runPodDefaults(ctx context.Context, c *pods.Container) error {
	env, err := c.Env(ctx)
	if err != nil {
		return err
	}
	args := c.Args(env)
	cert, err := c.File(ctx, flagValue(args, "tlsCertFile", "/etc/webhook/certs/tls.crt"))
	if err != nil {
		return err
	}
	key, err := c.File(ctx, flagValue(args, "tlsKeyFile", "/etc/webhook/certs/tls.key"))
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("certificate of pod %s/%s: %w", c.Pod.Namespace, c.Pod.Name, err)
	}
	port := flagValue(args, "webhookPort", "4443")
	return PodDefaults(ctx, c.Config, net.JoinHostPort(c.IP, port), pair, c.Log)
}

func runKFAM(ctx context.Context, c *pods.Container) error {
	client, err := kubernetes.NewForConfig(c.Config)
	if err != nil {
		return err
	}
	d, err := dynamic.NewForConfig(c.Config)
	if err != nil {
		return err
	}
	return kfam.Run(ctx, client, d, net.JoinHostPort(c.IP, kfam.Port))
}

func runWebApp(ctx context.Context, c *pods.Container) error {
	env, err := c.Env(ctx)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(c.Config)
	if err != nil {
		return err
	}
	d, err := dynamic.NewForConfig(c.Config)
	if err != nil {
		return err
	}
	return webapp.New(client, d, webapp.Options{
		Prefix: env["APP_PREFIX"], UserHeader: env["USERID_HEADER"], UserPrefix: env["USERID_PREFIX"],
		// Cookies are marked Secure unless the pod says otherwise.
		SecureCookies: env["APP_SECURE_COOKIES"] != "false",
		Config: func(ctx context.Context) (map[string]any, error) {
			b, err := c.File(ctx, webapp.SpawnerConfig)
			if err != nil {
				return nil, err
			}
			m := map[string]any{}
			return m, yaml.Unmarshal(b, &m)
		},
	}).Run(ctx, net.JoinHostPort(c.IP, webapp.Port))
}

// flagValue finds -name V, --name V, -name=V or --name=V among arguments.
func flagValue(args []string, name, otherwise string) string {
	for i, a := range args {
		f, ok := strings.CutPrefix(a, "-")
		if !ok {
			continue
		}
		f = strings.TrimPrefix(f, "-")
		if v, ok := strings.CutPrefix(f, name+"="); ok {
			return v
		}
		if f == name && i+1 < len(args) {
			return args[i+1]
		}
	}
	return otherwise
}
