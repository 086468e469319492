package users

import (
	"context"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strings"

	"golang.org/x/crypto/bcrypt"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// Where Dex is, and what it calls the web app's client.
const (
	dexNamespace = "auth"
	dexService   = "dex"
	dexPort      = 5556
	dexClient    = "kubeflow-oidc-authservice"
	dexRedirect  = "/oauth2/callback"
)

// Cost of the bcrypt hashes. Dex accepts 10 to 16. A generated password has a hundred random
// bits, which nobody tries all of at any price; hashes of many are made in less time.
const (
	Cost          = 12
	GeneratedCost = 10
)

var lowerBase32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// ObjectName is the name of the Password object that Dex looks for when that address
// signs in: the address in lower case and the offset of an empty FNV-1 hash, in base32
// (idToName in Dex's storage/kubernetes).
func ObjectName(email string) string {
	return lowerBase32.EncodeToString(fnv.New64().Sum([]byte(strings.ToLower(email))))
}

// Hash makes what Dex compares a password with.
func Hash(password []byte, cost int) (string, error) {
	h, err := bcrypt.GenerateFromPassword(password, cost)
	if err != nil {
		return "", fmt.Errorf("password: %w", err)
	}
	return string(h), nil
}

// passwordObject is the account of an address. Its subject is the address itself, as for
// the first user: the same person stays the same after a reinstallation.
func passwordObject(apiVersion, email, hash string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": apiVersion, "kind": passwordKind.Kind,
		"metadata": map[string]any{
			"name": ObjectName(email), "namespace": dexNamespace,
			"labels": map[string]any{managedBy: FieldManager},
		},
		"email": email, "username": email, "userID": email,
		"hash": base64.StdEncoding.EncodeToString([]byte(hash)),
	}}
}

const dexMakesIt = "Dex creates it on its first start"

// HasPassword tells whether Dex has a Password object for the address.
func (u *Users) HasPassword(ctx context.Context, email string) (bool, error) {
	gvr, err := u.preferred(passwordKind, dexMakesIt)
	if err != nil {
		return false, err
	}
	_, err = u.Cluster.Metadata.Resource(gvr).Namespace(dexNamespace).Get(ctx, ObjectName(email), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("the Password of %s: %w", email, err)
	}
	return true, nil
}

// SetPassword gives somebody who has a Password object another password. Dex reads the
// object at every login, so that nothing has to be restarted.
func (u *Users) SetPassword(ctx context.Context, email string, password []byte) error {
	gvr, err := u.preferred(passwordKind, dexMakesIt)
	if err != nil {
		return err
	}
	hash, err := Hash(password, Cost)
	if err != nil {
		return err
	}
	patch, err := json.Marshal(map[string]any{"hash": base64.StdEncoding.EncodeToString([]byte(hash))})
	if err != nil {
		return err
	}
	client := u.Cluster.Dynamic.Resource(gvr).Namespace(dexNamespace)
	_, err = client.Patch(ctx, ObjectName(email), types.MergePatchType, patch, metav1.PatchOptions{FieldManager: FieldManager})
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("Dex has no password for %s: `kubectl jupyter user add %s` sets one", email, email)
	}
	if err != nil {
		return fmt.Errorf("the Password of %s: %w", email, err)
	}
	return nil
}

// RemovePassword takes the account away; who has none has none afterwards.
func (u *Users) RemovePassword(ctx context.Context, email string, dryRun []string) error {
	gvr, err := u.preferred(passwordKind, dexMakesIt)
	if err != nil {
		return err
	}
	err = u.Cluster.Dynamic.Resource(gvr).Namespace(dexNamespace).Delete(ctx, ObjectName(email), metav1.DeleteOptions{DryRun: dryRun})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("the Password of %s: %w", email, err)
	}
	return nil
}
