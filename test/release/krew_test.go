package release

import (
	"os"
	"strings"
	"testing"
)

func TestTheManifestKeepsKrewsRules(t *testing.T) {
	text, err := os.ReadFile("../../.krew.yaml")
	if err != nil {
		t.Fatal(err)
	}
	sum := func(string) (string, error) { return strings.Repeat("0a", 32), nil }
	good, err := render(text, "v1.2.3", sum)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := check(good); err != nil {
		t.Fatalf("%v\n%s", err, good)
	}
	for _, tt := range []struct{ name, old, new, want string }{
		{"a version without its v is refused", "version: v1.2.3", "version: 1.2.3", "is not semantic"},
		{"two archives for one platform are refused", "os: darwin", "os: linux", "linux/amd64: two archives"},
		{"a digest of another length is refused", strings.Repeat("0a", 32), "0a", `sha256 is "0a"`},
		{"a long short description is refused", "operate Jupyter notebooks", "operate Jupyter notebooks on every Kubernetes cluster", "at most 50"},
		{"a selector of another label is refused", "arch: amd64", "cpu: amd64", "os and arch are wanted"},
		{"a program without .exe for Windows is refused", "bin: kubectl-jupyter.exe", "bin: kubectl-jupyter", `windows/amd64: bin is`},
		{"a field that krew does not know is refused", "homepage:", "homepages:", "unknown field"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bad := strings.ReplaceAll(string(good), tt.old, tt.new)
			if bad == string(good) {
				t.Fatalf("%q is not in the manifest", tt.old)
			}
			if _, err := check([]byte(bad)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
