package rollout

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/crypto/bcrypt"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// Names of the placeholders that Secrets of the catalogue hold.
const (
	cookieSecret       = "cookie-secret"
	oidcClientSecret   = "oidc-client-secret"
	passwordHash       = "user-password-bcrypt"
	memberlistKey      = "memberlist-secretkey"
	notShownAnnotation = "kubectl-jupyter/password-not-shown"
	// secretHashAnnotation on a pod template rolls pods that read a Secret only at their start.
	secretHashAnnotation = "kubectl-jupyter/secret-hash"
)

// bcryptCost is Dex's own minimum for hashes that it makes (10) plus two.
const bcryptCost = 12

var secretsResource = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}

// Credentials of the first user.
type Credentials struct {
	Email string
	// Password is set only in the run that made it.
	Password string
	// Generated tells that the password was made by this run and must be shown.
	Generated bool

	engine *Engine
	secret key
}

// secretState is what is known about one Secret that is made in the cluster.
type secretState struct {
	object *unstructured.Unstructured
	live   *unstructured.Unstructured
	// values for the keys that are not in the cluster yet
	fresh map[string]string
}

// vault holds every Secret that is made in the cluster and the values that go into
// the missing ones. A name stands for one value, in however many Secrets it is.
type vault struct {
	states map[key]*secretState
	values map[string]string
	// password in clear, when this run made it
	password string
	// hash waits for that of a new password, which is made while the cluster is read; nil
	// where there is none to wait for.
	hash func() (string, error)
	// passwordKey is the Secret that holds the hash
	passwordKey key
}

// openVault reads the Secrets that the plan's placeholders stand for and makes the
// values that no Secret has yet. Nothing is written.
func (e *Engine) openVault(ctx context.Context, plan *Plan) (*vault, error) {
	v := &vault{states: map[key]*secretState{}, values: map[string]string{}}
	pull, err := ReadPullSecret(ctx, e.cluster, plan.Settings.PullSecret)
	if err != nil {
		return nil, err
	}
	if pull != "" {
		v.values[components.PullSecretValue] = pull
	}
	for _, r := range plan.Rendered {
		for _, u := range r.Objects {
			placeholders := components.Generated(u)
			if placeholders == nil {
				continue
			}
			live, err := e.cluster.Dynamic.Resource(secretsResource).Namespace(u.GetNamespace()).Get(ctx, u.GetName(), metav1.GetOptions{})
			if err != nil && !apierrors.IsNotFound(err) {
				return nil, refusal(cluster.RefOf(u), err)
			}
			if apierrors.IsNotFound(err) {
				live = nil
			}
			state := &secretState{object: u, live: live, fresh: map[string]string{}}
			v.states[keyOf(u)] = state
			for k, name := range placeholders {
				if name == passwordHash {
					v.passwordKey = keyOf(u)
					// A run that was killed before it could show the password it made left a
					// password that nobody knows. It is made again.
					if live != nil && live.GetAnnotations()[notShownAnnotation] != "" {
						continue
					}
				}
				value := decoded(live, k)
				if value == "" || name == components.PullSecretValue && pull != "" {
					continue // the copy is as the original is now
				}
				if name == passwordHash && e.options.Password != nil && bcrypt.CompareHashAndPassword([]byte(value), e.options.Password) != nil {
					return nil, fmt.Errorf("--password-stdin: %s already contains a different password, which install does not change: omit the flag", cluster.RefOf(u))
				}
				v.values[name] = value
			}
		}
	}
	for _, state := range v.states {
		for k, name := range components.Generated(state.object) {
			pending := name == passwordHash && v.hash != nil
			if v.values[name] == "" && !pending {
				if name == components.PullSecretValue {
					return nil, noPullSecret(plan.Settings.PullSecret)
				}
				value, err := v.generate(name, e.options.Password)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", cluster.RefOf(state.object), err)
				}
				v.values[name] = value
			}
			if pending = name == passwordHash && v.hash != nil; pending || decoded(state.live, k) != v.values[name] {
				state.fresh[k] = v.values[name]
			}
		}
	}
	return v, nil
}

func decoded(secret *unstructured.Unstructured, k string) string {
	if secret == nil {
		return ""
	}
	text, _, _ := unstructured.NestedString(secret.Object, "data", k)
	value, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return ""
	}
	return string(value)
}

func (v *vault) generate(name string, password []byte) (string, error) {
	switch name {
	case cookieSecret:
		// oauth2-proxy takes 16, 24 or 32 bytes; 24 random ones are 32 characters.
		return randomText(24), nil
	case oidcClientSecret:
		return randomText(30), nil
	case memberlistKey:
		return randomText(96), nil
	case passwordHash:
		if password == nil {
			v.password = randomText(15)
			password = []byte(v.password)
		}
		v.hash = hashing(password)
		return "", nil
	}
	return "", fmt.Errorf("placeholder %q: no such generated value", name)
}

// hashing begins to hash a password, for which bcrypt is made to take a quarter of a second.
// The function that it returns waits for the hash.
func hashing(password []byte) func() (string, error) {
	var hash []byte
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		hash, err = bcrypt.GenerateFromPassword(password, bcryptCost)
	}()
	return func() (string, error) {
		<-done
		return string(hash), err
	}
}

