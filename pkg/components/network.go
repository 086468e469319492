package components

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"
)

// DefaultDomain ends the names of Services unless the cluster was set up otherwise.
const DefaultDomain = "cluster.local"

func validDomain(domain string) error {
	if domain == "" {
		return nil
	}
	if errs := validation.IsDNS1123Subdomain(domain); len(errs) > 0 {
		return fmt.Errorf("--cluster-domain: %q is not a domain such as corp.example: %s", domain, errs[0])
	}
	return nil
}

// domainSetting is the domain in the settings of Istio's injector, which are JSON or YAML in
// one string.
var domainSetting = regexp.MustCompile(`(clusterDomain"?:\s*"?)cluster\.local\b`)

// inDomain writes the cluster's domain where the manifests have the default one. The mesh's
// trust domain, which identities begin with, is another thing, and stays.
func inDomain(u *unstructured.Unstructured, domain string) {
	if domain == "" || domain == DefaultDomain || u.GetKind() == crdKind {
		return
	}
	MapStrings(u.Object, func(s string) string {
		s = strings.ReplaceAll(s, "svc."+DefaultDomain, "svc."+domain)
		return domainSetting.ReplaceAllString(s, "${1}"+domain)
	})
	if data, ok := u.Object["data"].(map[string]any); ok && u.GetKind() == "ConfigMap" {
		for key, value := range data {
			if strings.HasSuffix(key, "CLUSTER_DOMAIN") && value == DefaultDomain {
				data[key] = domain
			}
		}
	}
	eachContainer(u, func(c map[string]any) {
		if args, ok := c["args"].([]any); ok {
			for i, a := range args {
				if a == "--domain="+DefaultDomain {
					args[i] = "--domain=" + domain
				}
				if i > 0 && a == DefaultDomain && args[i-1] == "--domain" {
					args[i] = domain
				}
			}
		}
		env, _ := c["env"].([]any)
		for _, e := range env {
			if v, ok := e.(map[string]any); ok && v["value"] == DefaultDomain && strings.HasSuffix(fmt.Sprint(v["name"]), "CLUSTER_DOMAIN") {
				v["value"] = domain
			}
		}
	})
}

const crdKind = "CustomResourceDefinition"

// anyAddress is how programs are told to listen on all addresses of IPv4.
var anyAddress = regexp.MustCompile(`\b0\.0\.0\.0:(\d+)\b`)

// yamlAddress is such an address as a value in YAML without quotes, where brackets would begin
// a list.
var yamlAddress = regexp.MustCompile(`(?m)^(\s*(?:- )?[\w.-]+:[ \t]+)0\.0\.0\.0:(\d+)[ \t]*$`)

// onIPv6 has programs listen on all addresses of both families. That of the web app is in its
// image's command, which its option ipv6 replaces.
func onIPv6(u *unstructured.Unstructured) {
	if !slices.Contains(append([]string{"ConfigMap"}, WorkloadKinds...), u.GetKind()) {
		return
	}
	MapStrings(u.Object, func(s string) string {
		s = yamlAddress.ReplaceAllString(s, `${1}"[::]:$2"`)
		return anyAddress.ReplaceAllString(s, "[::]:$1")
	})
}
