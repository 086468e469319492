package clones

import (
	"encoding/json"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// nameFirstUser puts placeholders where the clone names its first user, so that
// --user-email holds for a clone too.
func (c *clone) nameFirstUser() {
	var profile *unstructured.Unstructured
	for _, u := range c.objects["user-profile"] {
		if u.GetKind() == "Profile" {
			profile = u
		}
	}
	if profile == nil {
		return
	}
	email, _, _ := unstructured.NestedString(profile.Object, "spec", "owner", "name")
	c.about.UserEmail, c.about.UserProfile = email, profile.GetName()
	if (components.Options{UserEmail: email, UserProfile: profile.GetName()}).Validate() != nil {
		// Somebody's own: a group, say. It stays as it is.
		c.about.UserEmail, c.about.UserProfile = "", ""
		return
	}
	for _, u := range c.objects["user-profile"] {
		components.MapStrings(u.Object, func(s string) string {
			switch s {
			case email:
				return components.EmailToken
			case c.about.UserProfile:
				return components.ProfileToken
			}
			return s
		})
	}
	if config := c.find("dex", "ConfigMap", "auth", "dex"); config != nil {
		components.MapStrings(config.Object["data"], func(s string) string { return strings.ReplaceAll(s, email, components.EmailToken) })
	}
}

// Names of Istio's objects, the same in all versions.
const (
	istioNamespace = "istio-system"
	injector       = "istio-sidecar-injector"
	gateway        = "istio-ingressgateway"
)

// nameProxy writes the whole reference of the sidecar's image where the injector composes it
// of a registry, a name and a tag: only so can another one stand for it.
func (c *clone) nameProxy() error {
	config := c.find("istio", "ConfigMap", istioNamespace, injector)
	if config == nil {
		return nil
	}
	text, _, _ := unstructured.NestedString(config.Object, "data", "values")
	var values map[string]any
	if err := yaml.Unmarshal([]byte(text), &values); err != nil { // JSON is YAML; some overlays have the latter
		return fmt.Errorf("--manifests %s: component istio: ConfigMap %s/%s: its key values: %w", c.about.Path, istioNamespace, injector, err)
	}
	hub, _, _ := unstructured.NestedString(values, "global", "hub")
	tag, _, _ := unstructured.NestedString(values, "global", "tag")
	if hub == "" || tag == "" {
		return nil
	}
	for _, field := range []string{"proxy", "proxy_init"} {
		name, found, _ := unstructured.NestedString(values, "global", field, "image")
		if !found || name == "" || strings.Contains(name, "/") {
			continue
		}
		if err := unstructured.SetNestedField(values, hub+"/"+name+":"+tag, "global", field, "image"); err != nil {
			return err
		}
	}
	changed, err := json.MarshalIndent(values, "", "  ")
	if err != nil {
		return err
	}
	return unstructured.SetNestedField(config.Object, string(changed), "data", "values")
}

// placeCNI has Istio's CNI plugin put where the platform's nodes look for it, unless the clone
// itself says where. It tells whether it does.
func (c *clone) placeCNI() bool {
	agent := c.find("istio", "DaemonSet", "kube-system", "istio-cni-node")
	if agent == nil {
		return false
	}
	volumes, _, _ := unstructured.NestedSlice(agent.Object, "spec", "template", "spec", "volumes")
	usual, placed := components.CNI{}.WithDefaults(), 0
	for _, v := range volumes {
		volume, _ := v.(map[string]any)
		path, _ := volume["hostPath"].(map[string]any)
		switch path["path"] {
		case usual.BinDir:
			path["path"] = components.CNIBinToken
			placed++
		case usual.ConfDir:
			path["path"] = components.CNIConfToken
			placed++
		}
	}
	if placed < 2 {
		return false
	}
	_ = unstructured.SetNestedSlice(agent.Object, volumes, "spec", "template", "spec", "volumes") // read from there just before
	return true
}

// templates are the objects of the embedded release by component, with its placeholders.
func (c *clone) templates() (map[string][]*unstructured.Unstructured, error) {
	out := map[string][]*unstructured.Unstructured{}
	for _, name := range c.names() {
		var err error
		if out[name], err = c.embedded.Templates(name); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// ownAnnotations are what the engine reads on objects.
const ownAnnotations = "kubectl-jupyter/"

// follow takes from the embedded counterparts what tells the engine how to apply an object:
// which fields others take over, and what a program must not start before.
func (c *clone) follow(templates map[string][]*unstructured.Unstructured) {
	for name, objects := range c.objects {
		for _, u := range objects {
			template := find(templates[name], u.GetKind(), u.GetNamespace(), u.GetName())
			if template == nil {
				continue
			}
			for k, v := range template.GetAnnotations() {
				if strings.HasPrefix(k, ownAnnotations) {
					components.Annotate(u, k, v)
				}
			}
		}
	}
}
