package login

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

const (
	// maxItems of one list: the stack has a handful of each.
	maxItems = 500
	// inFlight reads at a time.
	inFlight = 16
)

// namespaces of the hops.
var namespaces = []string{istioNamespace, stackNamespace, dexNamespace, proxyNamespace}

// reader makes reads side by side and keeps in the Ground what failed.
type reader struct {
	cluster.Reads
	c *cluster.Cluster
}

func newReader(c *cluster.Cluster) *reader {
	return &reader{Reads: cluster.Reads{InFlight: inFlight}, c: c}
}

// Read reads all hops: some thirty requests, side by side, whatever the size of the
// cluster. What could not be read is in the Ground; the error is that of a cluster which
// did not answer at all, or of a context that ended.
func Read(ctx context.Context, c *cluster.Cluster) (*Ground, error) {
	r, g := newReader(c), &Ground{}
	r.wayIn(g)
	r.hops(g)
	if err := r.run(ctx); err != nil {
		return nil, err
	}
	// What is worth reading next depends on what was found.
	r.behind(g)
	if err := r.run(ctx); err != nil {
		return nil, err
	}
	sortGround(g)
	return g, nil
}

// wayIn plans what WayInOf needs.
func (r *reader) wayIn(g *Ground) {
	r.address(g)
	r.get(g, dexConfigRef, func(u *unstructured.Unstructured) error {
		config := &DexConfig{}
		if err := yaml.Unmarshal([]byte(data(u)["config.yaml"]), config); err != nil {
			return fmt.Errorf("config.yaml: %w", err)
		}
		g.Dex = config
		return nil
	})
	list(r, g, "dex.coreos.com", "Password", dexNamespace, func(u *unstructured.Unstructured) error {
		email, _, _ := unstructured.NestedString(u.Object, "email")
		g.Passwords = append(g.Passwords, email)
		return nil
	})
}

// address plans what says where the way in is, and nothing of who may go there.
func (r *reader) address(g *Ground) {
	r.get(g, GatewayRef, func(u *unstructured.Unstructured) error {
		g.Service = &corev1.Service{}
		return convert(u, g.Service)
	})
	r.get(g, gatewayRef, func(u *unstructured.Unstructured) (err error) {
		g.Gateway, err = GatewayOf(u)
		return err
	})
	r.get(g, report.Ref{Kind: "ConfigMap", Namespace: "kube-system", Name: "kubectl-jupyter"}, func(u *unstructured.Unstructured) error {
		var settings struct {
			UserEmail      string
			TLS            struct{ Hosts []string }
			NotebookOrigin components.NotebookOrigin
			Network        struct{ Domain string }
		}
		if err := json.Unmarshal([]byte(data(u)["settings.json"]), &settings); err != nil {
			return fmt.Errorf("settings.json: %w", err)
		}
		g.FirstUser, g.Hosts = settings.UserEmail, settings.TLS.Hosts
		g.Notebooks, g.Domain = &settings.NotebookOrigin, settings.Network.Domain
		return nil
	})
}

// nodes plans to read the addresses of nodes, where they are the way in.
func (r *reader) nodes(g *Ground) {
	if g.Service != nil && g.Service.Spec.Type == corev1.ServiceTypeNodePort {
		list(r, g, "", "Node", "", into(&g.Nodes))
	}
}

