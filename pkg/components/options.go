package components

import (
	"cmp"
	"fmt"
	"net/mail"
	"path"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/platform"
)

// Profiles are the sizes a release comes in.
const (
	ProfileDefault = "default"
	ProfileSlim    = "slim"
)

// Profiles lists the known profiles.
func Profiles() []string { return []string{ProfileDefault, ProfileSlim} }

// DefaultUserEmail is the first user where none is named.
const DefaultUserEmail = "user@example.com"

// Options are what a person can choose about the manifests.
type Options struct {
	// Profile is one of Profiles; empty means default.
	Profile string
	// UserEmail is the first user; empty means DefaultUserEmail.
	UserEmail string
	// UserProfile names the user's Profile and namespace; empty: it follows from UserEmail.
	UserProfile string
	// SecureCookies marks the session and CSRF cookies Secure. A browser drops such
	// cookies over plain HTTP, so it goes together with TLS on the gateway.
	SecureCookies bool
	// TLS of the gateway; the zero value is plain HTTP.
	TLS TLS
	// NotebookOrigin keeps notebooks away from the web app's origin; the zero value does not.
	NotebookOrigin NotebookOrigin
	// Issuer is what Dex calls itself; the zero value is its name inside the cluster.
	Issuer Issuer
	// ProvidersOnly has Dex take no passwords of its own, only those of identity providers.
	ProvidersOnly bool
	// Form is what the form for a new notebook offers; the zero value is the release's.
	Form Form
	// Culling is when notebooks that nobody uses are stopped; empty: as the profile has it.
	Culling Culling
	// SelfService gives people a namespace at their first login.
	SelfService SelfService
	// OrdinarySidecars makes the injected sidecar an ordinary container. It is for a
	// server older than NativeSidecarsSince, which refuses the native kind.
	OrdinarySidecars bool
	// NoPause has every program end as soon as its pod is deleted. It is for a server older
	// than PausesSince.
	NoPause bool
	// IgnoreExcluded has MetalLB's speakers announce from nodes that load balancers are told
	// to leave out. It is for a cluster that has no others, such as one control plane alone.
	IgnoreExcluded bool
	// CNI are the nodes' directories for Istio's CNI plugin; empty: the usual ones. Releases
	// without the plugin have no use for them.
	CNI CNI
	// ClusterDomain ends the names of Services; empty means DefaultDomain.
	ClusterDomain string
	// IPv6 has programs listen on IPv6 too. It is for a cluster whose pods have such addresses.
	IPv6 bool
	// Registry (HOST[:PORT][/PREFIX]) replaces the host of every image. With REGISTRY= before
	// it, it is for images of that registry only; several are separated by commas.
	Registry string
	// PullSecret (NAMESPACE/NAME) has the credentials that images are pulled with; empty: the
	// nodes have them, or none are needed.
	PullSecret string
	// Images replaces single images: repository without tag -> full reference.
	Images map[string]string
	// Outlines leaves out the schemas of CustomResourceDefinitions, which are most of a
	// release: for who only asks what there should be.
	Outlines bool
	// Kustomization is a directory with the user's own kustomization, applied on top.
	Kustomization string
}

// CNI is where container runtimes look for CNI plugins on the nodes.
type CNI struct {
	// BinDir has the programs, ConfDir their configuration.
	BinDir  string `json:"binDir,omitempty"`
	ConfDir string `json:"confDir,omitempty"`
}

func (c CNI) validate() error {
	for _, d := range []struct{ flag, dir string }{{"cni-bin-dir", c.BinDir}, {"cni-conf-dir", c.ConfDir}} {
		if d.dir != "" && (!path.IsAbs(d.dir) || path.Clean(d.dir) != d.dir || d.dir == "/" || strings.ContainsAny(d.dir, "$()\n")) {
			return fmt.Errorf("--%s: %q is not an absolute path such as %s", d.flag, d.dir, defaultCNI.BinDir)
		}
	}
	return nil
}

// defaultCNI is what container runtimes use unless they are configured otherwise.
var defaultCNI = CNI{BinDir: platform.Usual.Bin, ConfDir: platform.Usual.Conf}

// WithDefaults fills in what is empty.
func (c CNI) WithDefaults() CNI {
	return CNI{BinDir: cmp.Or(c.BinDir, defaultCNI.BinDir), ConfDir: cmp.Or(c.ConfDir, defaultCNI.ConfDir)}
}

func (o Options) withDefaults() Options {
	o.CNI = o.CNI.WithDefaults()
	if o.Profile == "" {
		o.Profile = ProfileDefault
	}
	if o.UserEmail == "" {
		o.UserEmail = DefaultUserEmail
	}
	return o
}

// NativeSidecarsSince is the minor version of Kubernetes that has native sidecars
// (KEP-753) switched on. An older server drops an init container's restartPolicy and
// then refuses its probes, so that no pod with a sidecar could be created.
const NativeSidecarsSince = 29

