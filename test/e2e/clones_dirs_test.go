//go:build e2e || e2e_real

package e2e

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var clonesDir = flag.String("clones", "", "directory with clones of kubeflow/manifests, for TestClones and TestClonesOnARealNode; or one clone")

// clonesIn lists the clones: the directory itself, or directories in it, or those with a
// directory tree.
func clonesIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	if isClone(dir) {
		return map[string]string{filepath.Base(dir): dir}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, e := range entries {
		for _, below := range []string{"", "tree"} {
			if path := filepath.Join(dir, e.Name(), below); isClone(path) {
				found[e.Name()] = path
			}
		}
	}
	if len(found) == 0 {
		t.Fatalf("-clones %s: no directory in it is a clone", dir)
	}
	return found
}

func isClone(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, "common"))
	return err == nil && info.IsDir()
}
