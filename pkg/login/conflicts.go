package login

import (
	"fmt"
	"net/url"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// SettingsRefs are the ConfigMaps in which Dex, oauth2-proxy and the web app are told
// what they have to agree on. Installers of others may append a hash to the names.
func SettingsRefs() []report.Ref {
	return []report.Ref{dexConfigRef, proxyConfigRef, proxyParamsRef, webAppParamsRef}
}

// Configure takes up one of SettingsRefs that somebody else has read.
func (g *Ground) Configure(ref report.Ref, u *unstructured.Unstructured) error {
	switch ref {
	case dexConfigRef:
		config := &DexConfig{}
		if err := yaml.Unmarshal([]byte(data(u)["config.yaml"]), config); err != nil {
			return fmt.Errorf("%s: config.yaml: %w", ref, err)
		}
		g.Dex = config
	case proxyConfigRef:
		g.Proxy = tomlStrings(data(u)["oauth2_proxy.cfg"])
	case proxyParamsRef:
		g.ProxyParameters = data(u)
	case webAppParamsRef:
		g.WebAppParameters = data(u)
	}
	return nil
}

// Conflicts are the causes that the objects prove without a request: settings that
// contradict each other, or the address at which people open the web app.
func (g *Ground) Conflicts(base *url.URL) []report.Cause { return g.configCauses(base) }
