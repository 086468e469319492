package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
)

const plainArg = "plain-top"

// plain is the way that comes to mind first, the baseline: the nodes, their metrics and
// all pods, each in one list that is decoded as a whole, and one pass over them. It prints
// what each node's pods request of its GPUs.
func plain(ctx context.Context, out io.Writer) error {
	c, err := client(clientcmd.NewDefaultClientConfigLoadingRules().GetDefaultFilename())
	if err != nil {
		return err
	}
	nodes, err := c.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	raw, err := c.RESTClient().Get().AbsPath("/apis/metrics.k8s.io/v1beta1/nodes").SetHeader("Accept", "application/json").DoRaw(ctx)
	if err != nil {
		return err
	}
	var metrics metricsv1beta1.NodeMetricsList
	if err := json.Unmarshal(raw, &metrics); err != nil {
		return err
	}
	pods, err := c.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	used := map[string]corev1.ResourceList{}
	for _, m := range metrics.Items {
		used[m.Name] = m.Usage
	}
	requested := map[string]int64{}
	for i := range pods.Items {
		if p := &pods.Items[i]; usage.Occupies(p) {
			q := usage.PodRequests(p)["nvidia.com/gpu"]
			requested[p.Spec.NodeName] += q.Value()
		}
	}
	for _, n := range nodes.Items {
		q := used[n.Name][corev1.ResourceCPU]
		if _, err := fmt.Fprintln(out, n.Name, q.MilliValue(), requested[n.Name]); err != nil {
			return err
		}
	}
	return nil
}

// asked runs one of the programs that the bench starts beside itself, if that is what this
// process is.
func asked(ctx context.Context, args []string) (bool, error) {
	if len(args) != 1 {
		return false, nil
	}
	switch args[0] {
	case standInArg:
		return true, standIn(ctx)
	case plainArg:
		return true, plain(ctx, os.Stdout)
	}
	return false, nil
}
