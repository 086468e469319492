package cluster

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericclioptions"
)

// behind connects to a server that is reached through a proxy only.
func behind(t *testing.T, proxy string) error {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config")
	text := `{apiVersion: v1, kind: Config, current-context: "", contexts: [{name: c, context: {cluster: c, user: u}}], users: [{name: u, user: {token: t}}],
clusters: [{name: c, cluster: {server: "https://172.16.0.6:8443", tls-server-name: kubernetes.default.svc, proxy-url: "` + proxy + `"}}]}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := genericclioptions.NewConfigFlags(false)
	context := "c"
	// Files that do not exist are passed over, as in kubectl.
	flags.KubeConfig, flags.Context = &file, &context
	_, err := Connect(t.Context(), flags, Options{Context: context})
	return err
}

func TestAProxyThatStandsInTheWayIsNamed(t *testing.T) {
	asked := ""
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Method + " " + r.Host
		w.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(refusing.Close)
	err := behind(t, strings.Replace(refusing.URL, "http://", "http://ada:s3cret@", 1))
	if err == nil || asked != "CONNECT 172.16.0.6:8443" {
		t.Fatalf("the proxy was asked %q: %v", asked, err)
	}
	for _, want := range []string{"does not pass requests on", "proxy-url", "Forbidden", "172.16.0.6"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "not allowed to use") {
		t.Errorf("the error tells a password, or takes the proxy's answer for the server's: %v", err)
	}
	refusing.Close()
	if err = behind(t, refusing.URL); err == nil || !strings.Contains(err.Error(), "cannot be reached") {
		t.Errorf("a proxy that is gone: %v", err)
	}
}

func TestTheProxyOfTheEnvironmentIsForItsScheme(t *testing.T) {
	if proxy, by := Proxy("https://[::1", nil); proxy+by != "" {
		t.Errorf("what is no URL has no proxy: %s %s", proxy, by)
	}
	if proxy, by := Proxy("http://127.0.0.1:1", nil); proxy+by != "" {
		t.Errorf("this machine is never asked through a proxy: %s %s", proxy, by)
	}
}
