package plugin

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/certs"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/exposure"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// Values of --tls beside the name of a Secret.
const (
	tlsSelfSigned = "self-signed"
	tlsOff        = "off"
)

// plainHTTP is what somebody chooses who chooses no TLS.
const plainHTTP = "The gateway speaks plain HTTP and cookies are not marked Secure: whoever is on the way can read passwords and sessions."

// tlsFlags are what was typed about HTTPS.
type tlsFlags struct {
	tls           string
	hosts         []string
	kustomization string
}

func (f *tlsFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.tls, "tls", "", "HTTPS at the gateway: self-signed, the name of a `Secret` in "+gatewayNamespace+", or off; without it what was chosen before stays")
	fs.StringSliceVar(&f.hosts, "host", nil, "Host `name` that people use, for the certificate beside the gateway's address; can be repeated")
	fs.StringVarP(&f.kustomization, "kustomize", "k", "", "`Directory` that the installation was made with; needed for --tls where there is one")
	complete(cmd, "tls", func() []string { return []string{tlsSelfSigned, tlsOff} })
}

// tlsChoice is what is meant.
type tlsChoice struct {
	base *base
	// Mode is empty for no change, or what --tls said.
	Mode          string
	Hosts         []string
	Kustomization string
	Timeout       time.Duration
	secret        *certs.Certificate
}

// options checks what was typed.
func (f *tlsFlags) options(b *base, timeout time.Duration) (*tlsChoice, error) {
	if len(f.hosts) > 0 && (f.tls == "" || f.tls == tlsOff) {
		return nil, errors.New("--host: only a certificate is for a host: give --tls self-signed or --tls SECRET with it")
	}
	for _, h := range f.hosts {
		if err := components.ValidHost(h); err != nil {
			return nil, err
		}
	}
	if f.tls != "" && f.tls != tlsSelfSigned && f.tls != tlsOff {
		if err := (components.Options{TLS: components.TLS{Secret: f.tls}}).Validate(); err != nil {
			return nil, err
		}
	}
	if err := checkDirectory(f.kustomization); err != nil {
		return nil, err
	}
	return &tlsChoice{base: b, Mode: f.tls, Hosts: f.hosts, Kustomization: f.kustomization, Timeout: timeout}, nil
}

// behindGateway are the components that have to agree on the scheme.
var behindGateway = []string{gatewayComponent, "oauth2-proxy", "jupyter-web-app"}

const gatewayComponent = "kubeflow-gateway"

// check refuses what cannot work, before anything is written: what is not there, and what
// the user may not change. It needs no address yet.
func (o *tlsChoice) check(ctx context.Context, c *cluster.Cluster, source components.Source) error {
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
	part.settings.TLS = o.wanted("", part.settings.TLS)
	if part.settings.TLS.SelfSigned() {
		names = append(names, components.CertificateComponent)
	}
	plan, err := part.plan(ctx, names...)
	if err != nil {
		return err
	}
	return part.allowed(ctx, quiet, plan)
}

// part is the installation that is there, with those of its components that have to agree
// on the scheme.
func (o *tlsChoice) part(ctx context.Context, c *cluster.Cluster, source components.Source, engine *rollout.Engine) (partial, []string, error) {
	settings, err := rollout.ReadSettings(ctx, c)
	if err != nil {
		return partial{}, nil, err
	}
	if settings == nil {
		return partial{}, nil, fmt.Errorf("--tls: nothing is installed in %s: `kubectl jupyter install` comes first", where(c))
	}
	part := partial{base: o.base, cluster: c, source: source, settings: *settings, kustomization: o.Kustomization, timeout: o.Timeout}
	names, err := part.installedOf(ctx, engine, behindGateway)
	if err == nil && !slices.Contains(names, gatewayComponent) {
		err = fmt.Errorf("--tls: the gateway (component %s) is not installed in %s: `kubectl jupyter install` brings it", gatewayComponent, where(c))
	}
	return part, names, err
}

