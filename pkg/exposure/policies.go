package exposure

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// blockedByPolicies is why clients outside do not reach the gateway, where network policies
// do not admit them; nil where they do, or where that cannot be read.
func blockedByPolicies(ctx context.Context, c *cluster.Cluster, secure bool) *report.Cause {
	policies, err := diagnose.NetworkPolicies(ctx, c, Namespace)
	if err != nil || len(policies) == 0 {
		return nil
	}
	pods := c.Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "pods"}).Namespace(Namespace)
	list, err := pods.List(ctx, metav1.ListOptions{LabelSelector: "app=" + ServiceName, Limit: 1})
	if err != nil || len(list.Items) == 0 {
		return nil
	}
	var gateway corev1.Pod
	if runtime.DefaultUnstructuredConverter.FromUnstructured(list.Items[0].Object, &gateway) != nil {
		return nil
	}
	cause := diagnose.NetworkPolicyCause(policies, "istio", &gateway, "the gateway", diagnose.GatewayPort(secure), diagnose.Outside)
	if cause != nil {
		cause.Severity = report.Error // nobody answers
	}
	return cause
}