// hops plans what is behind the address.
func (r *reader) hops(g *Ground) {
	for _, ns := range namespaces {
		list(r, g, "", "Service", ns, into(&g.Services))
		list(r, g, "discovery.k8s.io", "EndpointSlice", ns, into(&g.Endpoints))
		list(r, g, "apps", "Deployment", ns, into(&g.Deployments))
		list(r, g, "", "Pod", ns, into(&g.Pods))
		if ns != istioNamespace {
			list(r, g, networkingGroup, "VirtualService", ns, into(&g.Routes))
		}
	}
	for _, kind := range []string{"AuthorizationPolicy", "RequestAuthentication"} {
		list(r, g, securityGroup, kind, istioNamespace, func(u *unstructured.Unstructured) error {
			u.SetManagedFields(nil)
			g.Policies = append(g.Policies, u)
			return nil
		})
	}
	list(r, g, CredentialsRef.Group, CredentialsRef.Kind, istioNamespace, func(u *unstructured.Unstructured) error {
		u.SetManagedFields(nil)
		g.Filters = append(g.Filters, u)
		return nil
	})
	list(r, g, "kubeflow.org", "Profile", "", func(u *unstructured.Unstructured) error {
		owner, _, _ := unstructured.NestedString(u.Object, "spec", "owner", "name")
		g.Profiles = append(g.Profiles, Profile{u.GetName(), owner})
		return nil
	})
	listWith(r, g, "", "Pod", "", metav1.ListOptions{LabelSelector: MeshPods, Limit: maxItems}, into(&g.MeshPods))
	r.add(g, "NetworkPolicy of ", func(ctx context.Context) error {
		policies, err := diagnose.NetworkPolicies(ctx, r.c, "")
		r.Keep(func() { g.NetworkPolicies = policies })
		return err
	})
	r.get(g, MeshRootRef, func(u *unstructured.Unstructured) error { g.MeshRoot = data(u)[MeshRootKey]; return nil })
	r.get(g, meshRef, func(u *unstructured.Unstructured) (err error) {
		g.Providers, err = parseMesh(data(u)["mesh"])
		return err
	})
	r.get(g, proxyConfigRef, func(u *unstructured.Unstructured) error {
		g.Proxy = tomlStrings(data(u)["oauth2_proxy.cfg"])
		return nil
	})
	r.get(g, proxyParamsRef, func(u *unstructured.Unstructured) error { g.ProxyParameters = data(u); return nil })
	r.get(g, webAppParamsRef, func(u *unstructured.Unstructured) error { g.WebAppParameters = data(u); return nil })
	r.clients(g)
}

// behind plans what only the first reads could name.
func (r *reader) behind(g *Ground) {
	r.nodes(g)
	if g.Gateway == nil {
		return
	}
	if d := g.Gateway.door(); d != nil && d.TLS != nil && d.TLS.CredentialName != "" {
		ref := report.Ref{Kind: "Secret", Namespace: istioNamespace, Name: d.TLS.CredentialName}
		r.get(g, ref, func(u *unstructured.Unstructured) error {
			values := data(u)
			for key, to := range map[string]*[]byte{"tls.crt": &g.Leaf, "ca.crt": &g.Authority} {
				pem, err := base64.StdEncoding.DecodeString(values[key])
				if err != nil {
					return fmt.Errorf("%s: %w", key, err)
				}
				*to = pem
			}
			return nil
		})
	}
}

// clusterSource is the cluster itself.
type clusterSource struct{ c *cluster.Cluster }

func (s clusterSource) complaints(ctx context.Context, since time.Time) []string {
	return append(Complaints(ctx, s.c, dexNamespace, since), Complaints(ctx, s.c, proxyNamespace, since)...)
}

func (s clusterSource) notebooks(ctx context.Context, namespace string) ([]Notebook, error) {
	r, g := newReader(s.c), &Ground{}
	var running []Notebook
	list(r, g, "kubeflow.org", "Notebook", namespace, func(u *unstructured.Unstructured) error {
		if ready, _, _ := unstructured.NestedInt64(u.Object, "status", "readyReplicas"); ready > 0 {
			running = append(running, Notebook{u.GetNamespace(), u.GetName()})
		}
		return nil
	})
	if err := r.run(ctx); err != nil {
		return nil, err
	}
	for _, f := range g.failed {
		return nil, fmt.Errorf("%s: %w", f.what, f.err)
	}
	return running, nil
}

// destination is the host that a notebook's route leads to; empty where it is not known.
func (s clusterSource) destination(ctx context.Context, n Notebook) string {
	r, g := newReader(s.c), &Ground{}
	list(r, g, networkingGroup, "VirtualService", n.Namespace, into(&g.Routes))
	if err := r.run(ctx); err != nil {
		return ""
	}
	for i := range g.Routes {
		route := &g.Routes[i]
		if !route.leads(fmt.Sprintf("/notebook/%s/%s/", n.Namespace, n.Name)) {
			continue
		}
		for _, rule := range route.Spec.HTTP {
			for _, to := range rule.Route {
				return to.Destination.Host
			}
		}
	}
	return ""
}

