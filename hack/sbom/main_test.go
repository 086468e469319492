package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

func TestTheListOfAProgramHasItsModulesWithVersionsAndSums(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	first, second := filepath.Join(t.TempDir(), "1.json"), filepath.Join(t.TempDir(), "2.json")
	for _, out := range []string{first, second} {
		if err := run(out, []string{program}); err != nil {
			t.Fatal(err)
		}
	}
	a, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(second)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Error("two lists of one program differ")
	}
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(bytes.NewReader(a), cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	var found *cdx.Component
	for i, c := range *bom.Components {
		if c.Name == "github.com/CycloneDX/cyclonedx-go" {
			found = &(*bom.Components)[i]
		}
	}
	switch {
	case found == nil:
		t.Fatal("the library that this test is compiled with is not in the list")
	case !strings.HasPrefix(found.Version, "v0."), found.PackageURL != "pkg:golang/github.com/CycloneDX/cyclonedx-go@"+found.Version:
		t.Errorf("got version %q and package URL %q", found.Version, found.PackageURL)
	case found.Properties == nil || !strings.HasPrefix((*found.Properties)[0].Value, "h1:"):
		t.Errorf("the module's sum is missing: %+v", found.Properties)
	}
	if h := bom.Metadata.Component.Hashes; h == nil || len((*h)[0].Value) != 64 {
		t.Errorf("the program's own hash is missing: %+v", h)
	}
}

func TestWhatIsNoGoProgramIsRefused(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{}, {text}, {filepath.Join(t.TempDir(), "nothing")}} {
		if err := run("", args); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
}
