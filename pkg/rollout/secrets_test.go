package rollout

import (
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic/fake"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

func TestGeneratedValues(t *testing.T) {
	v := &vault{}
	cookie, err := v.generate(cookieSecret, nil)
	if err != nil || len(cookie) != 32 {
		t.Errorf("cookie secret %q (%d bytes), %v: oauth2-proxy takes 16, 24 or 32 bytes", cookie, len(cookie), err)
	}
	if again, _ := v.generate(cookieSecret, nil); again == cookie {
		t.Error("two cookie secrets are the same")
	}
	made := func(password []byte) (string, error) {
		if _, err := v.generate(passwordHash, password); err != nil {
			return "", err
		}
		return v.value(passwordHash)
	}
	hash, err := made([]byte("given"))
	if err != nil || bcrypt.CompareHashAndPassword([]byte(hash), []byte("given")) != nil {
		t.Errorf("the hash does not fit the given password: %v", err)
	}
	if v.password != "" {
		t.Error("a given password is kept for showing")
	}
	hash, err = made(nil)
	if err != nil || bcrypt.CompareHashAndPassword([]byte(hash), []byte(v.password)) != nil || len(v.password) < 20 {
		t.Errorf("the hash does not fit the generated password (%d characters): %v", len(v.password), err)
	}
	if _, err := v.generate("nonsense", nil); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("an unknown placeholder gives %v", err)
	}
}

func TestPodsThatReadASecretRollWithIt(t *testing.T) {
	secret := object(t, `{apiVersion: v1, kind: Secret, metadata: {namespace: auth, name: s}, stringData: {K: "$(generated:oidc-client-secret)"}}`)
	deployment := func() *unstructured.Unstructured {
		return object(t, `{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: auth, name: d}, spec: {template: {spec: {containers: [{name: c, envFrom: [{secretRef: {name: s}}]}]}}}}`)
	}
	hash := func(value string) string {
		v := &vault{states: map[key]*secretState{keyOf(secret): {object: secret}}, values: map[string]string{oidcClientSecret: value}}
		d := deployment()
		if err := v.annotate(d); err != nil {
			t.Fatal(err)
		}
		h, _, _ := unstructured.NestedString(d.Object, "spec", "template", "metadata", "annotations", secretHashAnnotation)
		return h
	}
	a, b := hash("one"), hash("two")
	if a == "" || a == b || a != hash("one") {
		t.Errorf("hashes %q and %q: want the same for the same secret and another for another", a, b)
	}
	if strings.Contains(a, "one") {
		t.Error("the annotation shows the secret")
	}
}

// Somebody deletes the namespace before a run, and it goes while the run waits for it.
func TestASecretThatWentWithItsNamespaceIsMadeAgainWithTheSameValues(t *testing.T) {
	desired := object(t, `{apiVersion: v1, kind: Secret, metadata: {namespace: auth, name: s}, stringData: {K: "$(generated:oidc-client-secret)", url: "http://dex"}}`)
	live := object(t, `{apiVersion: v1, kind: Secret, metadata: {namespace: auth, name: s, resourceVersion: "7"}, data: {K: b25l}}`)
	v := &vault{
		states: map[key]*secretState{keyOf(desired): {object: desired, live: live, fresh: map[string]string{}}},
		values: map[string]string{oidcClientSecret: "one"},
	}
	e := &Engine{cluster: &cluster.Cluster{Dynamic: fake.NewSimpleDynamicClient(runtime.NewScheme())}}
	made, err := e.store(t.Context(), v, desired)
	if err != nil {
		t.Fatal(err)
	}
	data, _, _ := unstructured.NestedStringMap(made.Object, "stringData")
	if data["K"] != "one" || data["url"] != "http://dex" {
		t.Errorf("stringData is %v: want the value that the other Secrets hold", data)
	}
	if made.GetResourceVersion() == "7" {
		t.Error("the Secret is sent with the version of the one that is gone")
	}
}

// Two Secrets hold the hash: it is made once, while other things are done.
func TestTheHashOfANewPasswordIsInEverySecretOnceItIsWaitedFor(t *testing.T) {
	one := object(t, `{apiVersion: v1, kind: Secret, metadata: {namespace: auth, name: one}, stringData: {HASH: "$(generated:user-password-bcrypt)"}}`)
	two := object(t, `{apiVersion: v1, kind: Secret, metadata: {namespace: auth, name: two}, stringData: {H: "$(generated:user-password-bcrypt)", K: "$(generated:oidc-client-secret)"}}`)
	e := &Engine{cluster: &cluster.Cluster{Dynamic: fake.NewSimpleDynamicClient(runtime.NewScheme())}}
	v, err := e.openVault(t.Context(), &Plan{Rendered: []components.Rendered{{Component: &components.Component{}, Objects: []*unstructured.Unstructured{one, two}}}})
	if err != nil {
		t.Fatal(err)
	}
	early, err := v.value(passwordHash)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.settle(); err != nil {
		t.Fatal(err)
	}
	for _, hash := range []string{early, v.values[passwordHash], v.states[keyOf(one)].fresh["HASH"], v.states[keyOf(two)].fresh["H"]} {
		if hash != early || bcrypt.CompareHashAndPassword([]byte(hash), []byte(v.password)) != nil {
			t.Errorf("%q is not the hash of the password that was made", hash)
		}
	}
	if v.states[keyOf(two)].fresh["K"] == "" {
		t.Error("another value is missing")
	}
}