// clients compares what Dex and oauth2-proxy know of each other. The values are not kept.
func (r *reader) clients(g *Ground) {
	var known []map[string]string
	for _, ref := range []report.Ref{
		{Kind: "Secret", Namespace: dexNamespace, Name: "dex-oidc-client"},
		{Kind: "Secret", Namespace: proxyNamespace, Name: "oauth2-proxy"},
	} {
		r.get(g, ref, func(u *unstructured.Unstructured) error {
			values := data(u)
			known = append(known, map[string]string{
				"id":     values["OIDC_CLIENT_ID"] + values["client-id"],
				"secret": values["OIDC_CLIENT_SECRET"] + values["client-secret"],
			})
			if len(known) == 2 {
				agrees := known[0]["id"] == known[1]["id"] && known[0]["secret"] == known[1]["secret"]
				g.ClientAgrees = &agrees
			}
			return nil
		})
	}
}

func (s clusterSource) firstPasswordHash(ctx context.Context) ([]byte, error) {
	u, err := s.c.Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "secrets"}).
		Namespace(dexNamespace).Get(ctx, "dex-passwords", metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(data(u)["DEX_USER_PASSWORD"])
}

// get plans to read one object, if it is there.
func (r *reader) get(g *Ground, ref report.Ref, take func(*unstructured.Unstructured) error) {
	r.add(g, ref.String(), func(ctx context.Context) error {
		client, err := r.c.Of(schema.GroupKind{Group: ref.Group, Kind: ref.Kind}, ref.Namespace)
		var u *unstructured.Unstructured
		if err == nil {
			u, err = client.Get(ctx, ref.Name, metav1.GetOptions{})
		}
		if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
			r.Keep(func() { g.missing = append(g.missing, ref) })
			return nil
		}
		if err != nil {
			return err
		}
		r.Keep(func() { err = take(u) })
		return err
	})
}

// list plans to read the objects of a kind in a namespace.
func list(r *reader, g *Ground, group, kind, namespace string, take func(*unstructured.Unstructured) error) {
	listWith(r, g, group, kind, namespace, metav1.ListOptions{Limit: maxItems}, take)
}

func listWith(r *reader, g *Ground, group, kind, namespace string, o metav1.ListOptions, take func(*unstructured.Unstructured) error) {
	r.add(g, kind+" of "+namespace, func(ctx context.Context) error {
		client, err := r.c.Of(schema.GroupKind{Group: group, Kind: kind}, namespace)
		if meta.IsNoMatchError(err) {
			return nil
		}
		if err != nil {
			return err
		}
		found, err := client.List(ctx, o)
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		r.Keep(func() {
			for i := range found.Items {
				if err = take(&found.Items[i]); err != nil {
					err = fmt.Errorf("%s: %w", found.Items[i].GetName(), err)
					return
				}
			}
		})
		return err
	})
}

// into appends to a list of what an object says, in a type that is easier to read.
func into[T any](to *[]T) func(*unstructured.Unstructured) error {
	return func(u *unstructured.Unstructured) error {
		var v T
		if err := convert(u, &v); err != nil {
			return err
		}
		*to = append(*to, v)
		return nil
	}
}

func convert(u *unstructured.Unstructured, to any) error {
	return runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, to)
}

func data(u *unstructured.Unstructured) map[string]string {
	values, _, _ := unstructured.NestedStringMap(u.Object, "data")
	return values
}

func (r *reader) add(g *Ground, what string, read func(context.Context) error) {
	r.Plan(func(ctx context.Context) error {
		if err := read(ctx); err != nil {
			r.Keep(func() { g.failed = append(g.failed, readError{what, err}) })
		}
		return nil
	})
}

// run makes the reads that are planned. Only the end of the context is an error.
func (r *reader) run(ctx context.Context) error {
	_ = r.Run(ctx) // the reads keep their errors in the Ground
	return ctx.Err()
}