// enabled lists the options whose kustomize Components, below a component's folder
// options, are put on top of it.
func (o Options) enabled() []string {
	var names []string
	if o.CookiesSecure() {
		names = append(names, "secure-cookies")
	}
	if o.TLS.On() {
		names = append(names, "tls")
	}
	names = append(names, o.NotebookOrigin.enabled(o.TLS.On())...)
	names = append(names, o.Culling.enabled()...)
	names = append(names, o.Issuer.enabled()...)
	names = append(names, o.SelfService.enabled()...)
	if o.OrdinarySidecars {
		names = append(names, "ordinary-sidecars")
	}
	if o.IgnoreExcluded {
		names = append(names, "ignore-excluded")
	}
	if o.IPv6 {
		names = append(names, "ipv6")
	}
	return names
}

var emailShape = regexp.MustCompile(`^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+$`)

// Validate reports the first unusable option, naming its flag.
func (o Options) Validate() error {
	o = o.withDefaults()
	if !slices.Contains(Profiles(), o.Profile) {
		return fmt.Errorf("--profile: unknown profile %q: the profiles are %s", o.Profile, strings.Join(Profiles(), ", "))
	}
	// The address becomes part of Dex's configuration and of an RBAC subject, so it
	// is held to a shape that needs no quoting anywhere.
	if a, err := mail.ParseAddress(o.UserEmail); err != nil || a.Address != o.UserEmail || !emailShape.MatchString(o.UserEmail) {
		return fmt.Errorf("--user-email: %q is not an e-mail address of the form name@domain", o.UserEmail)
	}
	if o.UserProfile != "" && len(validation.IsDNS1123Label(o.UserProfile)) != 0 {
		return fmt.Errorf("--profile-name: %q is not a valid namespace name (at most 63 lower-case letters, digits and dashes)", o.UserProfile)
	}
	if ns := o.ProfileName(); len(validation.IsDNS1123Label(ns)) != 0 {
		return fmt.Errorf("--user-email: %q makes the namespace name %q, which is not valid (at most 63 letters, digits and dashes)", o.UserEmail, ns)
	}
	if err := o.TLS.validate(); err != nil {
		return err
	}
	if err := o.NotebookOrigin.validate(); err != nil {
		return err
	}
	if err := o.Culling.validate(); err != nil {
		return err
	}
	if err := o.SelfService.validate(); err != nil {
		return err
	}
	if err := o.Issuer.validate(); err != nil {
		return err
	}
	if err := o.CNI.validate(); err != nil {
		return err
	}
	if err := o.Form.validate(); err != nil {
		return err
	}
	if err := validDomain(o.ClusterDomain); err != nil {
		return err
	}
	if err := validRegistry(o.Registry); err != nil {
		return err
	}
	if err := validPullSecret(o.PullSecret); err != nil {
		return err
	}
	for name, ref := range o.Images {
		if name == "" || ref == "" || strings.ContainsAny(name+ref, " \t\n") {
			return fmt.Errorf("--image: %q=%q is not NAME=REF", name, ref)
		}
		if !imageShape.MatchString(ref) {
			return fmt.Errorf("--image %s: %q is not an image reference such as registry.example.com/team/%s:v1", name, ref, path.Base(name))
		}
	}
	return nil
}

// CheckImage refuses what is no reference of an image.
func CheckImage(ref string) error {
	if !imageShape.MatchString(ref) {
		return fmt.Errorf("%q is not an image reference such as registry.example.com/team/notebook:v1", ref)
	}
	return nil
}

// imageShape is [HOST[:PORT]/]PATH[:TAG][@DIGEST], as container runtimes take it.
var imageShape = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]+)?/)?[a-z0-9]+([._/-]+[a-z0-9]+)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[a-f0-9]{64})?$`)

var notInName = regexp.MustCompile(`[^a-z0-9]+`)

// ProfileName is the first user's Profile and namespace. Upstream's example,
// kubeflow-user-example-com for user@example.com, is the pattern.
func (o Options) ProfileName() string {
	o = o.withDefaults()
	if o.UserProfile != "" {
		return o.UserProfile
	}
	return "kubeflow-" + strings.Trim(notInName.ReplaceAllString(strings.ToLower(o.UserEmail), "-"), "-")
}

var registryShape = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]+)?(/[a-z0-9._-]+)*$`)

func validRegistry(r string) error {
	if r == "" {
		return nil
	}
	known := map[string]bool{}
	for _, m := range mirrors(r) {
		switch {
		case !registryShape.MatchString(m.to):
			return fmt.Errorf("--registry: %q is not HOST[:PORT][/PREFIX] (no scheme, no trailing slash, lower case)", m.to)
		case m.of != "" && (!registryShape.MatchString(m.of) || strings.Contains(m.of, "/")):
			return fmt.Errorf("--registry: %q is not a registry such as docker.io or quay.io", m.of)
		case known[m.of] && m.of == "":
			return fmt.Errorf("--registry: %q has two mirrors for all registries: write REGISTRY=HOST/PREFIX for each", r)
		case known[m.of]:
			return fmt.Errorf("--registry: %s is specified twice", m.of)
		}
		known[m.of] = true
	}
	return nil
}

// mirror of a registry, or of all where of is empty.
type mirror struct{ of, to string }

// mirrors reads what --registry says.
func mirrors(text string) []mirror {
	var out []mirror
	for _, part := range strings.Split(text, ",") {
		of, to, named := strings.Cut(part, "=")
		if !named {
			of, to = "", part
		}
		out = append(out, mirror{of, to})
	}
	return out
}
