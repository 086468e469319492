package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLinks(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"a document that is there", "[b](b.md)", ""},
		{"a heading that is there", "[b](b.md#the-second-part)", ""},
		{"a heading of the same document", "# One\n[up](#one)", ""},
		{"a folder", "[all](sub)", ""},
		{"somebody else's page is not followed", "[x](https://example.com/nothing)", ""},
		{"a document that is not there", "[c](c.md)", `link "c.md": there is no such file`},
		{"a heading that is not there", "[b](b.md#third)", `link "b.md#third": there is no such heading`},
		{"a picture that is not there", "![p](p.png)", `link "p.png": there is no such file`},
		{"what stands in code is no link", "`[c](c.md)`\n\n    [d](d.md)\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, "sub"), 0o755); err != nil {
				t.Fatal(err)
			}
			for name, text := range map[string]string{"a.md": tt.text, "b.md": "# First\n\n## The second part\n"} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err := run(dir)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
