//go:build e2e || e2e_real

package e2e

import (
	"archive/tar"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Values that are planted where people put such things.
const (
	plantedSecret   = "plantedInASecret"
	plantedVariable = "plantedInAVariable"
	plantedConfig   = "plantedInSettings"
	plantedEvent    = "plantedInAnEvent"
	plantedNote     = "plantedInAnAnnotation"
	plantedPersonal = "plantedInAPersonsSecret"
)

// unpacked are a bundle's files by their names below its folder.
func unpacked(t *testing.T, file string) map[string]string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for r := tar.NewReader(zip); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		_, name, _ := strings.Cut(path.Clean(h.Name), "/")
		files[name] = string(content)
	}
}

// wantNoSecrets fails the test for every value of every Secret of the cluster, and for
// what was planted, that is in a file in clear or in Base64, but for some.
func (b *bed) wantNoSecrets(files map[string]string, but ...string) {
	b.t.Helper()
	var list struct {
		Items []struct {
			Metadata struct{ Namespace, Name string }
			Data     map[string][]byte
		}
	}
	if err := json.Unmarshal([]byte(b.kubectl("get", "secrets", "-A", "-o", "json")), &list); err != nil {
		b.t.Fatal(err)
	}
	values := map[string]string{}
	for _, v := range []string{plantedSecret, plantedVariable, plantedConfig, plantedEvent, plantedNote, plantedPersonal} {
		values["planted "+v] = v
	}
	for _, s := range list.Items {
		for k, v := range s.Data {
			if len(v) >= 6 {
				values[s.Metadata.Namespace+"/"+s.Metadata.Name+" "+k] = string(v)
			}
		}
	}
	if len(values) < 12 {
		b.t.Errorf("only %d values to look for", len(values))
	}
	for name, content := range files {
		for what, v := range values {
			if slices.Contains(but, v) {
				continue
			}
			if strings.Contains(content, v) || strings.Contains(content, base64.StdEncoding.EncodeToString([]byte(v))) {
				b.t.Errorf("%s has the value of %s", name, what)
			}
		}
	}
}

// bundle makes one with flags and returns its files.
func (b *bed) bundle(flags ...string) (map[string]string, result) {
	b.t.Helper()
	file := filepath.Join(b.t.TempDir(), "bundle.tar.gz")
	r := b.must(append([]string{"support-bundle", "-f", file}, flags...)...)
	return unpacked(b.t, file), r
}
