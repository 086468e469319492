package identity

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
)

// SecretRef names a Secret that a provider's secret is copied from.
type SecretRef struct{ Namespace, Name, Key string }

// ParseSecretRef reads [NAMESPACE/]NAME[:KEY].
func ParseSecretRef(text string) (*SecretRef, error) {
	r := &SecretRef{Namespace: Namespace, Name: text}
	r.Name, r.Key, _ = strings.Cut(r.Name, ":")
	if namespace, name, found := strings.Cut(r.Name, "/"); found {
		r.Namespace, r.Name = namespace, name
	}
	if len(validation.IsDNS1123Subdomain(r.Name)) > 0 || len(validation.IsDNS1123Label(r.Namespace)) > 0 {
		return nil, fmt.Errorf("%q is not [NAMESPACE/]NAME[:KEY]", text)
	}
	return r, nil
}

// Secret reads a value: of the key that was named, of the one that is called as Dex calls it,
// or of the only one.
func (s *Store) Secret(ctx context.Context, ref *SecretRef, field string) (string, error) {
	what := fmt.Sprintf("--from-secret: Secret %s/%s", ref.Namespace, ref.Name)
	secrets, err := s.Cluster.Of(schema.GroupKind{Kind: "Secret"}, ref.Namespace)
	if err != nil {
		return "", err
	}
	u, err := secrets.Get(ctx, ref.Name, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	data, _, _ := unstructured.NestedStringMap(u.Object, "data")
	key := ref.Key
	if _, named := data[field]; key == "" && named {
		key = field
	}
	keys := slices.Sorted(maps.Keys(data))
	if key == "" && len(keys) == 1 {
		key = keys[0]
	}
	if key == "" {
		return "", fmt.Errorf("%s has the keys %s: name one as --from-secret %s/%s:KEY", what, strings.Join(keys, ", "), ref.Namespace, ref.Name)
	}
	value, found := data[key]
	if !found {
		return "", fmt.Errorf("%s has no key %s", what, key)
	}
	text, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return "", fmt.Errorf("%s: key %s: %w", what, key, err)
	}
	if len(text) == 0 {
		return "", fmt.Errorf("%s: key %s is empty", what, key)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}
