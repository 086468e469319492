package rollout

import (
	"context"
	"errors"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
)

// try sends an object that does not exist yet as a dry run: access reviews do not tell
// that a role grants more than its writer has, nor what somebody's admission policy
// refuses. Definitions are the most expensive objects of all to check, and nobody is
// refused them who may do the rest: they are tried when everything is asked.
func (e *Engine) try(ctx context.Context, s *Survey, client dynamic.ResourceInterface, u *unstructured.Unstructured) error {
	if u.GetKind() == crdKind && !e.options.AskAll {
		return nil
	}
	_, err := client.Apply(ctx, u.GetName(), acceptable(u), metav1.ApplyOptions{FieldManager: FieldManager, Force: true, DryRun: []string{metav1.DryRunAll}})
	// What it refers to comes with this run: the role of a binding, say. The role itself
	// is tried too, and whoever may create it holds what the binding grants.
	if apierrors.IsNotFound(err) {
		return nil
	}
	if _, later := retryable(err); !later {
		s.tried.Add(1)
	}
	return unlessLater(err)
}

// tryElsewhere tries a Role whose namespace does not exist. In such a namespace people
// have the rights that they have in the whole cluster; in any other they have those and
// perhaps more. So a grant that is refused there would be refused here.
func (e *Engine) tryElsewhere(ctx context.Context, s *Survey, u *unstructured.Unstructured) error {
	if u.GetKind() != "Role" {
		return nil
	}
	stand := u.DeepCopy()
	stand.SetNamespace(metav1.NamespaceDefault)
	client, _, err := e.cluster.For(stand)
	if err != nil {
		return nil
	}
	if err = e.try(ctx, s, client, stand); Escalates(err) {
		return err
	}
	return nil
}

// Escalates tells that the server refused a role or a binding because it grants more
// than its writer has. No access review tells that beforehand.
func Escalates(err error) bool {
	return apierrors.IsForbidden(err) && (strings.Contains(err.Error(), "attempting to grant RBAC permissions not currently held") ||
		strings.Contains(err.Error(), "must have cluster-admin privileges to use the aggregationRule"))
}

// unlessLater keeps of a dry run's answers those that would be the same later. A webhook
// that does not answer now is waited for before the object is sent; one that cannot
// be asked in a dry run may accept it.
func unlessLater(err error) error {
	if _, later := retryable(err); later || err != nil && strings.Contains(err.Error(), "does not support dry run") {
		return nil
	}
	return err
}

// unread marks an error of a read: to be refused a look says nothing about the object.
type unread struct{ error }

func (u unread) Unwrap() error { return u.error }

// isAnswer tells whether an error is the API server's answer to a write, and not a
// read that failed or a connection that broke.
func isAnswer(err error) bool {
	var read unread
	var status apierrors.APIStatus
	return err != nil && !errors.As(err, &read) && errors.As(err, &status)
}
