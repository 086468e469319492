package rollout

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/retry"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// lockedAnnotation tells that the first user's password was taken away: the hash in the
// Secret is one of a password that nobody was told.
const lockedAnnotation = "kubectl-jupyter/password-removed"

// ReplacePassword writes the hash of another password of the first user into the Secret
// where the plan keeps it. Dex reads it when its pod starts: Survey and Apply of the plan
// bring it there, since the pod's template carries a hash of the Secret. Locked marks a
// password that nobody was told.
func (e *Engine) ReplacePassword(ctx context.Context, plan *Plan, hash string, locked bool) error {
	secret, field := passwordSecret(plan.Rendered)
	if secret == nil {
		return errors.New("the plan has no Secret for the first user's password")
	}
	ref := cluster.RefOf(secret)
	client := e.cluster.Dynamic.Resource(secretsResource).Namespace(secret.GetNamespace())
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		live, err := client.Get(ctx, secret.GetName(), metav1.GetOptions{})
		if err != nil {
			return err
		}
		if err := unstructured.SetNestedField(live.Object, base64.StdEncoding.EncodeToString([]byte(hash)), "data", field); err != nil {
			return err
		}
		annotations := live.GetAnnotations()
		delete(annotations, notShownAnnotation) // that one is no longer the password
		delete(annotations, lockedAnnotation)
		live.SetAnnotations(annotations)
		if locked {
			components.Annotate(live, lockedAnnotation, "true")
		}
		_, err = client.Update(ctx, live, metav1.UpdateOptions{FieldManager: FieldManager})
		return err
	})
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("%s: %w: `kubectl jupyter install` creates it", ref, err)
	}
	if err != nil {
		return refusal(ref, err)
	}
	return nil
}

// PasswordLocked tells whether the first user's password was taken away.
func PasswordLocked(ctx context.Context, c *cluster.Cluster, rendered []components.Rendered) (bool, error) {
	secret, _ := passwordSecret(rendered)
	if secret == nil {
		return false, nil
	}
	live, err := c.Metadata.Resource(secretsResource).Namespace(secret.GetNamespace()).Get(ctx, secret.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, refusal(cluster.RefOf(secret), err)
	}
	return live.Annotations[lockedAnnotation] != "", nil
}

// passwordSecret finds the Secret and the key that hold the first user's password.
func passwordSecret(rendered []components.Rendered) (*unstructured.Unstructured, string) {
	for _, r := range rendered {
		for _, u := range r.Objects {
			for field, name := range components.Generated(u) {
				if name == passwordHash {
					return u, field
				}
			}
		}
	}
	return nil, ""
}
