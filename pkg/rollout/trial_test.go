package rollout

import (
	"errors"
	"net/http"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestWhichAnswersOfADryRunAreRefusals(t *testing.T) {
	roles := schema.GroupResource{Group: "rbac.authorization.k8s.io", Resource: "clusterroles"}
	for _, tc := range []struct {
		name               string
		err                error
		refusal, escalates bool
	}{
		{"acceptance", nil, false, false},
		{"a role that grants too much", apierrors.NewForbidden(roles, "x", errors.New(`user "ada" is attempting to grant RBAC permissions not currently held`)), true, true},
		{"a role that may gather anything", apierrors.NewForbidden(roles, "x", errors.New("must have cluster-admin privileges to use the aggregationRule")), true, true},
		{"a right that is missing", apierrors.NewForbidden(roles, "x", errors.New(`User "ada" cannot patch resource`)), true, false},
		{"a policy", apierrors.NewForbidden(roles, "x", errors.New("ValidatingAdmissionPolicy denied it")), true, false},
		{"a webhook that cannot be asked in a dry run", apierrors.NewBadRequest(`admission webhook "a.example.com" does not support dry run`), false, false},
		{"a webhook that does not answer now", apierrors.NewInternalError(errors.New(`failed calling webhook "a.example.com": connection refused`)), false, false},
		{"a busy server", apierrors.NewTooManyRequests("later", 1), false, false},
		{"a read that was refused", unread{apierrors.NewForbidden(roles, "x", errors.New("no"))}, false, false},
		{"a connection that broke", &http.MaxBytesError{}, false, false},
	} {
		err := unlessLater(tc.err)
		if got := isAnswer(err); got != tc.refusal {
			t.Errorf("%s: refusal %v, want %v (%v)", tc.name, got, tc.refusal, err)
		}
		if got := Escalates(err); got != tc.escalates {
			t.Errorf("%s: escalates %v, want %v", tc.name, got, tc.escalates)
		}
	}
}
