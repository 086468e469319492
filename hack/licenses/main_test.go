package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/licenseclassifier/v2/assets"
)

func TestLicences(t *testing.T) {
	known, err := assets.DefaultClassifier()
	if err != nil {
		t.Fatal(err)
	}
	gpl, err := assets.ReadLicenseFile("License/GPL-3.0/license.txt")
	if err != nil {
		t.Fatal(err)
	}
	mit, err := assets.ReadLicenseFile("License/MIT/a.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, file string
		content    []byte
		want       string
	}{
		{"the MIT licence is allowed", "LICENSE", mit, ""},
		{"the GPL is not", "COPYING", gpl, "GPL-3.0 is not on the list"},
		{"a text that nobody knows is not", "LICENSE", []byte("Do what the author says, each time anew."), "no licence is recognised"},
		{"a notice states no licence", "NOTICE", []byte("This product includes software by Ada."), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := check(tt.file, classify(known, tt.content))
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestAModuleWithoutALicenceIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "NOTICE"), []byte("by Ada"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (module{Path: "example.com/m", Version: "v1.0.0", Dir: dir}).texts(); err == nil || !strings.Contains(err.Error(), "example.com/m v1.0.0 states no licence") {
		t.Errorf("got %v", err)
	}
}
