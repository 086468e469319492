package rollout

import (
	"errors"
	"net"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

var (
	errWebhookDown = apierrors.NewInternalError(errors.New(`failed calling webhook "webhook.cert-manager.io": failed to call webhook: Post "https://x": dial tcp 10.0.0.1:443: connect: connection refused`))
	errDenied      = apierrors.NewForbidden(schema.GroupResource{Resource: "certificates"}, "x", errors.New(`admission webhook "webhook.cert-manager.io" denied the request: spec: Invalid value`))
	errSchema      = apierrors.NewInvalid(schema.GroupKind{Kind: "Certificate"}, "x", nil)
)

func TestProbes(t *testing.T) {
	withProxy := "{spec: {initContainers: [{name: istio-init}, {name: istio-proxy}]}}"
	adds := []string{"spec.containers[name=istio-proxy]", "spec.initContainers[name=istio-proxy]"}
	tests := []struct {
		name   string
		probe  components.Probe
		answer string
		err    error
		want   bool
		says   string
	}{
		{"a valid object that is accepted proves acceptance", components.Probe{}, "{}", nil, true, ""},
		{"a valid object proves nothing while the webhook does not answer", components.Probe{}, "", errWebhookDown, false, "webhook webhook.cert-manager.io does not answer yet"},
		{"an invalid object that is let through proves that nobody looks", components.Probe{RefusedBy: "webhook.cert-manager.io"}, "{}", nil, false, "admits an invalid object"},
		{"an invalid object that the webhook refuses proves validation", components.Probe{RefusedBy: "webhook.cert-manager.io"}, "", errDenied, true, ""},
		{"a refusal by another webhook proves nothing", components.Probe{RefusedBy: "other.io"}, "", errDenied, false, "denied the request"},
		{"a refusal by the schema proves nothing about the webhook", components.Probe{RefusedBy: "webhook.cert-manager.io"}, "", errSchema, false, "Certificate"},
		{"a pod that comes back with its sidecar proves injection", components.Probe{Adds: adds}, withProxy, nil, true, ""},
		{"a pod that comes back unchanged does not", components.Probe{Adds: adds}, "{spec: {containers: [{name: app}]}}", nil, false, "has not changed the object"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answer := object(t, tt.answer)
			got, why := Proven(&tt.probe, answer, tt.err)
			if got != tt.want || !strings.Contains(why, tt.says) {
				t.Errorf("proven = %v, %q; want %v and %q", got, why, tt.want, tt.says)
			}
		})
	}
}

func TestWithoutCA(t *testing.T) {
	tests := []struct{ name, object, want string }{
		{"the first webhook without a caBundle is named", "{webhooks: [{name: a, clientConfig: {caBundle: eA==}}, {name: b, clientConfig: {}}]}", "webhook b"},
		{"nothing is missing when every webhook has one", "{webhooks: [{name: a, clientConfig: {caBundle: eA==}}]}", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := WithoutCA(object(t, tt.object)); got != tt.want {
				t.Errorf("withoutCA = %q, want %q", got, tt.want)
			}
		})
	}
	if WithoutCA(nil) == "" {
		t.Error("a configuration that does not exist misses nothing")
	}
}

func TestRetryable(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want bool
	}{
		{"a webhook that does not answer", errWebhookDown, true},
		{"a webhook that refuses", errDenied, false},
		{"a schema that refuses", errSchema, false},
		{"a server that is busy", apierrors.NewTooManyRequests("later", 1), true},
		{"a kind that is not served yet", &apierrors.StatusError{ErrStatus: apierrors.NewGenericServerResponse(404, "patch", schema.GroupResource{}, "", "the server could not find the requested resource", 0, true).ErrStatus}, true},
		{"an object that does not exist", apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "x"), false},
		{"a namespace that is being deleted", apierrors.NewForbidden(schema.GroupResource{}, "x", errors.New("unable to create new content in namespace x because it is being terminated")), true},
		{"a right that is missing", apierrors.NewForbidden(schema.GroupResource{}, "x", errors.New("User cannot create")), false},
		{"a connection that breaks", &net.OpError{Op: "dial", Err: errors.New("refused")}, true},
		{"a store that elects a leader", &apierrors.StatusError{ErrStatus: metav1.Status{Status: "Failure", Code: 500, Message: "etcdserver: leader changed"}}, true},
		{"a store that is slow for a moment", errors.New("rpc error: etcdserver: request timed out"), true},
		{"a store that is full", errors.New("etcdserver: mvcc: database space exceeded"), false},
		{"no error", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if what, got := retryable(tt.err); got != tt.want {
				t.Errorf("retryable = %v (%s), want %v", got, what, tt.want)
			}
		})
	}
}

func TestTheReasonOfASilentWebhookIsWhole(t *testing.T) {
	tests := []struct{ name, message, want string }{
		{"a refused connection", errWebhookDown.Error(), "dial tcp 10.0.0.1:443: connect: connection refused"},
		{"a certificate that is not there yet", `Internal error occurred: failed calling webhook "w.io": failed to call webhook: Post "https://w.ns.svc:443/mutate?timeout=30s": remote error: tls: internal error`, "remote error: tls: internal error"},
		{"no address", `failed calling webhook "w.io": the server is gone`, `"w.io": the server is gone`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := reasonOf(tt.message); got != tt.want {
				t.Errorf("reasonOf = %q, want %q", got, tt.want)
			}
		})
	}
}
