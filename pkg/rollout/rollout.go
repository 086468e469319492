// Package rollout is the engine: it brings rendered components into a cluster in
// the order that their needs dictate and no slower, waits with watches, and keeps
// an inventory so that a later run can prune and uninstall can go backwards.
//
// The work has three steps. A Survey reads what is there and asks the server, with
// dry runs, what every object would become; it writes nothing. A Plan that found
// something of somebody else stops here. Apply then sends one PATCH for each object
// that would change, and waits.
package rollout

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// FieldManager owns every field that this program sends.
const FieldManager = "kubectl-jupyter"

// Options of a run.
type Options struct {
	// Timeout bounds the whole run; zero means no bound.
	Timeout time.Duration
	// Wait until everything is ready, not only accepted.
	Wait bool
	// Adopt takes over objects and fields of others.
	Adopt bool
	// AskAll has the server asked about every object, also where the inventory shows that
	// nothing has changed: for dry runs, which print what the server says.
	AskAll bool
	// KeepRefusals lists in the survey what the server would not accept. Without it the
	// first refusal is the survey's error.
	KeepRefusals bool
	// Password of the first user; nil makes one.
	Password []byte
	// Explain names the causes of what is not ready, for time-outs and failures.
	Explain func(ctx context.Context, subjects []Subject) []report.Cause
	// Hopeless tells of a cause that waiting cannot cure, such as an image that does not
	// exist: the run ends instead of using up its time. Nil waits for everything.
	Hopeless func(report.Cause) bool
	// Events receives what happens; nil drops it.
	Events report.Sink
	// Tooling is written into the inventory, as in kubectl-jupyter/v0.1.0.
	Tooling string
}

// Subject is an object that is not as it should be, as last seen.
type Subject struct {
	Component string
	Ref       report.Ref
	// Message is what kstatus or the API server said.
	Message string
}

// Engine runs plans against one cluster.
type Engine struct {
	cluster *cluster.Cluster
	options Options
	events  *emitter
}

// New makes an engine.
func New(c *cluster.Cluster, o Options) *Engine {
	return &Engine{cluster: c, options: o, events: newEmitter(o.Events)}
}

// Plan is what is to be in the cluster.
type Plan struct {
	Release *components.Release
	// From is the release that an upgrade replaces; nil for every other run.
	From     *components.Release
	Settings Settings
	Rendered []components.Rendered
	// Existing are components that Rendered needs and that are in the cluster already:
	// somebody else's (--use-existing) or an earlier run's. Nothing of theirs is sent;
	// their conditions are proven all the same.
	Existing []components.Rendered
	// Directories of the nodes, where Istio's CNI plugin is part of it.
	Directories *Directories
	// Network of the cluster; nil where nothing could be asked.
	Network *Network
	// Partial is set when components were left out by --only or --skip: nothing of
	// theirs is pruned.
	Partial bool

	// found is the inventory where the plan depends on it; nil leaves it to the survey.
	found *found
}

// Settings are the choices that a later run keeps when it does not name others.
// They are recorded with the inventory.
type Settings struct {
	Release string `json:"release"`
	// From is the release that an upgrade to Release replaces, as long as it is not complete.
	From string `json:"from,omitempty"`
	// Without are the components that were left out of it, since they were not installed.
	Without       []string `json:"without,omitempty"`
	Profile       string   `json:"profile"`
	UserEmail     string   `json:"userEmail"`
	SecureCookies bool     `json:"secureCookies,omitempty"`
	Registry      string   `json:"registry,omitempty"`
	// PullSecret is the Secret (NAMESPACE/NAME) whose copies pods pull images with.
	PullSecret  string            `json:"pullSecret,omitempty"`
	Images      map[string]string `json:"images,omitempty"`
	UseExisting []string          `json:"useExisting,omitempty"`
	// Kustomization is the folder given with -k; a later run has to name one again.
	Kustomization string `json:"kustomization,omitempty"`
	// TLS of the gateway, as `expose --tls` chose it.
	TLS components.TLS `json:"tls,omitzero"`
	// NotebookOrigin is what `expose --notebook-origin` chose.
	NotebookOrigin components.NotebookOrigin `json:"notebookOrigin,omitzero"`
	// Issuer is what Dex calls itself, as `expose` and `identity add` chose it.
	Issuer components.Issuer `json:"issuer,omitzero"`
	// ProvidersOnly is what `identity add --only` chose.
	ProvidersOnly bool `json:"providersOnly,omitempty"`
	// Form is what `notebook form set` chose.
	Form components.Form `json:"form,omitzero"`
	// Culling is when notebooks that nobody uses are stopped; empty: as the profile has it.
	Culling components.Culling `json:"cullIdle,omitempty"`
	// SelfService is who gets a namespace at the first login.
	SelfService components.SelfService `json:"selfService,omitzero"`
	// CNI is where Istio's CNI plugin is on the nodes.
	CNI CNISettings `json:"cni,omitzero"`
	// Network is what the manifests have to know of the cluster's network.
	Network NetworkSettings `json:"network,omitzero"`
	// IsolateNamespaces: the namespaces of people are closed by a network policy.
	IsolateNamespaces bool `json:"isolateNamespaces,omitempty"`
	// Clone is where the manifests come from, nil for a release that is part of the plugin.
	Clone *components.Clone `json:"clone,omitempty"`

	// copied is the clone's release in the form of components.Files.Copy, before the one that
	// an upgrade replaces, where that is a clone.
	copied, before []byte
}

// Source of the manifests of the release that is installed; of the default one where
// nothing is (nil).
func (s *Settings) Source() (components.Source, error) {
	if s == nil || s.Release == "" {
		return components.NewEmbedded(components.DefaultRelease)
	}
	if s.Clone != nil {
		return s.cloneSource()
	}
	source, err := components.NewEmbedded(s.Release)
	if err != nil {
		return nil, fmt.Errorf("release %s is installed, which this version of the plugin does not have: use the version that installed it, or a later one (this one has %s)",
			s.Release, strings.Join(components.ReleaseNames(), ", "))
	}
	return source, nil
}

// Options of the manifests that the choices stand for. The server's version, and the
// kustomization, which has to be named again, are the caller's to add.
func (s Settings) Options() components.Options {
	return components.Options{
		Profile: s.Profile, UserEmail: s.UserEmail, SecureCookies: s.SecureCookies,
		Registry: s.Registry, PullSecret: s.PullSecret, Images: s.Images, TLS: s.TLS, NotebookOrigin: s.NotebookOrigin, Issuer: s.Issuer, ProvidersOnly: s.ProvidersOnly, Form: s.Form, Culling: s.Culling, CNI: s.CNI.CNI,
		ClusterDomain: s.Network.Domain, IPv6: s.Network.IPv6, SelfService: s.SelfService,
	}
}
