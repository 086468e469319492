package dra

import (
	"net/http"
	"net/http/httptest"
	"testing"

	resourcev1 "k8s.io/api/resource/v1"
	resourcev1beta1 "k8s.io/api/resource/v1beta1"
	resourcev1beta2 "k8s.io/api/resource/v1beta2"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
)

// What servers answer of one GPU that a claim has, in each version of the API.
var answers = map[schema.GroupVersion]map[string]string{
	resourcev1beta1.SchemeGroupVersion: {
		"resourceslices": `{"items":[{"metadata":{"name":"s"},"spec":{"driver":"gpu.nvidia.com","nodeName":"gpu-1","pool":{"name":"gpu-1","generation":1,"resourceSliceCount":1},
			"devices":[{"name":"gpu-0","basic":{"attributes":{"productName":{"string":"NVIDIA L4"},"uuid":{"string":"GPU-1"}},"capacity":{"memory":{"value":"24Gi"}}}}]}}]}`,
		"resourceclaims": `{"items":[{"metadata":{"name":"c","namespace":"ada"},"spec":{"devices":{"requests":[{"name":"r","deviceClassName":"gpu.nvidia.com","allocationMode":"ExactCount","count":2}]}},
			"status":{"allocation":{"devices":{"results":[{"request":"r","driver":"gpu.nvidia.com","pool":"gpu-1","device":"gpu-0"}]}},"reservedFor":[{"resource":"pods","name":"nb-0","uid":"u"}]}}]}`,
		"deviceclasses": `{"items":[{"metadata":{"name":"gpu"},"spec":{"selectors":[{"cel":{"expression":"device.driver == 'gpu.nvidia.com'"}}]}}]}`,
	},
	resourcev1beta2.SchemeGroupVersion: {
		"resourceslices": `{"items":[{"metadata":{"name":"s"},"spec":{"driver":"gpu.nvidia.com","nodeName":"gpu-1","pool":{"name":"gpu-1","generation":1,"resourceSliceCount":1},
			"devices":[{"name":"gpu-0","attributes":{"productName":{"string":"NVIDIA L4"},"uuid":{"string":"GPU-1"}},"capacity":{"memory":{"value":"24Gi"}}}]}}]}`,
		"resourceclaims": `{"items":[{"metadata":{"name":"c","namespace":"ada"},"spec":{"devices":{"requests":[{"name":"r","exactly":{"deviceClassName":"gpu.nvidia.com","allocationMode":"ExactCount","count":2}}]}},
			"status":{"allocation":{"devices":{"results":[{"request":"r","driver":"gpu.nvidia.com","pool":"gpu-1","device":"gpu-0"}]}},"reservedFor":[{"resource":"pods","name":"nb-0","uid":"u"}]}}]}`,
		"deviceclasses": `{"items":[{"metadata":{"name":"gpu"},"spec":{"selectors":[{"cel":{"expression":"device.driver == 'gpu.nvidia.com'"}}]}}]}`,
	},
}

func TestOlderVersionsOfTheAPIAreReadAsTheNewest(t *testing.T) {
	for version, lists := range answers {
		t.Run(version.Version, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				for resource, text := range lists {
					if r.URL.Path == "/apis/"+version.String()+"/"+resource {
						_, _ = w.Write([]byte(text))
						return
					}
				}
				http.NotFound(w, r)
			}))
			t.Cleanup(server.Close)
			client, err := discovery.NewDiscoveryClientForConfig(&rest.Config{Host: server.URL, QPS: -1})
			if err != nil {
				t.Fatal(err)
			}
			source := &Source{REST: client.RESTClient(), Version: version}
			var classes []resourcev1.DeviceClass
			if err := source.Classes(t.Context(), func(c *resourcev1.DeviceClass) { classes = append(classes, *c) }); err != nil {
				t.Fatal(err)
			}
			if len(classes) != 1 || classes[0].Name != "gpu" || classes[0].Spec.Selectors[0].CEL.Expression != "device.driver == 'gpu.nvidia.com'" {
				t.Errorf("classes %+v", classes)
			}
			got, err := source.Read(t.Context())
			if err != nil || len(got.Problems) > 0 || len(got.Devices) != 1 || len(got.Claims) != 1 {
				t.Fatalf("read %+v: %v", got, err)
			}
			d := got.Devices[0]
			if d.Node != "gpu-1" || d.Product != "NVIDIA L4" || d.UUID != "GPU-1" || d.Memory != 24<<30 || len(d.Claims) != 1 || d.Claims[0].Pods[0] != "nb-0" {
				t.Errorf("device %+v", d)
			}
			if r := got.Claims[0].Spec.Devices.Requests[0]; r.Exactly == nil || r.Exactly.Count != 2 || r.Exactly.DeviceClassName != "gpu.nvidia.com" {
				t.Errorf("request %+v", r)
			}
		})
	}
}

func TestAServerWithoutTheAPIHasNoDevices(t *testing.T) {
	var none *Source
	got, err := none.Read(t.Context())
	if err != nil || len(got.Devices) > 0 || len(got.Problems) > 0 {
		t.Errorf("read %+v, %v", got, err)
	}
	if err := none.Classes(t.Context(), func(*resourcev1.DeviceClass) { t.Error("a class") }); err != nil {
		t.Error(err)
	}
}
