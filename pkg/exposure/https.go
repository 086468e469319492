package exposure

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/certs"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// Values of HTTPS.Mode beside the name of a Secret.
const (
	TLSSelfSigned = "self-signed"
	TLSOff        = "off"
)

// HTTPS is a choice about the gateway's certificate.
type HTTPS struct {
	// Mode is empty for no change, one of the values above, or the name of a Secret.
	Mode          string
	Hosts         []string
	Kustomization string
	// Timeout bounds the wait for a certificate; 0 does not.
	Timeout time.Duration
	// Kubectl is the command that reaches the same cluster, for advice.
	Kubectl string
	// Certificate is the one of a Secret that Check has found.
	Certificate *certs.Certificate
	// Notebooks is the origin that is chosen for them with it, nil where that stays as it is:
	// a certificate of our own is for their host too.
	Notebooks *components.NotebookOrigin
}

// behindGateway are the components that have to agree on the scheme.
var behindGateway = []string{gatewayComponent, "oauth2-proxy", "jupyter-web-app"}

const gatewayComponent = "kubeflow-gateway"

// Check refuses what cannot work, before anything is written: what is not there, and what
// the user may not change. It needs no address yet.
func (o *HTTPS) Check(ctx context.Context, c *cluster.Cluster, source components.Source) error {
	if o.Mode == "" {
		return nil
	}
	if err := o.checkCertificate(ctx, c); err != nil {
		return err
	}
	quiet := rollout.New(c, rollout.Options{})
	part, names, err := o.part(ctx, c, source, quiet)
	if err != nil {
		return err
	}
	part.Settings.TLS = o.wanted("", part.Settings)
	if part.Settings.TLS.SelfSigned() {
		names = append(names, components.CertificateComponent)
	}
	plan, err := part.Plan(ctx, names...)
	if err != nil {
		return err
	}
	return quiet.Allowed(ctx, plan)
}

// part is the installation that is there, with those of its components that have to agree
// on the scheme.
func (o *HTTPS) part(ctx context.Context, c *cluster.Cluster, source components.Source, engine *rollout.Engine) (rollout.Part, []string, error) {
	return partOf(ctx, "--tls", rollout.Part{Cluster: c, Source: source, Kustomization: o.Kustomization}, engine, behindGateway, gatewayComponent)
}

// partOf reads the settings of the installation, and which of the components it has. The
// flag cannot be met without the necessary ones.
func partOf(ctx context.Context, flag string, part rollout.Part, engine *rollout.Engine, of []string, necessary ...string) (rollout.Part, []string, error) {
	settings, err := rollout.ReadSettings(ctx, part.Cluster)
	if err != nil {
		return part, nil, err
	}
	if settings == nil {
		return part, nil, fmt.Errorf("%s: nothing is installed in %s: run `kubectl jupyter install` first", flag, part.Cluster.Where())
	}
	part.Settings = *settings
	names, err := engine.InstalledOf(ctx, of)
	for _, n := range necessary {
		if err == nil && !slices.Contains(names, n) {
			err = fmt.Errorf("%s: the gateway (component %s) is not installed in %s: `kubectl jupyter install` installs it", flag, n, part.Cluster.Where())
		}
	}
	return part, names, err
}

// checkCertificate looks at the certificate that is to be presented, or at who would make it.
func (o *HTTPS) checkCertificate(ctx context.Context, c *cluster.Cluster) error {
	switch o.Mode {
	case TLSOff:
		return nil
	case TLSSelfSigned, components.GatewaySecret:
		if _, err := c.Mapper.Preferred(certificateKind); err != nil {
			return fmt.Errorf("--tls %s: cert-manager, which issues the certificate, is not in %s: install it (`kubectl jupyter install --only cert-manager`), or set --tls to the name of a Secret", o.Mode, c.Where())
		}
		return nil
	}
	ref := fmt.Sprintf("--tls: Secret %s/%s", Namespace, o.Mode)
	data, err := SecretData(ctx, c, o.Mode)
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("%s does not exist: create it with `%s -n %s create secret tls %s --cert=FILE --key=FILE`", ref, o.Kubectl, Namespace, o.Mode)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", ref, err)
	}
	if o.Certificate, err = certs.Parse(data, time.Now()); err != nil {
		return fmt.Errorf("%s: %w", ref, err)
	}
	if missing := o.Certificate.Missing(o.Hosts); len(missing) > 0 {
		return fmt.Errorf("%s is for %s, not for %s: browsers would reject it there", ref, names(o.Certificate.Hosts), names(missing))
	}
	return nil
}

