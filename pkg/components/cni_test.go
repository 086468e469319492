package components

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// hostPaths of a DaemonSet's volumes, by volume.
func hostPaths(u *unstructured.Unstructured) map[string]string {
	volumes, _, _ := unstructured.NestedSlice(u.Object, "spec", "template", "spec", "volumes")
	out := map[string]string{}
	for _, v := range volumes {
		volume, _ := v.(map[string]any)
		name, _ := volume["name"].(string)
		out[name], _, _ = unstructured.NestedString(volume, "hostPath", "path")
	}
	return out
}

func TestTheCNIPluginIsPutWhereTheNodesLookForIt(t *testing.T) {
	source, err := NewEmbedded("26.03")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name      string
		o         CNI
		bin, conf string
	}{
		{"nothing chosen", CNI{}, "/opt/cni/bin", "/etc/cni/net.d"},
		{"k3s", CNI{"/var/lib/rancher/k3s/data/cni", "/var/lib/rancher/k3s/agent/etc/cni/net.d"}, "/var/lib/rancher/k3s/data/cni", "/var/lib/rancher/k3s/agent/etc/cni/net.d"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rendered, err := source.Render(t.Context(), []string{"istio"}, Options{CNI: tt.o})
			if err != nil {
				t.Fatal(err)
			}
			var found bool
			for _, u := range rendered[0].Objects {
				if u.GetKind() != "DaemonSet" {
					continue
				}
				found = true
				if got := hostPaths(u); got["cni-bin-dir"] != tt.bin || got["cni-net-dir"] != tt.conf {
					t.Errorf("volumes %v, want programs in %s and configuration in %s", got, tt.bin, tt.conf)
				}
			}
			if !found {
				t.Error("there is no DaemonSet")
			}
		})
	}
}

func TestADirectoryOfNodesIsAnAbsolutePath(t *testing.T) {
	for _, dir := range []string{"opt/cni/bin", "/", "/opt/../etc", "/opt/cni/bin/", "/opt/$(VERSION)"} {
		if err := (Options{CNI: CNI{BinDir: dir}}).Validate(); err == nil || !strings.Contains(err.Error(), "--cni-bin-dir") {
			t.Errorf("--cni-bin-dir %s: %v, want an error that names the flag", dir, err)
		}
		if err := (Options{CNI: CNI{ConfDir: dir}}).Validate(); err == nil || !strings.Contains(err.Error(), "--cni-conf-dir") {
			t.Errorf("--cni-conf-dir %s: %v, want an error that names the flag", dir, err)
		}
	}
}
