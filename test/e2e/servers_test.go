//go:build e2e

package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

var (
	serversDir = flag.String("servers", "", "directory with control planes of other versions, for TestServers: v1.NN/kube-apiserver and so on")
	emulated   = flag.Bool("emulated", false, "run TestServersThatEmulateOlderOnes")
)

// Real API servers, controller managers and schedulers of other versions, beside this bed's
// etcd and simulated nodes. What the programs of the stack do with such a server is not seen:
// they are stand-ins here, but for cert-manager.
func TestServers(t *testing.T) {
	if *serversDir == "" {
		t.Skip("it needs control planes of other versions: make e2e-servers")
	}
	dirs, err := filepath.Glob(filepath.Join(*serversDir, "v1.*"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no control planes in %s (%v)", *serversDir, err)
	}
	for _, dir := range dirs {
		var minor int
		if _, err := fmt.Sscanf(filepath.Base(dir), "v1.%d", &minor); err != nil {
			t.Fatalf("%s: %v", dir, err)
		}
		for _, release := range components.Releases() {
			t.Run(fmt.Sprintf("%s on 1.%d", release.Name, minor), func(t *testing.T) {
				metrics := minor >= 29 // this bed's metrics-server measures nothing on 1.28
				b := newBed(t, fmt.Sprintf("--metrics-server=%t", metrics), "--server", dir)
				if minor < release.ServedMin || minor > release.ServedMax {
					was := b.versions("")
					r := b.jupyter("install", "--release", release.Name)
					if r.Code == 0 {
						t.Errorf("it was installed: %s", r)
					}
					wantSays(t, r.Stderr, fmt.Sprintf("release %s supports Kubernetes 1.%d to 1.%d, not 1.%d.", release.Name, release.ServedMin, release.ServedMax, minor), "nothing was changed")
					compareVersions(t, was, b.versions(""))
					return
				}
				b.servesTheStack(release.Name)
				b.servesGPUs("", metrics)
				b.goes()
			})
		}
	}
}

// The bed's own API server with the APIs and features of older versions, as it emulates them.
// It says the version that it is, so that nothing is seen of what goes by the version.
func TestServersThatEmulateOlderOnes(t *testing.T) {
	if !*emulated {
		t.Skip("it takes minutes: make e2e-emulated")
	}
	const beta1, beta2 = "--runtime-config=resource.k8s.io/v1beta1=true", ",resource.k8s.io/v1beta2=true"
	for _, tt := range []struct {
		version, dra string
		flags        []string
	}{
		{"1.33", "v1beta1", []string{beta1}},
		{"1.33", "v1beta2", []string{beta1 + beta2}},
		{"1.34", "v1", nil},
	} {
		for _, release := range components.Releases() {
			t.Run(fmt.Sprintf("%s on 1.36 that emulates %s, with DRA as %s", release.Name, tt.version, tt.dra), func(t *testing.T) {
				b := newBed(t, append([]string{"--metrics-server=true", "--emulated-version", tt.version}, tt.flags...)...)
				b.servesTheStack(release.Name)
				b.servesGPUs(tt.dra, true)
				b.goes()
			})
		}
	}
}

// goes uninstalls the stack.
func (b *bed) goes() {
	b.t.Helper()
	b.must("uninstall", "--yes", "--delete-crds", "--delete-data")
	if left := b.versions(memberSelector); len(left) > 0 {
		b.t.Errorf("after uninstall these are left: %v", left)
	}
}

// servesTheStack installs it, twice, looks at it and asks for a way in.
func (b *bed) servesTheStack(release string) {
	t := b.t
	t.Helper()
	if r := b.must("preflight", "--release", release); strings.Contains(r.Stdout, "fatal") {
		t.Errorf("preflight: %s", r)
	}
	for _, c := range reportOf(t, b.must("install", "--release", release, "-o", "json", "--timeout", "5m")).Components {
		if c.State != report.Ready || c.Ready != c.Objects || c.Objects == 0 {
			t.Errorf("component %s is %s with %d of %d objects ready", c.Name, c.State, c.Ready, c.Objects)
		}
	}
	before := b.versions(memberSelector)
	wantSays(t, b.must("install", "--timeout", "5m").Stderr, "nothing to change")
	wantSays(t, b.must("expose", "--type", "NodePort", "--tls", "self-signed", "--dry-run=server", "-o", "yaml").Stdout, "action: configured", "name: istio-ingressgateway", "dryRun: server")
	if diff := cmp.Diff(before, b.versions(memberSelector)); diff != "" {
		t.Errorf("the second run or the dry run changed resource versions:\n%s", diff)
	}
	wantSays(t, b.must("status").Stdout, "release "+release, "Ready: ")
}

// gpusOf publishes two devices of a driver; the scheduler's part, who has the first of them,
// is in allocation.
func gpusOf(version string) string {
	device, request := "attributes: {productName: {string: NVIDIA L4}}, capacity: {memory: {value: 23034Mi}}", "exactly: {deviceClassName: gpu}"
	if version == "v1beta1" {
		device, request = "basic: {"+device+"}", "deviceClassName: gpu"
	}
	return strings.NewReplacer("VERSION", version, "DEVICE", device, "REQUEST", request).Replace(`
apiVersion: resource.k8s.io/VERSION
kind: DeviceClass
metadata: {name: gpu}
spec: {selectors: [{cel: {expression: 'device.driver == "gpu.nvidia.com"'}}]}
---
apiVersion: resource.k8s.io/VERSION
kind: ResourceSlice
metadata: {name: cpu-1}
spec:
  driver: gpu.nvidia.com
  nodeName: cpu-1
  pool: {name: cpu-1, generation: 1, resourceSliceCount: 1}
  devices:
  - {name: gpu-0, DEVICE}
  - {name: gpu-1, DEVICE}
---
apiVersion: resource.k8s.io/VERSION
kind: ResourceClaim
metadata: {name: one}
spec: {devices: {requests: [{name: gpu, REQUEST}]}}
---
apiVersion: v1
kind: Pod
metadata: {name: claims}
spec:
  nodeName: cpu-1
  containers: [{name: main, image: x}]
`)
}

const allocation = `{"status": {
	"reservedFor": [{"resource": "pods", "name": "claims", "uid": "UID"}],
	"allocation": {"devices": {"results": [{"request": "gpu", "driver": "gpu.nvidia.com", "pool": "cpu-1", "device": "gpu-0"}]}}
}}`

// servesGPUs compares top with kubectl top where there are metrics, and reads devices in the version of the API that
// the server has, if it has one.
func (b *bed) servesGPUs(version string, metrics bool) {
	t := b.t
	t.Helper()
	pods := []string{"pod/busy"}
	manifest := `
apiVersion: v1
kind: Pod
metadata: {name: busy, annotations: {kwok.x-k8s.io/usage-cpu: 500m, kwok.x-k8s.io/usage-memory: 3000Mi}}
spec:
  nodeSelector: {kubernetes.io/hostname: gpu-0}
  containers: [{name: c, image: x, resources: {limits: {nvidia.com/gpu: 1}}}]
`
	want := []string{"gpu-0 nvidia.com/gpu ? held default/busy[] ?% ?/?"}
	if version != "" {
		manifest, pods = manifest+"---"+gpusOf(version), append(pods, "pod/claims")
		want = append(want,
			"cpu-1 gpu.nvidia.com dra free - ?% ?/23034",
			"cpu-1 gpu.nvidia.com dra held default/claims[] ?% ?/23034")
	}
	b.apply(manifest)
	if version != "" {
		if served := b.kubectl("api-versions"); !strings.Contains(served, "resource.k8s.io/"+version+"\n") {
			t.Fatalf("the server does not serve resource.k8s.io/%s:\n%s", version, served)
		}
		uid := b.kubectl("get", "pod", "claims", "-o", "jsonpath={.metadata.uid}")
		b.kubectl("patch", "resourceclaims."+version+".resource.k8s.io", "one", "--subresource=status", "--type=merge", "-p", strings.ReplaceAll(allocation, "UID", uid))
	}
	b.kubectl(append([]string{"wait", "--for=condition=Ready", "--timeout=60s"}, pods...)...)
	if metrics {
		eventually(t, "metrics-server has the node", func() bool {
			out, err := b.tryKubectl("", "top", "nodes", "gpu-0", "--no-headers")
			return err == nil && strings.Contains(out, "%")
		})
		_, kubectls := tableOf(b.kubectl("top", "nodes", "gpu-0", "--no-headers"), 1, 5)
		_, ours := tableOf(b.must("top", "gpu-0", "--no-headers").Stdout, 2, 6)
		if diff := cmp.Diff(kubectls, ours); diff != "" {
			t.Errorf("top, -kubectl +ours:\n%s", diff)
		}
	} else {
		wantSays(t, b.must("top", "gpu-0").Stdout, "gpu-0", "nvidia.com/gpu")
	}
	r := b.must("top", "gpus", "-o", "json")
	var doc struct {
		GPUs     []gpuRow
		Problems []string
	}
	if err := json.Unmarshal([]byte(r.Stdout), &doc); err != nil {
		t.Fatalf("%v: %s", err, r)
	}
	var got []string
	for _, g := range doc.GPUs {
		got = append(got, g.line())
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("top gpus has no row %q:\n%s\n%s", w, strings.Join(got, "\n"), r.Stderr)
		}
	}
	if len(doc.Problems) > 0 {
		t.Errorf("top gpus has problems: %q", doc.Problems)
	}
}
