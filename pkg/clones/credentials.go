package clones

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// replaceCredentials finds what the clone ships: the same password, client secret and cookie
// key for everybody who installs it. Those that the embedded release generates are generated
// here too, under the same names. Of others it is said that they are installed.
func (c *clone) replaceCredentials(templates map[string][]*unstructured.Unstructured) {
	c.recorded = map[string]*unstructured.Unstructured{}
	for _, name := range c.names() {
		objects := c.objects[name]
		for i, u := range objects {
			if u.GetKind() != "Secret" || u.GroupVersionKind().Group != "" {
				continue
			}
			var recorded *unstructured.Unstructured
			objects[i], recorded = c.secret(u, find(templates[name], "Secret", u.GetNamespace(), u.GetName()))
			c.recorded[u.GetNamespace()+"/"+u.GetName()] = recorded
		}
	}
	if config := c.find("dex", "ConfigMap", "auth", "dex"); config != nil {
		c.readDexConfig(config)
	}
}

// secret is a Secret as it is installed, and as the inventory may hold it. There a value that
// the template does not know has a placeholder that stands for what is in the cluster.
func (c *clone) secret(u, template *unstructured.Unstructured) (installed, recorded *unstructured.Unstructured) {
	shipped := map[string]string{}
	data, _, _ := unstructured.NestedStringMap(u.Object, "data")
	for key, value := range data {
		if decoded, err := base64.StdEncoding.DecodeString(value); err == nil {
			shipped[key] = string(decoded)
		}
	}
	text, _, _ := unstructured.NestedStringMap(u.Object, "stringData")
	maps.Copy(shipped, text)
	var known map[string]string
	if template != nil {
		known, _, _ = unstructured.NestedStringMap(template.Object, "stringData")
	}
	values, held := map[string]any{}, map[string]any{}
	generated := false
	for _, key := range slices.Sorted(maps.Keys(shipped)) {
		value, isKnown := known[key]
		_, isGenerated := components.GeneratedName(value)
		where := fmt.Sprintf("Secret %s/%s: %s", u.GetNamespace(), u.GetName(), key)
		values[key], held[key] = shipped[key], value
		switch {
		case shipped[key] == "" || isKnown && !isGenerated:
			held[key] = shipped[key] // a name, and no secret
		case isKnown && c.options.KeepCredentials:
			c.warn("%s is the one that the clone ships: whoever has read the clone knows it", where)
		case isKnown:
			values[key], generated = value, true
			c.note("%s is generated, and not the one that the clone ships", where)
		default:
			held[key] = components.GeneratedPlaceholder(u.GetNamespace() + "/" + u.GetName() + "/" + key)
			c.warn("%s is installed as it is in the clone: whoever has read the clone knows it", where)
		}
	}
	recorded = u.DeepCopy()
	for _, o := range []*unstructured.Unstructured{u, recorded} {
		delete(o.Object, "data")
		delete(o.Object, "stringData")
		if o.Object["type"] == nil {
			o.Object["type"] = "Opaque" // the API's default
		}
	}
	if len(shipped) == 0 {
		return u, recorded
	}
	recorded.Object["stringData"] = held
	if generated {
		u.Object["stringData"] = values
		return u, recorded
	}
	// It is applied like any object. stringData, which the server turns into data, would be a
	// change each time.
	for key, value := range shipped {
		values[key] = base64.StdEncoding.EncodeToString([]byte(value))
	}
	u.Object["data"] = values
	return u, recorded
}

// readDexConfig tells of credentials in Dex's configuration, where upstream has none.
func (c *clone) readDexConfig(config *unstructured.Unstructured) {
	text, _, _ := unstructured.NestedString(config.Object, "data", "config.yaml")
	var read struct {
		StaticPasswords []struct{ Email, Hash string }  `json:"staticPasswords"`
		StaticClients   []struct{ Name, Secret string } `json:"staticClients"`
	}
	if yaml.Unmarshal([]byte(text), &read) != nil {
		return // Dex will say what is wrong with it
	}
	for _, p := range read.StaticPasswords {
		if p.Hash != "" {
			c.warn("ConfigMap auth/dex has the hash of a password of %s, which is installed as it is in the clone", strings.ReplaceAll(p.Email, components.EmailToken, c.about.UserEmail))
		}
	}
	for _, client := range read.StaticClients {
		if client.Secret != "" {
			c.warn("ConfigMap auth/dex has the secret of client %q, which is installed as it is in the clone", client.Name)
		}
	}
}
