package components

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Tokens stand in manifests for what a person chooses, and for what the catalogue says of
// a release (Component.Version, Component.Values). They are written so that
// neither kustomize nor the kubelet takes them for its own.
const (
	EmailToken   = "$(USER_EMAIL)"
	ProfileToken = "$(USER_PROFILE)"

	CNIBinToken  = "$(CNI_BIN_DIR)"
	CNIConfToken = "$(CNI_CONF_DIR)"

	// generatedOpen starts a placeholder for a secret that is made in the cluster:
	// $(generated:NAME). Rendered output shows the placeholder, never a value.
	generatedOpen = "$(generated:"
)

// GeneratedPlaceholder stands for the generated value of that name.
func GeneratedPlaceholder(name string) string { return generatedOpen + name + ")" }

// GeneratedName returns NAME of a $(generated:NAME) placeholder.
func GeneratedName(value string) (string, bool) {
	name, ok := strings.CutPrefix(value, generatedOpen)
	if !ok || !strings.HasSuffix(name, ")") {
		return "", false
	}
	return strings.TrimSuffix(name, ")"), true
}

// Generated lists the placeholders in a Secret's stringData by key; nil for everything else.
func Generated(u *unstructured.Unstructured) map[string]string {
	if u.GetKind() != "Secret" {
		return nil
	}
	data, _, _ := unstructured.NestedStringMap(u.Object, "stringData")
	var out map[string]string
	for k, v := range data {
		if name, ok := GeneratedName(v); ok {
			if out == nil {
				out = map[string]string{}
			}
			out[k] = name
		}
	}
	return out
}

// versionToken stands for the component's version: in an image's tag, say.
const versionToken = "$(VERSION)"

// tokens of a component and of what a person chooses, with what they stand for.
func (c *Component) tokens(o Options) *strings.Replacer {
	pairs := []string{
		versionToken, c.Version,
		EmailToken, o.UserEmail, ProfileToken, o.ProfileName(),
		CNIBinToken, o.CNI.BinDir, CNIConfToken, o.CNI.ConfDir,
		tlsSecretToken, o.TLS.Secret, tlsHostsToken, strings.Join(o.TLS.Hosts, " "),
		notebookHostToken, o.NotebookOrigin.Host, nodePortsToken, o.NotebookOrigin.nodePorts(),
		cullingToken, o.Culling.minutes(), serviceToken, o.SelfService.table(),
	}
	pairs = append(pairs, o.Issuer.tokens()...)
	for name, value := range c.Values {
		pairs = append(pairs, "$("+name+")", value)
	}
	return strings.NewReplacer(pairs...)
}

func substitute(u *unstructured.Unstructured, tokens *strings.Replacer, o Options) {
	if u.GetKind() == "Certificate" {
		expandLists(u.Object, map[string][]string{hostNamesToken: o.TLS.hosts(false), hostAddressesToken: o.TLS.hosts(true)})
	}
	MapStrings(u.Object, tokens.Replace)
}

// forUser fills the person's names into what the component's controllers have to make.
func (c *Component) forUser(o Options) *Component {
	if len(c.Produces) == 0 {
		return c
	}
	filled := *c
	filled.Produces = slices.Clone(c.Produces)
	for i := range filled.Produces {
		if filled.Produces[i].Namespace == ProfileToken {
			filled.Produces[i].Namespace = o.ProfileName()
		}
	}
	return &filled
}

// MapStrings replaces every string value (not key) below v.
func MapStrings(v any, f func(string) string) any {
	switch v := v.(type) {
	case string:
		return f(v)
	case map[string]any:
		for k, e := range v {
			if s, ok := e.(string); ok {
				v[k] = f(s)
			} else {
				MapStrings(e, f)
			}
		}
	case []any:
		for i, e := range v {
			if s, ok := e.(string); ok {
				v[i] = f(s)
			} else {
				MapStrings(e, f)
			}
		}
	}
	return v
}

// hashConfig writes, on every pod template, a hash over the ConfigMaps of the same
// component that its pods use. A changed configuration then rolls the
// pods, which otherwise would go on with what they read (Dex, for one, reads its
// file only once).
func hashConfig(objects []*unstructured.Unstructured) {
	content := map[string][]byte{}
	for _, u := range objects {
		if u.GetKind() == "ConfigMap" {
			content[u.GetNamespace()+"/"+u.GetName()] = compactJSON([]any{u.Object["data"], u.Object["binaryData"]})
		}
	}
	for _, u := range objects {
		template, ok, _ := unstructured.NestedMap(u.Object, "spec", "template")
		if !ok || !slices.Contains(WorkloadKinds, u.GetKind()) {
			continue
		}
		h := sha256.New()
		used := false
		for _, name := range slices.Sorted(maps.Keys(ConfigMapNames(template["spec"]))) {
			if data, ok := content[u.GetNamespace()+"/"+name]; ok {
				used = true
				h.Write(data)
			}
		}
		if used {
			_ = unstructured.SetNestedField(u.Object, hex.EncodeToString(h.Sum(nil))[:16],
				"spec", "template", "metadata", "annotations", ConfigHashAnnotation)
		}
	}
}

// ConfigMapNames are those that volumes, env and envFrom of a pod's specification refer to.
func ConfigMapNames(spec any) map[string]bool {
	names := map[string]bool{}
	configMapNames(spec, names)
	return names
}

func configMapNames(v any, names map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if m, ok := e.(map[string]any); ok && (k == "configMap" || k == "configMapRef" || k == "configMapKeyRef") {
				if name, ok := m["name"].(string); ok {
					names[name] = true
				}
			}
			configMapNames(e, names)
		}
	case []any:
		for _, e := range v {
			configMapNames(e, names)
		}
	}
}
