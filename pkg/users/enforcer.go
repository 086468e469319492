package users

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
)

// Enforcement tells whether a cluster's network does what NetworkPolicies say.
type Enforcement string

// What is known of a network by its DaemonSets. Kubernetes itself does not tell.
const (
	Enforced    Enforcement = "enforced"
	NotEnforced Enforcement = "not enforced"
	NotKnown    Enforcement = "not known"
)

// enforcers are parts of the names of images that enforce policies.
var enforcers = []string{
	"calico/node", "calico-node", "cilium/cilium", "antrea/antrea-agent", "antrea-agent", "cloudnativelabs/kube-router", "weaveworks/weave-npc", "weave-npc",
	"ovn-kubernetes", "kube-ovn", "aws-network-policy-agent", "azure-npm", "kube-network-policies", "romana", "contiv",
}

// kindnetSince is the first version of kindnetd, as the tag of its image begins, that
// enforces policies (kind v0.24).
const kindnetSince = "v20240813"

var kindnet = regexp.MustCompile(`kindest/kindnetd:(v\d{8})`)

// EnforcementOf reads a cluster's DaemonSets and names the one that tells.
func EnforcementOf(ctx context.Context, c *cluster.Cluster) (Enforcement, string, error) {
	list, err := c.Dynamic.Resource(schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "daemonsets"}).List(ctx, metav1.ListOptions{})
	if err != nil {
		return NotKnown, "", fmt.Errorf("daemonsets: %w", err)
	}
	sets := make([]appsv1.DaemonSet, len(list.Items))
	for i := range list.Items {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(list.Items[i].Object, &sets[i]); err != nil {
			return NotKnown, "", fmt.Errorf("DaemonSet %s/%s: %w", list.Items[i].GetNamespace(), list.Items[i].GetName(), err)
		}
	}
	e, by := enforcement(sets)
	return e, by, nil
}

// enforcement judges by the images of containers. One that enforces may stand beside one
// that does not, as Calico's policies do beside flannel.
func enforcement(sets []appsv1.DaemonSet) (Enforcement, string) {
	found, by := NotKnown, ""
	for _, d := range sets {
		for _, c := range d.Spec.Template.Spec.Containers {
			name := fmt.Sprintf("DaemonSet %s/%s (%s)", d.Namespace, d.Name, c.Image)
			for _, part := range enforcers {
				if strings.Contains(c.Image, part) {
					return Enforced, name
				}
			}
			if m := kindnet.FindStringSubmatch(c.Image); m != nil {
				if m[1] >= kindnetSince {
					return Enforced, name
				}
				found, by = NotEnforced, name
			}
			// AWS' own network has the agent beside it where it enforces policies.
			if strings.Contains(c.Image, "/flannel:") || strings.Contains(c.Image, "/amazon-k8s-cni:") {
				found, by = NotEnforced, name
			}
		}
	}
	return found, by
}

// EnforcementWarning says what a closed namespace is worth in a cluster; empty where it is
// enforced.
func EnforcementWarning(e Enforcement, by string) string {
	switch e {
	case NotEnforced:
		return "the cluster's network does not enforce network policies, so the namespace is not closed: " + by
	case NotKnown:
		return "whether the cluster's network enforces network policies is not known"
	}
	return ""
}
