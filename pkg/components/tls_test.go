package components_test

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// servers of the stack's Gateway, by port.
func servers(t *testing.T, release string, o components.Options) map[int64]map[string]any {
	t.Helper()
	gateway := find(t, render(t, release, o, "kubeflow-gateway"), "Gateway", "kubeflow", "kubeflow-gateway")
	all, _, err := unstructured.NestedSlice(gateway.Object, "spec", "servers")
	if err != nil {
		t.Fatal(err)
	}
	out := map[int64]map[string]any{}
	for _, s := range all {
		number, _, _ := unstructured.NestedInt64(s.(map[string]any), "port", "number")
		out[number] = s.(map[string]any)
	}
	return out
}

func TestWithoutTLSTheGatewayServesPlainHTTPAlone(t *testing.T) {
	forEachRelease(t, func(t *testing.T, release string) {
		got := servers(t, release, components.Options{})
		if len(got) != 1 || got[80] == nil || got[80]["tls"] != nil {
			t.Errorf("servers = %v, want port 80 without TLS", got)
		}
	})
}

func TestWithTLSTheGatewayPresentsTheSecretAndRedirectsHTTP(t *testing.T) {
	forEachRelease(t, func(t *testing.T, release string) {
		got := servers(t, release, components.Options{TLS: components.TLS{Secret: "mine"}})
		if len(got) != 2 {
			t.Fatalf("servers = %v, want ports 80 and 443", got)
		}
		if redirect, _, _ := unstructured.NestedBool(got[80], "tls", "httpsRedirect"); !redirect {
			t.Errorf("port 80 does not redirect: %v", got[80])
		}
		secret, _, _ := unstructured.NestedString(got[443], "tls", "credentialName")
		mode, _, _ := unstructured.NestedString(got[443], "tls", "mode")
		if secret != "mine" || mode != "SIMPLE" {
			t.Errorf("port 443 presents %q in mode %q, want mine in SIMPLE", secret, mode)
		}
	})
}

func TestCookiesAreSecureWithTLSWithoutBeingAskedFor(t *testing.T) {
	forEachRelease(t, func(t *testing.T, release string) {
		objects := render(t, release, components.Options{TLS: components.TLS{Secret: "mine"}}, "oauth2-proxy", "jupyter-web-app")
		for _, cookie := range []struct{ deployment, namespace, env string }{
			{"oauth2-proxy", "oauth2-proxy", "OAUTH2_PROXY_COOKIE_SECURE"},
			{"jupyter-web-app-deployment", "kubeflow", "APP_SECURE_COOKIES"},
		} {
			if got := env(t, objects, find(t, objects, "Deployment", cookie.namespace, cookie.deployment), cookie.env); got != "true" {
				t.Errorf("%s has %s=%q", cookie.deployment, cookie.env, got)
			}
		}
	})
}

// longHost is as long as those that clouds give.
const longHost = "internal-a1b2c3d4e5f60718293a4b5c6d7e8f90-1234567890.eu-central-1.elb.amazonaws.com"

func TestTheCertificateIsForLocalhostAndEveryHost(t *testing.T) {
	forEachRelease(t, func(t *testing.T, release string) {
		for name, c := range map[string]struct {
			hosts, names, addresses []string
		}{
			"nobody has an address yet": {nil, []string{"localhost"}, []string{"127.0.0.1"}},
			"an address":                {[]string{"192.0.2.7"}, []string{"localhost"}, []string{"127.0.0.1", "192.0.2.7"}},
			"a name and two addresses":  {[]string{"nb.example.com", "192.0.2.7", "2001:db8::7"}, []string{"localhost", "nb.example.com"}, []string{"127.0.0.1", "192.0.2.7", "2001:db8::7"}},
			"a load balancer's name of 80 letters, which no common name could hold": {
				[]string{longHost}, []string{"localhost", longHost}, []string{"127.0.0.1"},
			},
			"localhost, which is in anyway": {[]string{"localhost", "127.0.0.1"}, []string{"localhost"}, []string{"127.0.0.1"}},
		} {
			t.Run(name, func(t *testing.T) {
				o := components.Options{TLS: components.TLS{Secret: components.GatewaySecret, Hosts: c.hosts}}
				certificate := find(t, render(t, release, o, components.CertificateComponent), "Certificate", "istio-system", "jupyter-gateway")
				for field, want := range map[string][]string{"dnsNames": c.names, "ipAddresses": c.addresses} {
					if got, _, err := unstructured.NestedStringSlice(certificate.Object, "spec", field); err != nil || !slices.Equal(got, want) {
						t.Errorf("%s = %q (%v), want %q", field, got, err, want)
					}
				}
				if common, there, _ := unstructured.NestedString(certificate.Object, "spec", "commonName"); there {
					t.Errorf("it has the common name %q, which is limited to 64 letters", common)
				}
				if secret := text(t, certificate, "spec", "secretName"); secret != components.GatewaySecret {
					t.Errorf("it goes into Secret %s, the gateway presents %s", secret, components.GatewaySecret)
				}
			})
		}
	})
}

func TestChoicesAboutTLSAreRefusedWithTheirFlag(t *testing.T) {
	for name, c := range map[string]struct {
		tls  components.TLS
		want string
	}{
		"a name that no Secret has":      {components.TLS{Secret: "Mine_"}, "--tls"},
		"a host that is no name":         {components.TLS{Secret: components.GatewaySecret, Hosts: []string{"a b"}}, "--host"},
		"a host with a scheme":           {components.TLS{Secret: components.GatewaySecret, Hosts: []string{"https://nb"}}, "--host"},
		"a host without a certificate":   {components.TLS{Hosts: []string{"nb"}}, "--host"},
		"a host that would end a string": {components.TLS{Secret: "mine", Hosts: []string{`a"..b`}}, "--host"},
	} {
		t.Run(name, func(t *testing.T) {
			err := components.Options{TLS: c.tls}.Validate()
			if err == nil || !strings.HasPrefix(err.Error(), c.want+":") {
				t.Errorf("error = %v, want one that starts with %s:", err, c.want)
			}
		})
	}
	if err := (components.Options{TLS: components.TLS{Secret: components.GatewaySecret, Hosts: []string{"*.lab.example.com", "192.0.2.7"}}}).Validate(); err != nil {
		t.Errorf("a wildcard and an address are refused: %v", err)
	}
}

func TestAPersonsProfileCanHaveANameOfItsOwn(t *testing.T) {
	if got := (components.Options{UserEmail: "ada@example.com", UserProfile: "ada"}).ProfileName(); got != "ada" {
		t.Errorf("ProfileName = %q, want ada", got)
	}
	if err := (components.Options{UserProfile: "Ada"}).Validate(); err == nil || !strings.HasPrefix(err.Error(), "--profile-name:") {
		t.Errorf("error = %v, want one about --profile-name", err)
	}
}

func TestTheRedirectKnowsTheHosts(t *testing.T) {
	forEachRelease(t, func(t *testing.T, release string) {
		o := components.Options{TLS: components.TLS{Secret: "mine", Hosts: []string{"nb.example.com", "192.0.2.7"}}}
		filter := find(t, render(t, release, o, "kubeflow-gateway"), "EnvoyFilter", "istio-system", "kubeflow-gateway-redirect")
		found := false
		everyString(filter.Object, func(s string) { found = found || strings.Contains(s, `local hosts = " nb.example.com 192.0.2.7 "`) })
		if !found {
			t.Errorf("%s does not know the hosts", id(filter))
		}
	})
}