// value that a name stands for.
func (v *vault) value(name string) (string, error) {
	if name == passwordHash && v.hash != nil {
		return v.hash()
	}
	return v.values[name], nil
}

// settle waits for the hash of a new password and puts it where it belongs.
func (v *vault) settle() error {
	if v.hash == nil {
		return nil
	}
	hash, err := v.hash()
	if err != nil {
		return fmt.Errorf("%s: %w", v.passwordKey.ref(), err)
	}
	v.values[passwordHash], v.hash = hash, nil
	for _, state := range v.states {
		for k, name := range components.Generated(state.object) {
			if name == passwordHash {
				state.fresh[k] = hash
			}
		}
	}
	return nil
}

// randomText is n random bytes in the URL-safe alphabet, four characters for three bytes.
func randomText(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(b)
}

// annotate writes on the pod templates that read one of the vault's Secrets a hash of
// what is in it, so that a new password or client secret reaches pods that read it once.
func (v *vault) annotate(u *unstructured.Unstructured) error {
	if !isWorkload(u.GetKind()) {
		return nil
	}
	template, ok, _ := unstructured.NestedMap(u.Object, "spec", "template", "spec")
	if !ok {
		return nil
	}
	names := map[string]bool{}
	secretNames(template, names)
	h, used := sha256.New(), false
	for _, name := range slices.Sorted(maps.Keys(names)) {
		state := v.states[key{"", "Secret", u.GetNamespace(), name}]
		if state == nil {
			continue
		}
		generated := components.Generated(state.object)
		for _, k := range slices.Sorted(maps.Keys(generated)) {
			value, err := v.value(generated[k])
			if err != nil {
				return err
			}
			used = true
			fmt.Fprintf(h, "%s=%s\n", k, value)
		}
	}
	if !used {
		return nil
	}
	return unstructured.SetNestedField(u.Object, hex.EncodeToString(h.Sum(nil))[:16],
		"spec", "template", "metadata", "annotations", secretHashAnnotation)
}

func secretNames(v any, names map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if m, ok := e.(map[string]any); ok {
				switch k {
				case "secret":
					if n, ok := m["secretName"].(string); ok {
						names[n] = true
					}
				case "secretRef", "secretKeyRef":
					if n, ok := m["name"].(string); ok {
						names[n] = true
					}
				}
			}
			secretNames(e, names)
		}
	case []any:
		for _, e := range v {
			secretNames(e, names)
		}
	}
}

// store creates the Secret, or adds to an existing one what it lacks. Values that are
// there stay, also when the Secret went with its namespace after it was read: other
// Secrets hold the same ones.
func (e *Engine) store(ctx context.Context, v *vault, u *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	state := v.states[keyOf(u)]
	client := e.cluster.Dynamic.Resource(secretsResource).Namespace(u.GetNamespace())
	notShown := v.password != "" && v.passwordKey == keyOf(u)
	if state.live != nil {
		updated, err := e.complete(ctx, client, state, u, notShown)
		if !apierrors.IsNotFound(err) {
			return updated, err
		}
	}
	out := u.DeepCopy()
	data, _, _ := unstructured.NestedStringMap(out.Object, "stringData")
	for k, name := range components.Generated(u) {
		data[k] = v.values[name]
	}
	if err := unstructured.SetNestedStringMap(out.Object, data, "stringData"); err != nil {
		return nil, err
	}
	if notShown {
		components.Annotate(out, notShownAnnotation, "true")
	}
	return client.Create(ctx, out, metav1.CreateOptions{FieldManager: FieldManager})
}

// complete adds to a Secret that is there the values and labels that it lacks.
func (e *Engine) complete(ctx context.Context, client dynamic.ResourceInterface, state *secretState, u *unstructured.Unstructured, notShown bool) (*unstructured.Unstructured, error) {
	out := state.live.DeepCopy()
	for k, value := range state.fresh {
		if err := unstructured.SetNestedField(out.Object, base64.StdEncoding.EncodeToString([]byte(value)), "data", k); err != nil {
			return nil, err
		}
	}
	labels := out.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	for k, value := range u.GetLabels() {
		labels[k] = value
	}
	out.SetLabels(labels)
	if notShown {
		components.Annotate(out, notShownAnnotation, "true")
	}
	// The version makes the update fail if somebody changed the Secret meanwhile.
	return client.Update(ctx, out, metav1.UpdateOptions{FieldManager: FieldManager})
}

// Shown records that the person has seen the password. Until then every run makes a
// new one, since the one in the cluster is known to nobody.
func (c *Credentials) Shown(ctx context.Context) error {
	if !c.Generated {
		return nil
	}
	patch := []byte(`{"metadata":{"annotations":{"` + notShownAnnotation + `":null}}}`)
	_, err := c.engine.cluster.Dynamic.Resource(secretsResource).Namespace(c.secret.namespace).
		Patch(ctx, c.secret.name, "application/merge-patch+json", patch, metav1.PatchOptions{FieldManager: FieldManager})
	if err != nil {
		return fmt.Errorf("%s: %w", c.secret.ref(), err)
	}
	return nil
}
