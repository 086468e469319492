package node

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/network"
)

func TestFindTools(t *testing.T) {
	everything := func(name string) (string, error) { return "/bin/" + name, nil }
	allPlugins := func(string) (fs.FileInfo, error) { return nil, nil }
	for _, tt := range []struct {
		name string
		host host
		want []string // parts of the error; none: no error
	}{
		{"root with everything may run a node", host{everything, allPlugins, 0}, nil},
		{"an ordinary user is told of sudo and of the simulated nodes", host{everything, allPlugins, 1000}, []string{"sudo", "--nodes simulated"}},
		{
			"all that is missing is named at once, with the command that brings it",
			host{
				func(n string) (string, error) {
					if n == "runc" || n == "iptables" {
						return "", exec.ErrNotFound
					}
					return "/bin/" + n, nil
				},
				func(string) (fs.FileInfo, error) { return nil, fs.ErrNotExist }, 0,
			},
			[]string{"runc", "iptables", "CNI plugins", "apt-get install --no-install-recommends " + Packages},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := findTools(tt.host)
			if (err != nil) != (tt.want != nil) {
				t.Fatalf("findTools = %v, want an error: %t", err, tt.want != nil)
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q does not say %q", err, w)
				}
			}
		})
	}
}

func TestSysctls(t *testing.T) {
	write := func(root string, values map[string]string) {
		t.Helper()
		for name, v := range values {
			f := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(f), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(f, []byte(v+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	read := func(root, name string) string {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(b))
	}
	machine := map[string]string{"kernel/panic": "1", "kernel/panic_on_oops": "1", "vm/overcommit_memory": "0"}
	kubelet := map[string]string{"kernel/panic": "10", "kernel/panic_on_oops": "1", "vm/overcommit_memory": "1"}
	for _, tt := range []struct {
		name  string
		after map[string]string // what somebody sets while the node runs
		want  map[string]string
	}{
		{"what the kubelet changed is put back", nil, machine},
		{
			"what somebody has set since then stays",
			map[string]string{"kernel/panic": "30"},
			map[string]string{"kernel/panic": "30", "vm/overcommit_memory": "0"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root, notes := t.TempDir(), filepath.Join(t.TempDir(), "sysctls.json")
			write(root, machine)
			if err := saveSysctls(root, notes); err != nil {
				t.Fatal(err)
			}
			write(root, kubelet)
			write(root, tt.after)
			if err := restoreSysctls(root, notes); err != nil {
				t.Fatal(err)
			}
			for name, want := range tt.want {
				if got := read(root, name); got != want {
					t.Errorf("%s = %s, want %s", name, got, want)
				}
			}
			if _, err := os.Stat(notes); err == nil {
				t.Error("the notes are still there after they have been used")
			}
		})
	}
	t.Run("two beds, whichever ends first, leave the machine as it was", func(t *testing.T) {
		root, first, second := t.TempDir(), filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
		write(root, machine)
		if err := saveSysctls(root, first); err != nil {
			t.Fatal(err)
		}
		write(root, kubelet)
		if err := saveSysctls(root, second); err != nil {
			t.Fatal(err)
		}
		for _, f := range []string{first, second} {
			if err := restoreSysctls(root, f); err != nil {
				t.Fatal(err)
			}
		}
		if got := read(root, "kernel/panic"); got != "1" {
			t.Errorf("kernel/panic = %s, want the machine's 1", got)
		}
	})
	t.Run("the notes of a killed bed are not overwritten with the kubelet's values", func(t *testing.T) {
		root, notes := t.TempDir(), filepath.Join(t.TempDir(), "sysctls.json")
		write(root, machine)
		for range 2 {
			if err := saveSysctls(root, notes); err != nil {
				t.Fatal(err)
			}
			write(root, kubelet)
		}
		if err := restoreSysctls(root, notes); err != nil {
			t.Fatal(err)
		}
		if got := read(root, "vm/overcommit_memory"); got != "0" {
			t.Errorf("vm/overcommit_memory = %s, want the machine's 0", got)
		}
	})
	t.Run("without notes there is nothing to do", func(t *testing.T) {
		if err := restoreSysctls(t.TempDir(), filepath.Join(t.TempDir(), "none")); err != nil {
			t.Error(err)
		}
	})
}

func TestRemoveCgroups(t *testing.T) {
	root, state := t.TempDir(), t.TempDir()
	dir := func(elem ...string) string {
		d := filepath.Join(elem...)
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
		return d
	}
	dir(state, "io.containerd.runtime.v2.task", "k8s.io", "ours")
	ours := dir(root, "memory", cgroupParent, "ours")
	dir(ours, "nested")
	theirs := dir(root, "memory", cgroupParent, "theirs")
	if err := removeCgroups(context.Background(), root, state); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(ours); err == nil {
		t.Error("the group of the node's container is still there")
	}
	if _, err := os.Stat(theirs); err != nil {
		t.Errorf("the group of somebody else's container: %v", err)
	}
}

func TestBelow(t *testing.T) {
	got := below([]string{"/var/lib/bed/node", "/home/me/bed", "/var/library", "/run", "/var/lib/bed"}, hidden)
	if want := []string{"/run", "/var/lib/bed", "/var/lib/bed/node"}; !slices.Equal(got, want) {
		t.Errorf("below = %q, want %q: parents first, and only what is hidden", got, want)
	}
}

func TestConfigurationsAreReadable(t *testing.T) {
	for family, want := range map[string]struct{ kubelet, pods string }{
		network.IPv4: {"0.0.0.0", "10.245.0.0/24"},
		network.IPv6: {"::", "fd00:10:245::/64"},
		network.Dual: {"::", "10.245.0.0/24,fd00:10:245::/64"},
	} {
		t.Run(family, func(t *testing.T) {
			n, err := network.Choose(network.Options{IPFamily: family, Domain: "corp.example"})
			if err != nil {
				t.Fatal(err)
			}
			l := layout{dir: t.TempDir(), cache: t.TempDir()}
			if err := l.writeAll(values{
				Dir: l.dir, Socket: l.socket(), ContainerdRoot: l.containerdRoot(), PluginDir: "/usr/lib/cni",
				ClientCA: "/ca.crt", ResolvConf: l.path("resolv.conf"), Network: n,
				Kubeconfig: "/kubeconfig", Name: "n", PauseImage: "pause",
			}); err != nil {
				t.Fatal(err)
			}
			for file, values := range map[string]map[string]any{
				"kubelet.yaml":         {"kind": "KubeletConfiguration", "address": want.kubelet, "clusterDomain": "corp.example"},
				"kube-proxy.yaml":      {"kind": "KubeProxyConfiguration", "clusterCIDR": want.pods},
				"cni/10-pods.conflist": {"cniVersion": "0.4.0"},
			} {
				b, err := os.ReadFile(l.path(file))
				if err != nil {
					t.Fatal(err)
				}
				var m map[string]any
				if err := yaml.UnmarshalStrict(b, &m); err != nil {
					t.Errorf("%s: %v", file, err)
				}
				for key, value := range values {
					if m[key] != value {
						t.Errorf("%s of %s = %v, want %v", key, file, m[key], value)
					}
				}
				if strings.Contains(string(b), "<no value>") {
					t.Errorf("%s lacks a value:\n%s", file, b)
				}
			}
		})
	}
}

func claim(annotations map[string]string) *corev1.PersistentVolumeClaim {
	class := "standard"
	return &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "home", UID: "1234", Annotations: annotations},
		Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: &class, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		},
	}
}

