//go:build e2e_real

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// must be the components themselves for this test to say anything: a stand-in would pass whatever we send.
var mustBeReal = []string{
	"quay.io/jetstack/cert-manager-controller", "quay.io/jetstack/cert-manager-webhook", "quay.io/jetstack/cert-manager-cainjector",
	"istio/pilot", "ghcr.io/dexidp/dex", "quay.io/oauth2-proxy/oauth2-proxy",
}

// realImages builds what is missing and logs which images are stand-ins.
func realImages(t *testing.T, flags ...string) map[string]string {
	t.Helper()
	devcluster := programs(t).Devcluster
	build := exec.Command(devcluster, append([]string{"images", "build"}, flags...)...)
	build.Stderr = os.Stderr // minutes of progress, which a failed test's log would show too late
	_, err := build.Output()
	list, lerr := exec.Command(devcluster, append([]string{"images", "list", "-o", "json"}, flags...)...).Output()
	if lerr != nil {
		t.Fatalf("devcluster images: %v", lerr)
	}
	var all []struct{ Name, Kind, From, Note, Missing string }
	if err := json.Unmarshal(list, &all); err != nil {
		t.Fatal(err)
	}
	have := map[string]string{}
	for _, i := range all {
		if i.Missing == "" {
			have[i.Name] = i.Kind
		}
		t.Logf("%-9s  %s  from %s  %s%s", i.Kind, i.Name, i.From, i.Note, i.Missing)
	}
	for _, want := range mustBeReal {
		if !slices.ContainsFunc(all, func(i struct{ Name, Kind, From, Note, Missing string }) bool {
			return isImage(i.Name, want) && i.Kind == "real" && i.Missing == ""
		}) {
			t.Fatalf("there is no real image %s (devcluster images build: %v)", want, err)
		}
	}
	return have
}

// isImage tells that a name is of an image, whatever its tag. Istio's registry is another
// one in each release.
func isImage(name, of string) bool {
	repository, _, _ := strings.Cut(name, ":")
	if program, ok := strings.CutPrefix(of, "istio/"); ok {
		return strings.Contains(repository, "istio") && strings.HasSuffix(repository, "/"+program)
	}
	return repository == of
}

// realProxy tells whether Istio's proxy is the component itself, which the login takes.
func realProxy(images map[string]string) bool {
	for name, kind := range images {
		if isImage(name, "istio/proxyv2") && kind == "real" {
			return true
		}
	}
	return false
}

// notebookImage is the form's first one, which the bed has: JupyterLab where it can be had.
func notebookImage(t *testing.T, images map[string]string) string {
	t.Helper()
	return imageOf(t, images, "/notebook-servers/jupyter-scipy:")
}

// echoImage is a stand-in for a notebook that answers with what it is told.
func echoImage(t *testing.T, images map[string]string) string {
	t.Helper()
	return imageOf(t, images, "/notebook-echo:")
}

// imageOf is the bed's image whose name has that in it.
func imageOf(t *testing.T, images map[string]string, part string) string {
	t.Helper()
	for name := range images {
		if strings.Contains(name, part) {
			return name
		}
	}
	t.Fatalf("the bed has no image %s: %v", part, images)
	return ""
}