// checkCertificate looks at the certificate that is to be presented, or at who would make it.
func (o *tlsChoice) checkCertificate(ctx context.Context, c *cluster.Cluster) error {
	switch o.Mode {
	case tlsOff:
		return nil
	case tlsSelfSigned, components.GatewaySecret:
		if _, err := c.Mapper.Preferred(certificateKind); err != nil {
			return fmt.Errorf("--tls %s: cert-manager, which makes the certificate, is not in %s: install it (`kubectl jupyter install --only cert-manager`), or give --tls the name of a Secret", o.Mode, where(c))
		}
		return nil
	}
	ref := fmt.Sprintf("--tls: Secret %s/%s", gatewayNamespace, o.Mode)
	data, err := secretData(ctx, c, o.Mode)
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("%s does not exist: make it with `%s -n %s create secret tls %s --cert=FILE --key=FILE`", ref, o.base.kubectl(), gatewayNamespace, o.Mode)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", ref, err)
	}
	if o.secret, err = certs.Parse(data, time.Now()); err != nil {
		return fmt.Errorf("%s: %w", ref, err)
	}
	if missing := o.secret.Missing(o.Hosts); len(missing) > 0 {
		return fmt.Errorf("%s is for %s, not for %s: browsers would refuse it there", ref, list(o.secret.Hosts), list(missing))
	}
	return nil
}

// apply makes the gateway speak as chosen. Address is the gateway's IP address or host
// name, empty where it has none.
func (o *tlsChoice) apply(ctx context.Context, c *cluster.Cluster, source components.Source, address string, out *exposed) error {
	if o.Mode == "" {
		return nil
	}
	part, names, err := o.part(ctx, c, source, rollout.New(c, rollout.Options{}))
	if err != nil {
		return err
	}
	was := part.settings.TLS
	wanted := o.wanted(address, was)
	gateway := part
	gateway.settings.TLS = wanted
	plan, err := gateway.plan(ctx, names...)
	if err != nil {
		return err
	}
	engine, done := part.engine()
	defer done()
	if wanted.SelfSigned() {
		survey, err := o.issue(ctx, part, engine, wanted)
		record(survey, out)
		if err != nil {
			return err
		}
	}
	survey, err := gateway.apply(ctx, engine, plan)
	record(survey, out)
	if err != nil {
		return err
	}
	if wanted.SelfSigned() {
		return nil
	}
	// Also of a run that was killed before the gateway had the certificate.
	left, err := part.installedOf(ctx, engine, []string{components.CertificateComponent})
	if err != nil {
		return err
	}
	if was.SelfSigned() || len(left) > 0 {
		if _, err := engine.RemoveComponent(ctx, source.Release(), components.CertificateComponent); err != nil {
			return err
		}
		out.Changes = append(out.Changes, exposure.Change{Object: certificateRef, Action: report.Deleted, Note: "with its issuers and its Secrets"})
		return o.forget(ctx, c)
	}
	return nil
}

var (
	certificateKind = schema.GroupKind{Group: "cert-manager.io", Kind: "Certificate"}
	certificateRef  = report.Ref{Group: certificateKind.Group, Kind: certificateKind.Kind, Namespace: gatewayNamespace, Name: "jupyter-gateway"}
)

