package login

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// deciding are the filters that let a request pass or not.
var deciding = []string{"envoy.filters.http.ext_authz", "envoy.filters.http.jwt_authn", "envoy.filters.http.rbac", "envoy.filters.http.oauth2"}

// StrangeFilters name the EnvoyFilters by which somebody else decides about the gateway's
// requests, as Kubeflow up to 1.8 did with its authservice. Ours tells those of the
// installation. Exists tells of a Service whether it is there; where that is not known, yes.
func (g *Ground) StrangeFilters(ours func(*unstructured.Unstructured) bool, exists func(report.Ref) bool) []report.Cause {
	var causes []report.Cause
	for _, f := range g.Filters {
		labels, _, _ := unstructured.NestedStringMap(f.Object, "spec", "workloadSelector", "labels")
		if ours(f) || f.GetDeletionTimestamp() != nil || f.GetNamespace() != istioNamespace || g.selectsOthers(labels) != "" {
			continue
		}
		for _, p := range patches(f) {
			name, service := decides(p)
			if name == "" {
				continue
			}
			ref := report.Ref{Group: networkingGroup, Kind: f.GetKind(), Namespace: f.GetNamespace(), Name: f.GetName()}
			c := report.Cause{
				Name: diagnose.StrangeFilter, Severity: report.Warning, Component: istioComponent, Object: ref,
				Summary:  fmt.Sprintf("EnvoyFilter %s, which is not part of the installation, decides about the gateway's requests too", f.GetName()),
				Evidence: []string{fmt.Sprintf("%s: adds %s", ref, name)},
				Remedy:   fmt.Sprintf("if it is a leftover, as authn-filter of Kubeflow up to 1.8: kubectl -n %s delete envoyfilter %s", f.GetNamespace(), f.GetName()),
			}
			if service.Kind != "" {
				c.Evidence[0] += ", which asks " + service.String()
				if !exists(service) {
					c.Severity = report.Error
					c.Summary = fmt.Sprintf("EnvoyFilter %s makes the gateway ask a Service that does not exist: it denies everything", f.GetName())
					c.Evidence = append(c.Evidence, service.String()+": not found")
				}
			}
			causes = append(causes, c)
			break
		}
	}
	return causes
}

// decides names the deciding filter that a patch adds to the gateway, and whom it asks.
func decides(patch map[string]any) (filter string, service report.Ref) {
	applies, _, _ := unstructured.NestedString(patch, "applyTo")
	operation, _, _ := unstructured.NestedString(patch, "patch", "operation")
	context, _, _ := unstructured.NestedString(patch, "match", "context")
	if applies != "HTTP_FILTER" || !strings.HasPrefix(operation, "INSERT") && operation != "ADD" || context != "" && context != "ANY" && context != "GATEWAY" {
		return "", report.Ref{}
	}
	name, _, _ := unstructured.NestedString(patch, "patch", "value", "name")
	kind, _, _ := unstructured.NestedString(patch, "patch", "value", "typed_config", "@type")
	i := slices.IndexFunc(deciding, func(d string) bool {
		_, last, _ := strings.Cut(d, "http.")
		return name == d || strings.Contains(kind, ".filters.http."+last+".")
	})
	if i < 0 {
		return "", report.Ref{}
	}
	for _, path := range [][]string{{"http_service", "server_uri", "cluster"}, {"grpc_service", "envoy_grpc", "cluster_name"}} {
		cluster, _, _ := unstructured.NestedString(patch, append([]string{"patch", "value", "typed_config"}, path...)...)
		// outbound|8080||NAME.NAMESPACE.svc.DOMAIN
		parts := strings.Split(cluster, "|")
		if host := strings.SplitN(parts[len(parts)-1], ".", 4); len(parts) == 4 && len(host) > 2 && host[2] == "svc" {
			service = report.Ref{Kind: "Service", Namespace: host[1], Name: host[0]}
		}
	}
	return deciding[i], service
}

// strangeFilters are those that a check has read. Whether they are the installation's is told
// by its label.
func (g *Ground) strangeFilters() []report.Cause {
	return g.StrangeFilters(
		func(f *unstructured.Unstructured) bool { return f.GetLabels()[membership] != "" },
		func(ref report.Ref) bool {
			return ref.Namespace != istioNamespace || g.listFailed("Service", istioNamespace) || g.service(ref.Namespace, ref.Name) != nil
		})
}

// membership is the label of an installation's objects.
const membership = "applyset.kubernetes.io/part-of"

// AskedByFilters are the Services that filters of the gateway ask whether a request may pass.
func AskedByFilters(filters []*unstructured.Unstructured) []report.Ref {
	var out []report.Ref
	for _, f := range filters {
		for _, p := range patches(f) {
			if _, service := decides(p); service.Kind != "" && !slices.Contains(out, service) {
				out = append(out, service)
			}
		}
	}
	return out
}
