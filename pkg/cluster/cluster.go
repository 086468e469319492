// Package cluster is the connection to one API server: configuration, clients and
// the mapping from kinds to resources, made once for a command.
package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Cluster is one API server and what is known about it.
type Cluster struct {
	Config   *rest.Config
	Target   report.Target
	Version  *version.Version
	Dynamic  dynamic.Interface
	Metadata metadata.Interface
	Mapper   *Mapper

	discovery *discovery.DiscoveryClient
}

// Getter is where the configuration comes from; genericclioptions.ConfigFlags is one.
type Getter interface {
	ToRESTConfig() (*rest.Config, error)
	ToRawKubeConfigLoader() clientcmd.ClientConfig
}

// Options of a connection.
type Options struct {
	// Context and ClusterName are what was chosen instead of the kubeconfig's own; empty
	// where nothing was. The getter heeds them by itself: here they are for messages.
	Context, ClusterName string
	// UserAgent names the program, as in kubectl-jupyter/v0.1.0.
	UserAgent string
	// Warnings receives what the API server warns about; nil discards it.
	Warnings io.Writer
}

// Connect builds the clients and asks the server for its version and its resources
// (three requests). The error says which context was tried and what to do.
func Connect(ctx context.Context, getter Getter, o Options) (*Cluster, error) {
	c, err := clients(getter, o)
	if err != nil {
		return nil, err
	}
	var work sync.WaitGroup
	var unknown, unmapped error
	work.Go(func() { unknown = c.readVersion(ctx) })
	work.Go(func() { c.Mapper, unmapped = newMapper(ctx, c.discovery) })
	work.Wait()
	// What is wrong with a connection is told best by the simpler of the two answers.
	if err := cmp.Or(unknown, unmapped); err != nil {
		return nil, c.explain(err)
	}
	return c, nil
}

// clients are what a connection is made with; no request is sent.
func clients(getter Getter, o Options) (*Cluster, error) {
	target, err := targetOf(getter, o)
	if err != nil {
		return nil, err
	}
	config, err := getter.ToRESTConfig()
	if err != nil {
		return nil, withoutPasswords(fmt.Errorf("kubeconfig: %w", err), getter)
	}
	config = rest.CopyConfig(config)
	// Servers share their capacity fairly by themselves (API priority and fairness).
	// A limit at the client would turn three hundred requests into minutes.
	config.QPS = -1
	config.UserAgent = o.UserAgent
	config.WarningHandler = rest.NoWarnings{}
	if o.Warnings != nil {
		config.WarningHandler = warnings{rest.NewWarningWriter(o.Warnings, rest.WarningWriterOptions{Deduplicate: true})}
	}
	if target.Server, err = server(config.Host); err != nil {
		return nil, fmt.Errorf("context %q: cluster %q: %w", target.Context, target.Cluster, err)
	}
	c := &Cluster{Config: config, Target: target}

	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("context %q: %w", target.Context, err)
	}
	if c.discovery, err = discovery.NewDiscoveryClientForConfigAndClient(config, client); err != nil {
		return nil, fmt.Errorf("context %q: %w", target.Context, err)
	}
	if c.Dynamic, err = dynamic.NewForConfigAndClient(config, client); err != nil {
		return nil, fmt.Errorf("context %q: %w", target.Context, err)
	}
	if c.Metadata, err = metadata.NewForConfigAndClient(metadata.ConfigFor(config), client); err != nil {
		return nil, fmt.Errorf("context %q: %w", target.Context, err)
	}
	return c, nil
}

// server is the address of a server as it is shown: without the user and the password that
// a URL can have. The error of one that is no URL does not repeat it either.
func server(host string) (string, error) {
	if !strings.Contains(host, "@") {
		return host, nil
	}
	u, err := url.Parse(host)
	if err != nil {
		return "", errors.New("the server's address is not a URL such as https://host:6443")
	}
	u.User = nil
	if strings.Contains(u.String(), "@") {
		return "", errors.New("the server's address has an @ that does not end a user and a password: write it as https://host:6443")
	}
	return u.String(), nil
}

