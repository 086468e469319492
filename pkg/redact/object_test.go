package redact

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

func TestObjectsLoseTheirCredentials(t *testing.T) {
	coded := base64.StdEncoding.EncodeToString([]byte(planted))
	for _, c := range []struct {
		name, object string
		reason       string
		// keeps must still be there.
		keeps []string
	}{{
		name:   "a Secret keeps its keys and the lengths of its values",
		object: "{kind: Secret, metadata: {name: s}, data: {password: " + coded + "}, stringData: {other: " + planted + "}}",
		reason: SecretValues, keeps: []string{"password", "[13 bytes]"},
	}, {
		name: "a container keeps the names of its variables",
		object: `{kind: Deployment, metadata: {name: d}, spec: {template: {spec: {containers: [{name: c, env: [
			{name: PLAIN, value: ` + planted + `}, {name: REF, valueFrom: {secretKeyRef: {name: holder, key: client-secret}}}]}],
			initContainers: [{name: i, env: [{name: INIT, value: ` + planted + `}]}]}}}}`,
		reason: EnvValues, keeps: []string{"PLAIN", "INIT", "holder", "client-secret"},
	}, {
		name:   "arguments that name a password",
		object: `{kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, args: [--db-password, ` + planted + `, --token=` + planted + `, --v=2]}]}}`,
		reason: NamedValues, keeps: []string{"--db-password", "--v=2"},
	}, {
		name:   "a ConfigMap's entry with a telling name",
		object: `{kind: ConfigMap, metadata: {name: m}, data: {DB_PASSWORD: ` + planted + `, FORCE_HTTPS: "false", ENABLE_TOKENS: "true"}}`,
		reason: NamedValues, keeps: []string{"DB_PASSWORD", `FORCE_HTTPS: "false"`, `ENABLE_TOKENS: "true"`},
	}, {
		name: "a ConfigMap's file",
		object: `{kind: ConfigMap, metadata: {name: m}, data: {config.yaml: "issuer: http://dex\nstaticClients:\n- id: x\n  secret: ` + planted +
			`\n  redirectURIs: [/oauth2/callback]\n"}}`,
		reason: Texts, keeps: []string{"/oauth2/callback", "issuer: http://dex"},
	}, {
		name:   "a ConfigMap's binary data",
		object: `{kind: ConfigMap, metadata: {name: m}, binaryData: {file: ` + coded + `}}`,
		reason: Binary, keeps: []string{"[13 bytes]"},
	}, {
		name:   "the last applied configuration",
		object: `{kind: Service, metadata: {name: s, annotations: {kubectl.kubernetes.io/last-applied-configuration: "` + planted + `", other: kept}}}`,
		reason: LastApplied, keeps: []string{"other: kept"},
	}, {
		name:   "an annotation with a telling name",
		object: `{kind: Service, metadata: {name: s, annotations: {example.com/admin-password: ` + planted + `}}}`,
		reason: NamedValues, keeps: []string{"admin-password"},
	}, {
		name:   "the copy of a token that OpenShift keeps in an annotation",
		object: `{kind: ServiceAccount, metadata: {name: s, annotations: {openshift.io/token-secret.value: ` + planted + `}}}`,
		reason: NamedValues, keeps: []string{"token-secret.value"},
	}, {
		name:   "a field of a custom resource",
		object: `{kind: BGPPeer, metadata: {name: b}, spec: {password: ` + planted + `, passwordSecret: {name: holder}}}`,
		reason: NamedValues, keeps: []string{"holder"},
	}, {
		name:   "a token in a condition's message",
		object: `{kind: Notebook, metadata: {name: n}, status: {conditions: [{message: "GET /?token=` + planted + ` failed"}]}}`,
		reason: Texts, keeps: []string{"failed"},
	}} {
		t.Run(c.name, func(t *testing.T) {
			u := object(t, c.object)
			counts := Counts{}
			Object(u, NewKnown(), counts)
			out, err := yaml.Marshal(u.Object)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(out), planted) || strings.Contains(string(out), coded) {
				t.Errorf("the planted value is still there:\n%s", out)
			}
			for _, keep := range c.keeps {
				if !strings.Contains(string(out), keep) {
					t.Errorf("%q is gone:\n%s", keep, out)
				}
			}
			if counts[c.reason] == 0 {
				t.Errorf("counts %v do not have %q", counts, c.reason)
			}
		})
	}
}

func TestWhatOneObjectTellsIsTakenOutOfAllOthers(t *testing.T) {
	k := NewKnown()
	for _, text := range []string{
		"{kind: Secret, metadata: {name: s}, data: {any: " + base64.StdEncoding.EncodeToString([]byte("from-a-Secret")) + "}}",
		"{kind: ConfigMap, metadata: {name: m}, data: {config.yaml: \"clients:\\n- clientSecret: |-\\n    from-a-block-of-text\\n\"}}",
		"{kind: Deployment, metadata: {name: d}, spec: {containers: [{env: [{name: TOKEN, value: from-a-variable}, {name: MODE, value: harmless}]}]}}",
	} {
		k.LearnFrom(object(t, text))
	}
	got := k.Replace("from-a-Secret from-a-block-of-text from-a-variable harmless")
	if want := strings.Repeat(Mark+" ", 3) + "harmless"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestCertificatesAreSummedUp(t *testing.T) {
	// Made for this test, of nobody.
	const certificate = `-----BEGIN CERTIFICATE-----
AAAA
-----END CERTIFICATE-----
`
	u := object(t, "{kind: MutatingWebhookConfiguration, metadata: {name: w}, webhooks: [{clientConfig: {caBundle: "+
		base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\n", 40)+certificate))+"}}]}")
	caBundle := func() string {
		hooks, _, _ := unstructured.NestedSlice(u.Object, "webhooks")
		text, _, _ := unstructured.NestedString(hooks[0].(map[string]any), "clientConfig", "caBundle")
		return text
	}
	if caBundle()[:4] != "CgoK" {
		t.Fatal("the certificate should begin with empty lines")
	}
	Object(u, NewKnown(), Counts{})
	if strings.HasPrefix(caBundle(), "[certificate") {
		t.Error("only what begins as PEM does is taken for a certificate")
	}
	u = object(t, "{kind: ConfigMap, metadata: {name: c}, data: {root-cert.pem: "+quote(t, certificate)+"}}")
	Object(u, NewKnown(), Counts{})
	data, _, _ := unstructured.NestedStringMap(u.Object, "data")
	if !strings.HasPrefix(data["root-cert.pem"], "[certificate that cannot be read, sha256 ") {
		t.Errorf("root-cert.pem: %q", data["root-cert.pem"])
	}
}

func quote(t *testing.T, s string) string {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
