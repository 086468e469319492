//go:build e2e

package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// formOfTheCluster changes the form for new notebooks, and sees that an install keeps it. Who
// reads it is a stand-in for the web app.
func formOfTheCluster(t *testing.T, b *bed) {
	read := func() string {
		t.Helper()
		return b.kubectl("-n", "kubeflow", "get", "configmap", "jupyter-web-app-config", "-o", `jsonpath={.data.spawner_ui_config\.yaml}`)
	}
	release := read()
	node := strings.Fields(b.kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}"))[0]
	b.kubectl("label", "node", node, "nvidia.com/gpu.product=NVIDIA-A100-SXM4-40GB")
	b.kubectl("taint", "node", node, "nvidia.com/gpu=present:NoSchedule")
	b.kubectl("patch", "node", node, "--subresource=status", "--type=merge", "-p", `{"status":{"capacity":{"nvidia.com/mig-1g.5gb":"7"},"allocatable":{"nvidia.com/mig-1g.5gb":"7"}}}`)
	defer func() {
		b.kubectl("label", "node", node, "nvidia.com/gpu.product-")
		b.kubectl("taint", "node", node, "nvidia.com/gpu-")
		b.kubectl("patch", "node", node, "--subresource=status", "--type=merge", "-p", `{"status":{"capacity":{"nvidia.com/mig-1g.5gb":null},"allocatable":{"nvidia.com/mig-1g.5gb":null}}}`)
	}()
	offers := []string{"limitsKey: nvidia.com/mig-1g.5gb", "uiName: NVIDIA MIG 1g.5gb", "configKey: nvidia-a100-sxm4-40gb", "groupKey: nvidia-com-gpu-present-noschedule"}

	wantSays(t, b.must("notebook", "form", "set", "--from-cluster", "--diff").Stdout, offers...)
	if r := b.jupyter("notebook", "form", "set", "--from-cluster"); r.Code != 1 || !strings.Contains(r.Stderr, "use --yes; nothing was changed") {
		t.Errorf("where nobody can be asked: %s", r)
	}
	if now := read(); now != release {
		t.Fatalf("the form was changed by who only looked:\n%s", now)
	}
	b.must("notebook", "form", "set", "--from-cluster", "--yes", "--timeout", "2m")
	set := read()
	wantSays(t, set, append(offers, "# limitsKey is the resource")...)
	wantSays(t, b.must("notebook", "form", "set", "--from-cluster", "--yes").Stderr, "Nothing to change")
	wantSays(t, b.must("install", "--timeout", "3m").Stderr, "nothing to change")
	if now := read(); now != set {
		t.Errorf("an install has changed the form:\n%s", now)
	}
	var shown struct {
		GPUs []struct{ LimitsKey string }
	}
	r := b.must("notebook", "form", "-o", "json")
	if err := json.Unmarshal([]byte(r.Stdout), &shown); err != nil || !slices.ContainsFunc(shown.GPUs, func(g struct{ LimitsKey string }) bool { return g.LimitsKey == "nvidia.com/mig-1g.5gb" }) {
		t.Errorf("form show: %v: %s", err, r)
	}
	b.must("notebook", "form", "reset", "--yes", "--timeout", "2m")
	if now := read(); now != release {
		t.Errorf("after reset the form is\n%s\nwant\n%s", now, release)
	}
}