// Apply makes the gateway speak as chosen, with an engine that waits. Address is the
// gateway's IP address or host name, empty where it has none. What was changed is
// returned with an error too.
func (o *HTTPS) Apply(ctx context.Context, c *cluster.Cluster, source components.Source, address string, engine *rollout.Engine) ([]Change, error) {
	if o.Mode == "" {
		return nil, nil
	}
	part, names, err := o.part(ctx, c, source, engine)
	if err != nil {
		return nil, err
	}
	was := part.Settings.TLS
	wanted := o.wanted(address, part.Settings)
	gateway := part
	gateway.Settings.TLS = wanted
	plan, err := gateway.Plan(ctx, names...)
	if err != nil {
		return nil, err
	}
	var changes []Change
	if wanted.SelfSigned() {
		survey, err := o.issue(ctx, part, engine, wanted)
		if changes = append(changes, Changes(survey)...); err != nil {
			return changes, err
		}
	}
	survey, err := engine.Change(ctx, plan)
	if changes = append(changes, Changes(survey)...); err != nil || wanted.SelfSigned() {
		return changes, err
	}
	// Also of a run that was killed before the gateway had the certificate.
	left, err := engine.InstalledOf(ctx, []string{components.CertificateComponent})
	if err != nil {
		return changes, err
	}
	if was.SelfSigned() || len(left) > 0 {
		if _, err := engine.RemoveComponent(ctx, source.Release(), components.CertificateComponent); err != nil {
			return changes, err
		}
		changes = append(changes, Change{Object: certificateRef, Action: report.Deleted, Note: "with its issuers and its Secrets"})
		return changes, o.forget(ctx, c)
	}
	return changes, nil
}

var (
	certificateKind = schema.GroupKind{Group: "cert-manager.io", Kind: "Certificate"}
	certificateRef  = report.Ref{Group: certificateKind.Group, Kind: certificateKind.Kind, Namespace: Namespace, Name: "jupyter-gateway"}
)

// wanted is what the settings keep of the choice. A certificate of our own that is made
// again, as for another address, keeps the names that it was for unless others are given.
func (o *HTTPS) wanted(address string, settings rollout.Settings) components.TLS {
	was := settings.TLS
	if o.Mode == TLSOff {
		return components.TLS{}
	}
	out := components.TLS{Secret: o.Mode, Hosts: slices.Clone(o.Hosts)}
	if o.Mode == TLSSelfSigned {
		out.Secret = components.GatewaySecret
	}
	add := func(host string) {
		if !slices.Contains(out.Hosts, host) && components.ValidHost(host) == nil {
			out.Hosts = append(out.Hosts, host)
		}
	}
	if o.Certificate != nil {
		for _, h := range o.Certificate.Hosts {
			add(h)
		}
	}
	if out.SelfSigned() && was.SelfSigned() {
		for _, h := range was.Hosts {
			isName := net.ParseIP(h) == nil
			// Where people are led to a name, the address behind it is not told again.
			if isName && len(o.Hosts) == 0 || !isName && address != "" && net.ParseIP(address) == nil {
				add(h)
			}
		}
	}
	if address != "" {
		add(address)
	}
	notebooks := settings.NotebookOrigin
	if o.Notebooks != nil {
		notebooks = *o.Notebooks
	}
	if out.SelfSigned() && notebooks.Host != "" {
		add(notebooks.AppHost())
		add(notebooks.Host)
	}
	return out
}

// issue has cert-manager make the certificate, and waits until it is for every host: only
// then is there something that the gateway could present.
func (o *HTTPS) issue(ctx context.Context, part rollout.Part, engine *rollout.Engine, wanted components.TLS) (*rollout.Survey, error) {
	options := part.Settings // what is recorded stays until the gateway has changed
	part.Settings.TLS = wanted
	plan, err := part.Plan(ctx, components.CertificateComponent)
	if err != nil {
		return nil, err
	}
	plan.Settings = options
	survey, err := engine.Change(ctx, plan)
	if err != nil {
		return survey, err
	}
	ctx, cancel := rollout.Bounded(ctx, o.Timeout)
	defer cancel()
	secrets := part.Cluster.Dynamic.Resource(secretsGVR).Namespace(Namespace)
	err = rollout.Until(ctx, secrets, components.GatewaySecret, func(u *unstructured.Unstructured) (bool, error) {
		if u == nil {
			return false, nil
		}
		c, err := certs.Parse(dataOf(u), time.Now())
		return err == nil && len(c.Missing(wanted.Hosts)) == 0, nil
	})
	if err != nil {
		err = fmt.Errorf("Secret %s/%s, in which cert-manager stores the certificate for %s: %w", Namespace, components.GatewaySecret, names(wanted.Hosts), err)
	}
	return survey, err
}

// forget deletes what cert-manager has made for the gateway and keeps when its
// Certificate goes: nobody shall go on trusting an authority that has no use.
func (o *HTTPS) forget(ctx context.Context, c *cluster.Cluster) error {
	for _, name := range []string{components.GatewaySecret, components.GatewayCASecret} {
		err := c.Dynamic.Resource(secretsGVR).Namespace(Namespace).Delete(ctx, name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("Secret %s/%s: %w", Namespace, name, err)
		}
	}
	return nil
}

var secretsGVR = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}

// SecretData reads a Secret of the gateway's namespace.
func SecretData(ctx context.Context, c *cluster.Cluster, name string) (map[string][]byte, error) {
	u, err := c.Dynamic.Resource(secretsGVR).Namespace(Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return dataOf(u), nil
}

func dataOf(secret *unstructured.Unstructured) map[string][]byte {
	text, _, _ := unstructured.NestedStringMap(secret.Object, "data")
	data := map[string][]byte{}
	for k, v := range text {
		if decoded, err := base64.StdEncoding.DecodeString(v); err == nil {
			data[k] = decoded
		}
	}
	return data
}

// names is a sorted enumeration for messages.
func names(all []string) string {
	return strings.Join(slices.Sorted(slices.Values(all)), ", ")
}
