package clones

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestAPortWithoutANameIsSaidToBeHTTP(t *testing.T) {
	for name, tt := range map[string]struct {
		port map[string]any
		want any
	}{
		"one without a name":                  {map[string]any{"port": int64(8081)}, "http"},
		"one whose name says another thing":   {map[string]any{"port": int64(8081), "name": "kfam"}, "http"},
		"not one whose name says so":          {map[string]any{"port": int64(8081), "name": "http-kfam"}, nil},
		"not one that says something already": {map[string]any{"port": int64(8081), "appProtocol": "grpc"}, "grpc"},
	} {
		t.Run(name, func(t *testing.T) {
			service := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"ports": []any{tt.port}}}}
			(&clone{}).sayHTTP(service)
			ports, _, err := unstructured.NestedSlice(service.Object, "spec", "ports")
			if err != nil || len(ports) != 1 {
				t.Fatalf("ports %v: %v", ports, err)
			}
			if got := ports[0].(map[string]any)["appProtocol"]; got != tt.want {
				t.Errorf("appProtocol is %v, want %v", got, tt.want)
			}
		})
	}
}
