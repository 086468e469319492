package cluster

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
)

func TestALogIsAskedForWithItsOptions(t *testing.T) {
	var asked *url.URL
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL
		_, _ = io.WriteString(w, "said\n")
	}))
	defer server.Close()
	client, err := discovery.NewDiscoveryClientForConfig(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	lines := int64(5)
	stream, err := (&Cluster{discovery: client}).Log(t.Context(), "kubeflow", "web-0", &corev1.PodLogOptions{Container: "web", Previous: true, TailLines: &lines})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stream.Close() }()
	text, err := io.ReadAll(stream)
	if err != nil || string(text) != "said\n" {
		t.Errorf("read %q, error %v", text, err)
	}
	query := asked.Query()
	query.Del("timeout") // the client's own
	if want := "container=web&previous=true&tailLines=5"; asked.Path != "/api/v1/namespaces/kubeflow/pods/web-0/log" || query.Encode() != want {
		t.Errorf("asked for %s, want the options %s", asked, want)
	}
}