// withoutPasswords is an error of client-go about a kubeconfig, which may repeat an address,
// without the addresses that have a user or a password in them.
func withoutPasswords(err error, getter Getter) error {
	config, unread := getter.ToRawKubeConfigLoader().RawConfig()
	if unread != nil {
		return err
	}
	said := err.Error()
	for _, c := range config.Clusters {
		for _, address := range []string{c.ProxyURL, c.Server} {
			if strings.Contains(address, "@") {
				quoted := strconv.Quote(address)
				said = strings.NewReplacer(address, hidden, quoted[1:len(quoted)-1], hidden).Replace(said)
			}
		}
	}
	if said == err.Error() {
		return err
	}
	return errors.New(said)
}

// hidden is shown in the place of an address with a password.
const hidden = "(an address with a user, not shown)"

// warnings drops the one that says nothing to a person: Istio's own definitions name a
// format that the server does not know and ignores.
type warnings struct{ rest.WarningHandler }

func (w warnings) HandleWarningHeader(code int, agent, text string) {
	if text != `unrecognized format "binary"` {
		w.WarningHandler.HandleWarningHeader(code, agent, text)
	}
}

// REST is the client for what the others cannot do: raw paths and streams.
func (c *Cluster) REST() rest.Interface { return c.discovery.RESTClient() }

func (c *Cluster) readVersion(ctx context.Context) error {
	// The discovery client's own ServerVersion takes no context.
	body, err := c.discovery.RESTClient().Get().AbsPath("/version").DoRaw(ctx)
	if err != nil {
		return err
	}
	info, err := parseVersion(body)
	if err != nil {
		return fmt.Errorf("/version: %w", err)
	}
	c.Version, c.Target.Version = info, "v"+info.String()
	return nil
}

// explain turns what a connection can fail with into one sentence that says what to do.
func (c *Cluster) explain(err error) error {
	where := fmt.Sprintf("cluster %q (context %q, %s)", c.Target.Cluster, c.Target.Context, c.Target.Server)
	var dns *net.DNSError
	var network *net.OpError
	var uerr *url.Error
	if by := c.proxied(err); by != nil && !errors.Is(err, context.Canceled) {
		return by
	}
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("%s rejected the credentials: log in again or choose another --context: %w", where, err)
	case apierrors.IsForbidden(err):
		return fmt.Errorf("%s: the user is not allowed to use API discovery: %w", where, err)
	case errors.As(err, &dns):
		return fmt.Errorf("%s: the server's name cannot be resolved: check --context and --kubeconfig: %w", where, err)
	case errors.As(err, &network):
		return fmt.Errorf("%s does not answer: is it running? check --context and --kubeconfig: %w", where, err)
	case errors.As(err, &uerr) && uerr.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s did not answer in time: is it running? check --context, --timeout and --request-timeout: %w", where, err)
	}
	return fmt.Errorf("%s: %w", where, err)
}

// targetOf names the context and cluster of the kubeconfig, so that they can be
// shown before anything is changed.
func targetOf(getter Getter, o Options) (report.Target, error) {
	raw, err := getter.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		return report.Target{}, fmt.Errorf("kubeconfig: %w", err)
	}
	t := report.Target{Context: cmp.Or(o.Context, raw.CurrentContext), Cluster: o.ClusterName}
	if c, ok := raw.Contexts[t.Context]; ok && t.Cluster == "" {
		t.Cluster = c.Cluster
	}
	return t, nil
}

// Where names a cluster before anything is done to it.
func (c *Cluster) Where() string {
	if c.Target.Context == "" {
		return fmt.Sprintf("the cluster at %s (%s)", c.Target.Server, c.Target.Version)
	}
	return fmt.Sprintf("cluster %q (context %q, %s, %s)", c.Target.Cluster, c.Target.Context, c.Target.Server, c.Target.Version)
}