func TestProvisioner(t *testing.T) {
	ctx := context.Background()
	asked := map[string]string{annProvisioner: Provisioner, annSelectedNode: "real-0"}
	t.Run("a claim that asks for it gets a directory that every user may write to", func(t *testing.T) {
		p := provisioner{client: fake.NewClientset(), dir: t.TempDir(), node: "real-0"}
		if err := p.provision(ctx, claim(asked)); err != nil {
			t.Fatal(err)
		}
		pv, err := p.client.CoreV1().PersistentVolumes().Get(ctx, "pvc-1234", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := os.Stat(pv.Spec.HostPath.Path)
		if err != nil || s.Mode().Perm() != 0o777 {
			t.Errorf("directory %s: %v %v, want mode 0777", pv.Spec.HostPath.Path, s, err)
		}
		pv.Status.Phase = corev1.VolumeReleased
		if err := p.reclaim(ctx, pv); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(pv.Spec.HostPath.Path); err == nil {
			t.Error("the directory of a released volume is still there")
		}
	})
	for name, annotations := range map[string]map[string]string{
		"a claim for another provisioner is left alone": {annProvisioner: "other", annSelectedNode: "real-0"},
		"a claim for another node is left alone":        {annProvisioner: Provisioner, annSelectedNode: "gpu-0"},
		"a claim that waits for its pod is left alone":  {annProvisioner: Provisioner},
	} {
		t.Run(name, func(t *testing.T) {
			if (provisioner{node: "real-0"}).wanted(claim(annotations)) {
				t.Error("wanted = true, want false")
			}
		})
	}
	t.Run("a directory outside of the bed's is never removed", func(t *testing.T) {
		precious := t.TempDir()
		p := provisioner{client: fake.NewClientset(), dir: t.TempDir(), node: "real-0"}
		pv := &corev1.PersistentVolume{
			ObjectMeta: metav1.ObjectMeta{Name: "pv", Annotations: map[string]string{annProvisioned: Provisioner}},
			Spec:       corev1.PersistentVolumeSpec{PersistentVolumeSource: corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: precious}}},
			Status:     corev1.PersistentVolumeStatus{Phase: corev1.VolumeReleased},
		}
		if err := p.reclaim(ctx, pv); err == nil {
			t.Error("reclaim = nil, want an error")
		}
		if _, err := os.Stat(precious); err != nil {
			t.Error(err)
		}
	})
}

func TestPluginsAreCopied(t *testing.T) {
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "bin")
	for _, p := range plugins {
		if err := os.WriteFile(filepath.Join(from, p), []byte(p), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // a second time over what is there
		if err := copyPlugins(from, to); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range plugins {
		s, err := os.Stat(filepath.Join(to, p))
		if err != nil || s.Mode().Perm()&0o111 == 0 {
			t.Errorf("plugin %s: %v, %v, want a program", p, s, err)
		}
	}
	if err := copyPlugins(t.TempDir(), to); err == nil || !strings.Contains(err.Error(), plugins[0]) {
		t.Errorf("copyPlugins without plugins = %v, want an error that names one", err)
	}
}
