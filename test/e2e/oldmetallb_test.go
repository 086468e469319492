//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
)

// oldMetalLB is a stand-in for the controller of MetalLB 0.9: it gives Services of type LoadBalancer the address that
// they ask for, or the first one of the pools in the ConfigMap, and takes it back. It reads the whole ConfigMap or,
// like the original, nothing of it.
func (b *bed) oldMetalLB(t *testing.T) {
	c := b.connect("")
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	t.Cleanup(func() { stop(); <-stopped })
	go func() {
		defer close(stopped)
		for ctx.Err() == nil {
			if err := giveAddresses(ctx, c); err != nil && ctx.Err() == nil {
				t.Logf("stand-in for MetalLB: %v", err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
}

func giveAddresses(ctx context.Context, c *cluster.Cluster) error {
	resource := func(plural string) schema.GroupVersionResource {
		return schema.GroupVersionResource{Version: "v1", Resource: plural}
	}
	u, err := c.Dynamic.Resource(resource("configmaps")).Namespace("metallb-system").Get(ctx, "config", metav1.GetOptions{})
	if err != nil {
		return err
	}
	var config struct {
		AddressPools []struct{ Addresses []string } `json:"address-pools"`
	}
	data, _ := u.Object["data"].(map[string]any)
	if err := yaml.Unmarshal([]byte(fmt.Sprint(data["config"])), &config); err != nil {
		return nil // MetalLB keeps what it had, and waits for something that it can read
	}
	var first netip.Addr
	for _, p := range config.AddressPools {
		for _, a := range p.Addresses {
			from, _, _ := strings.Cut(a, "-")
			if first, err = netip.ParseAddr(from); err != nil {
				return err
			}
		}
	}
	services := c.Dynamic.Resource(resource("services"))
	list, err := services.List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, s := range list.Items {
		spec, _ := s.Object["spec"].(map[string]any)
		if spec["type"] != "LoadBalancer" || !first.IsValid() {
			continue
		}
		give := first.String()
		if asked, ok := spec["loadBalancerIP"].(string); ok && asked != "" {
			give = asked
		}
		patch := fmt.Sprintf(`{"status":{"loadBalancer":{"ingress":[{"ip":%q}]}}}`, give)
		if _, err := services.Namespace(s.GetNamespace()).Patch(ctx, s.GetName(), types.MergePatchType, []byte(patch), metav1.PatchOptions{}, "status"); err != nil {
			return err
		}
	}
	return nil
}
