package components

import (
	"strings"
	"testing"
)

func TestAQuotaIsOneThatKubernetesCounts(t *testing.T) {
	for name, c := range map[string]struct{ resource, amount, want string }{
		"cores":                          {"cpu", "4", "cpu=4"},
		"a fraction of a core":           {"cpu", "1500m", "cpu=1500m"},
		"a fraction in another form":     {"cpu", "1.5", "cpu=1500m"},
		"memory":                         {"memory", "16Gi", "memory=16Gi"},
		"GPUs, in short":                 {"gpu", "2", "requests.nvidia.com/gpu=2"},
		"another vendor's GPUs":          {"requests.amd.com/gpu", "1", "requests.amd.com/gpu=1"},
		"slices of a GPU":                {"requests.nvidia.com/mig-1g.5gb", "3", "requests.nvidia.com/mig-1g.5gb=3"},
		"storage":                        {"requests.storage", "100Gi", "requests.storage=100Gi"},
		"storage of one class":           {"fast.storageclass.storage.k8s.io/requests.storage", "1Ti", "fast.storageclass.storage.k8s.io/requests.storage=1Ti"},
		"volumes":                        {"persistentvolumeclaims", "5", "persistentvolumeclaims=5"},
		"notebooks":                      {"count/notebooks.kubeflow.org", "3", "count/notebooks.kubeflow.org=3"},
		"devices that DRA allocates":     {"gpu.nvidia.com.deviceclass.resource.k8s.io/devices", "1", "gpu.nvidia.com.deviceclass.resource.k8s.io/devices=1"},
		"huge pages":                     {"requests.hugepages-2Mi", "64Mi", "requests.hugepages-2Mi=64Mi"},
		"none of it":                     {"gpu", "0", "requests.nvidia.com/gpu=0"},
		"GPUs as pods request them":      {"nvidia.com/gpu", "1", "use requests.nvidia.com/gpu"},
		"limits of GPUs":                 {"limits.nvidia.com/gpu", "1", "does not count"},
		"a name that says nothing":       {"cores", "1", "does not count"},
		"no name":                        {"", "1", "does not count"},
		"storage that nobody requests":   {"storage", "1Gi", "does not count"},
		"an amount that is none":         {"cpu", "many", "not a quantity"},
		"no amount":                      {"cpu", "", "not a quantity"},
		"less than nothing":              {"memory", "-1Gi", "not a quantity"},
		"half a GPU":                     {"gpu", "0.5", "not a whole number"},
		"half a notebook":                {"count/notebooks.kubeflow.org", "500m", "not a whole number"},
		"a class of storage, unfinished": {"fast.storageclass.storage.k8s.io/size", "1Gi", "does not count"},
	} {
		t.Run(name, func(t *testing.T) {
			resource, amount, err := Quota(c.resource, c.amount)
			got := resource + "=" + amount
			if err != nil {
				got = err.Error()
			}
			if !strings.Contains(got, c.want) {
				t.Errorf("Quota(%q, %q): %s, want %s", c.resource, c.amount, got, c.want)
			}
		})
	}
}
