package clones

import (
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// add brings what upstream's stack lacks where Kubeflow's dashboard is not around it, as the
// embedded release has it. docs/clones.md lists it, with the reasons.
func (c *clone) add(templates map[string][]*unstructured.Unstructured) {
	c.addRoutes(templates[webApp])
	c.addNamespaces(templates[profiles])
	c.allowCookies()
	c.addCredentialsFilter(templates["oauth2-proxy"])
	c.letPeopleIn(templates["istio"])
	c.keepFromAKS(templates)
}

const (
	webApp         = "jupyter-web-app"
	kubeflow       = "kubeflow"
	webAppRoute    = "jupyter-web-app-jupyter-web-app"
	profiles       = "profiles"
	kfamPolicy     = "profiles-kfam"
	kfamFilter     = "profiles-kfam-people"
	webAppSettings = "jupyter-web-app-parameters"
	webAppProgram  = "jupyter-web-app-deployment"
	secureCookies  = "APP_SECURE_COOKIES"
	secureSetting  = "JWA_APP_SECURE_COOKIES"
	enforcer       = "admissions.enforcer/disabled"
)

// What the filter for credentials needs of Istio's proxy, by Istio's minor version.
const (
	// filterSinceIstio is the first whose proxy has the filter for headers.
	filterSinceIstio = 20
	// rawSinceIstio is the first whose clusters have another name for statistics, and whose
	// proxy (Envoy 1.32) tells the names apart. Before, there is one name and one operator.
	rawSinceIstio = 24
	rawCluster    = "%UPSTREAM_CLUSTER_RAW%"
	onlyCluster   = "%UPSTREAM_CLUSTER%"
)

// addRoutes adds the web app's own routes to upstream's: the page requests them, and the
// dashboard would serve them.
func (c *clone) addRoutes(templates []*unstructured.Unstructured) {
	route := c.find(webApp, "VirtualService", kubeflow, webAppRoute)
	template := find(templates, "VirtualService", kubeflow, webAppRoute)
	if route == nil || template == nil {
		c.warn("there is no VirtualService %s/%s: no routes for /, /jupyter and the list of namespaces are added", kubeflow, webAppRoute)
		return
	}
	http, _, _ := unstructured.NestedSlice(route.Object, "spec", "http")
	ours, _, _ := unstructured.NestedSlice(template.Object, "spec", "http")
	var paths []string
	for _, r := range ours {
		r, _ := r.(map[string]any)
		match := exactPaths(r)
		if len(match) == 0 || slices.ContainsFunc(http, func(o any) bool {
			other, _ := o.(map[string]any)
			return reflect.DeepEqual(other["match"], r["match"])
		}) {
			continue
		}
		http = append(http, r)
		for _, p := range match {
			if !slices.Contains(paths, p) { // GET and POST are two routes
				paths = append(paths, p)
			}
		}
	}
	if len(paths) == 0 {
		return
	}
	_ = unstructured.SetNestedSlice(route.Object, http, "spec", "http") // read from there just before
	c.note("VirtualService %s/%s has routes for %s", kubeflow, webAppRoute, strings.Join(paths, ", "))
}

// exactPaths of a route; none where it matches anything else.
func exactPaths(route map[string]any) []string {
	var paths []string
	matches, _ := route["match"].([]any)
	for _, m := range matches {
		m, _ := m.(map[string]any)
		path, found, _ := unstructured.NestedString(m, "uri", "exact")
		if !found {
			return nil
		}
		paths = append(paths, path)
	}
	return paths
}

// addNamespaces has KFAM tell people which namespaces are theirs: the gateway is admitted to
// that question, and a filter makes it one about whoever is logged in.
func (c *clone) addNamespaces(templates []*unstructured.Unstructured) {
	policy, template := c.find(profiles, "AuthorizationPolicy", kubeflow, kfamPolicy), find(templates, "AuthorizationPolicy", kubeflow, kfamPolicy)
	filter := find(templates, "EnvoyFilter", kubeflow, kfamFilter)
	if policy == nil || template == nil || filter == nil {
		c.warn("there is no AuthorizationPolicy %s/%s: the web app lists no namespaces", kubeflow, kfamPolicy)
		return
	}
	of, _, _ := unstructured.NestedMap(policy.Object, "spec", "selector", "matchLabels")
	if len(of) == 0 {
		c.warn("AuthorizationPolicy %s/%s is for all pods: the web app lists no namespaces", kubeflow, kfamPolicy)
		return
	}
	// The clone's pods may have other labels than those of the release that it is like.
	filter = filter.DeepCopy()
	_ = unstructured.SetNestedMap(filter.Object, of, "spec", "workloadSelector", "labels") // the template has them
	if !c.addObject(profiles, filter) {
		return
	}
	rules, _, _ := unstructured.NestedSlice(policy.Object, "spec", "rules")
	ours, _, _ := unstructured.NestedSlice(template.Object, "spec", "rules")
	for _, rule := range ours {
		if r, _ := rule.(map[string]any); r["to"] != nil && !slices.ContainsFunc(rules, func(o any) bool { return reflect.DeepEqual(o, rule) }) {
			rules = append(rules, rule)
		}
	}
	_ = unstructured.SetNestedSlice(policy.Object, rules, "spec", "rules") // read from there just before
	c.sayHTTP(c.find(profiles, "Service", kubeflow, kfamPolicy))
	c.note("AuthorizationPolicy and EnvoyFilter %s let people ask KFAM which namespaces are theirs", kfamPolicy)
}

// sayHTTP has the mesh take what comes to a Service's ports for HTTP. To a port of which neither
// name nor appProtocol say so, sidecars apply no rule about methods and paths: they refuse.
func (c *clone) sayHTTP(service *unstructured.Unstructured) {
	if service == nil {
		c.warn("there is no Service %s/%s: the web app lists no namespaces", kubeflow, kfamPolicy)
		return
	}
	ports, _, _ := unstructured.NestedSlice(service.Object, "spec", "ports")
	for _, p := range ports {
		p, _ := p.(map[string]any)
		name, _ := p["name"].(string)
		if p != nil && p["appProtocol"] == nil && name != "http" && !strings.HasPrefix(name, "http-") {
			p["appProtocol"] = "http"
		}
	}
	_ = unstructured.SetNestedSlice(service.Object, ports, "spec", "ports") // read from there just before
}

// addObject adds an object unless the clone has one of its name.
func (c *clone) addObject(component string, u *unstructured.Unstructured) bool {
	for _, objects := range c.objects {
		if find(objects, u.GetKind(), u.GetNamespace(), u.GetName()) != nil {
			return false
		}
	}
	c.objects[component] = append(c.objects[component], u.DeepCopy())
	return true
}

// allowCookies has the web app mark its cookie Secure only where the gateway serves HTTPS:
// over plain HTTP a browser drops it, and every change in the web app is refused. The
// setting is read from the ConfigMap that `expose --tls` changes.
func (c *clone) allowCookies() {
	settings, program := c.find(webApp, "ConfigMap", kubeflow, webAppSettings), c.find(webApp, "Deployment", kubeflow, webAppProgram)
	if settings == nil || program == nil {
		c.warn("there is no Deployment %s/%s with a ConfigMap %s: whether cookies are marked Secure stays as it is", kubeflow, webAppProgram, webAppSettings)
		return
	}
	containers, _, _ := unstructured.NestedSlice(program.Object, "spec", "template", "spec", "containers")
	changed := false
	for _, container := range containers {
		container, _ := container.(map[string]any)
		env, _ := container["env"].([]any)
		for _, e := range env {
			if e, _ := e.(map[string]any); e["name"] == secureCookies {
				delete(e, "value")
				e["valueFrom"] = map[string]any{"configMapKeyRef": map[string]any{"name": webAppSettings, "key": secureSetting}}
				changed = true
			}
		}
	}
	if !changed {
		return
	}
	_ = unstructured.SetNestedSlice(program.Object, containers, "spec", "template", "spec", "containers") // read from there just before
	_ = unstructured.SetNestedField(settings.Object, "false", "data", secureSetting)
	c.note("Deployment %s/%s marks cookies Secure only with HTTPS (`expose --tls`)", kubeflow, webAppProgram)
}

// addCredentialsFilter keeps the session of whoever opens a notebook from it.
func (c *clone) addCredentialsFilter(templates []*unstructured.Unstructured) {
	minor, known := c.istioMinor()
	if known && minor < filterSinceIstio {
		c.warn("the gateway hands the session of whoever opens a notebook to the notebook: the filter against it needs Istio 1.%d", filterSinceIstio)
		return
	}
	for _, u := range templates {
		if u.GetKind() != "EnvoyFilter" {
			continue
		}
		if u = u.DeepCopy(); known && minor < rawSinceIstio {
			components.MapStrings(u.Object, func(s string) string { return strings.ReplaceAll(s, rawCluster, onlyCluster) })
		}
		if c.addObject("oauth2-proxy", u) {
			c.note("EnvoyFilter %s/%s keeps credentials from notebooks", u.GetNamespace(), u.GetName())
		}
	}
}

// letPeopleIn adds the policy that lets clients from outside of the cluster reach the gateway,
// where the clone's own policies cut it off.
func (c *clone) letPeopleIn(templates []*unstructured.Unstructured) {
	isPolicy := func(u *unstructured.Unstructured) bool {
		return u.GetKind() == "NetworkPolicy" && u.GetNamespace() == istioNamespace
	}
	if !slices.ContainsFunc(c.objects["istio"], isPolicy) {
		return
	}
	if u := find(templates, "NetworkPolicy", istioNamespace, gateway); u != nil && c.addObject("istio", u) {
		c.note("NetworkPolicy %s/%s lets clients from outside of the cluster reach the gateway", istioNamespace, gateway)
	}
}

// keepFromAKS has Azure's admission enforcer leave webhook configurations as they are: it
// would exclude namespace kubeflow from them.
func (c *clone) keepFromAKS(templates map[string][]*unstructured.Unstructured) {
	for _, name := range c.names() {
		for _, u := range c.objects[name] {
			template := find(templates[name], u.GetKind(), u.GetNamespace(), u.GetName())
			if template != nil && template.GetAnnotations()[enforcer] != "" && u.GetAnnotations()[enforcer] == "" {
				components.Annotate(u, enforcer, template.GetAnnotations()[enforcer])
			}
		}
	}
}