// wanted is what the settings keep of the choice. A certificate of our own that is made
// again, as for another address, keeps the names that it was for unless others are given.
func (o *tlsChoice) wanted(address string, was components.TLS) components.TLS {
	if o.Mode == tlsOff {
		return components.TLS{}
	}
	out := components.TLS{Secret: o.Mode, Hosts: slices.Clone(o.Hosts)}
	if o.Mode == tlsSelfSigned {
		out.Secret = components.GatewaySecret
	}
	add := func(host string) {
		if !slices.Contains(out.Hosts, host) && components.ValidHost(host) == nil {
			out.Hosts = append(out.Hosts, host)
		}
	}
	if o.secret != nil {
		for _, h := range o.secret.Hosts {
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
	return out
}

// issue has cert-manager make the certificate, and waits until it is for every host: only
// then is there something that the gateway could present.
func (o *tlsChoice) issue(ctx context.Context, part partial, engine *rollout.Engine, wanted components.TLS) (*rollout.Survey, error) {
	options := part.settings // what is recorded stays until the gateway has changed
	part.settings.TLS = wanted
	plan, err := part.plan(ctx, components.CertificateComponent)
	if err != nil {
		return nil, err
	}
	plan.Settings = options
	survey, err := part.apply(ctx, engine, plan)
	if err != nil {
		return survey, err
	}
	ctx, cancel := someTime(ctx, o.Timeout)
	defer cancel()
	secrets := part.cluster.Dynamic.Resource(secretsGVR).Namespace(gatewayNamespace)
	err = rollout.Until(ctx, secrets, components.GatewaySecret, func(u *unstructured.Unstructured) (bool, error) {
		if u == nil {
			return false, nil
		}
		c, err := certs.Parse(dataOf(u), time.Now())
		return err == nil && len(c.Missing(wanted.Hosts)) == 0, nil
	})
	if err != nil {
		err = fmt.Errorf("Secret %s/%s, in which cert-manager puts the certificate for %s: %w", gatewayNamespace, components.GatewaySecret, list(wanted.Hosts), err)
	}
	return survey, err
}

// forget deletes what cert-manager has made for the gateway and keeps when its
// Certificate goes: nobody shall go on trusting an authority that has no use.
func (o *tlsChoice) forget(ctx context.Context, c *cluster.Cluster) error {
	for _, name := range []string{components.GatewaySecret, components.GatewayCASecret} {
		err := c.Dynamic.Resource(secretsGVR).Namespace(gatewayNamespace).Delete(ctx, name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("Secret %s/%s: %w", gatewayNamespace, name, err)
		}
	}
	return nil
}

var secretsGVR = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}

func secretData(ctx context.Context, c *cluster.Cluster, name string) (map[string][]byte, error) {
	u, err := c.Dynamic.Resource(secretsGVR).Namespace(gatewayNamespace).Get(ctx, name, metav1.GetOptions{})
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

// announce says in a dry run what would be done. Its objects are not asked about: what
// they are depends on the address.
func (o *tlsChoice) announce(w io.Writer) {
	switch o.Mode {
	case "":
	case tlsOff:
		fmt.Fprintln(w, "HTTPS would be turned off, if it is on. "+plainHTTP)
	default:
		fmt.Fprintf(w, "HTTPS would be turned on (--tls %s), HTTP redirected to it, and cookies marked Secure.\n", o.Mode)
	}
}

// say tells a person what a browser will show, and how to compare it. Address is where
// the gateway is, empty where it has no address.
func (o *tlsChoice) say(ctx context.Context, w io.Writer, c *cluster.Cluster, address string) error {
	switch o.Mode {
	case "":
		return nil
	case tlsOff:
		_, err := fmt.Fprintln(w, plainHTTP)
		return err
	case tlsSelfSigned, components.GatewaySecret:
	default:
		fmt.Fprintf(w, "HTTPS with Secret %s/%s, for %s, valid until %s.\n  SHA-256  %s\n", gatewayNamespace, o.Mode,
			list(o.secret.Hosts), o.secret.NotAfter.UTC().Format(time.DateOnly), o.secret.Fingerprint)
		if address != "" && !o.secret.Covers(address) {
			fmt.Fprintf(w, "warning: it is not for %s: open the gateway by one of its names, which has to lead there\n", address)
		}
		return nil
	}
	data, err := secretData(ctx, c, components.GatewaySecret)
	if err != nil {
		return fmt.Errorf("Secret %s/%s: %w", gatewayNamespace, components.GatewaySecret, err)
	}
	leaf, err := certs.Parse(data, time.Now())
	if err != nil {
		return fmt.Errorf("Secret %s/%s: %w", gatewayNamespace, components.GatewaySecret, err)
	}
	fmt.Fprintf(w, "HTTPS with a certificate of its own, for %s. Browsers warn once, and show the certificate:\n  SHA-256  %s\n",
		strings.Join(leaf.Hosts, ", "), leaf.Fingerprint)
	if authority, err := certs.Authority(data[certs.AuthorityKey]); err == nil {
		fmt.Fprintf(w, "Signed by the installation's own authority, which stays the same when the address changes:\n  SHA-256  %s\n"+
			"  %s -n %s get secret %s -o jsonpath='{.data.ca\\.crt}' | base64 -d > jupyter-ca.crt\n",
			authority.Fingerprint, o.base.kubectl(), gatewayNamespace, components.GatewaySecret)
	}
	if address == "" {
		fmt.Fprintln(w, "The gateway has no address yet: the certificate is for localhost; `kubectl jupyter expose --tls self-signed` again makes one for the address.")
	}
	return nil
}
