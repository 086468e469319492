package diagnose

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestEveryNameHasAWeightAndAPage(t *testing.T) {
	files, err := filepath.Glob("names*.go")
	if err != nil {
		t.Fatal(err)
	}
	names := Names()
	var constants int
	constant := func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		literal, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			return true
		}
		constants++
		if name := strings.Trim(literal.Value, `"`); name != spec.Names[0].Name || !slices.Contains(names, name) {
			t.Errorf("constant %s = %s is not among Names()", spec.Names[0].Name, literal.Value)
		}
		return true
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, constant)
	}
	if constants != len(names) {
		t.Errorf("%d constants, %d names", constants, len(names))
	}

	root := filepath.Join("..", "..")
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(root, Page(name)))
		if err != nil {
			t.Error(err)
			continue
		}
		if !strings.HasPrefix(string(text), "# "+name+"\n") || !strings.Contains(string(text), "## What to do") {
			t.Errorf("%s does not open with its name, or does not say what to do", Page(name))
		}
	}
	pages, err := filepath.Glob(filepath.Join(root, "docs/troubleshooting/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		if base := filepath.Base(page); base != "README.md" && !slices.ContainsFunc(names, func(n string) bool { return filepath.Base(Page(n)) == base }) {
			text, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			// Other parts of the program name causes too; a page says whose it is.
			if title, _, _ := strings.Cut(strings.TrimPrefix(string(text), "# "), "\n"); filepath.Base(Page(title)) != base {
				t.Errorf("%s is titled %q", page, title)
			}
		}
	}
}

func TestPage(t *testing.T) {
	for name, want := range map[string]string{
		ImagePullBackOff:       "docs/troubleshooting/image-pull-back-off.md",
		OOMKilled:              "docs/troubleshooting/oom-killed.md",
		InsufficientCPU:        "docs/troubleshooting/insufficient-cpu.md",
		CRDNamesConflict:       "docs/troubleshooting/crd-names-conflict.md",
		OAuth2ProxyUnreachable: "docs/troubleshooting/oauth2-proxy-unreachable.md",
		WebhookCABundleMissing: "docs/troubleshooting/webhook-ca-bundle-missing.md",
	} {
		if got := Page(name); got != want {
			t.Errorf("Page(%s) = %s, want %s", name, got, want)
		}
	}
}
