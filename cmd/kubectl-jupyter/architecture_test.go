package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	repository = "../.."
	module     = "github.com/kubectl-jupyter/kubectl-jupyter/"
)

// imports maps every folder of a tree to what its files import, tests left out.
func imports(t *testing.T, tree string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	err := filepath.WalkDir(filepath.Join(repository, tree), func(file string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(repository, filepath.Dir(file))
		if err != nil {
			return err
		}
		folder = filepath.ToSlash(folder)
		found[folder] = append(found[folder], nil...)
		for _, i := range parsed.Imports {
			name, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			if !slices.Contains(found[folder], name) {
				found[folder] = append(found[folder], name)
			}
		}
		slices.Sort(found[folder])
		return nil
	})
	if err != nil || len(found) == 0 {
		t.Fatalf("%s: %d packages, %v", tree, len(found), err)
	}
	return found
}

// row is a line of the table of packages: | `pkg/a` | what it is | `b`, `c` |.
var (
	row  = regexp.MustCompile("(?m)^\\| `pkg/([a-z/]+)` \\|[^|]*\\|([^|]*)\\|$")
	name = regexp.MustCompile("`([a-z/]+)`")
)

func document(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheDocumentShowsWhatPackagesBuildOn(t *testing.T) {
	documented, real := map[string][]string{}, map[string][]string{}
	for _, r := range row.FindAllStringSubmatch(document(t), -1) {
		documented[r[1]] = []string{}
		for _, n := range name.FindAllStringSubmatch(r[2], -1) {
			documented[r[1]] = append(documented[r[1]], n[1])
		}
		slices.Sort(documented[r[1]])
	}
	for folder, all := range imports(t, "pkg") {
		own := []string{}
		for _, i := range all {
			if p, ours := strings.CutPrefix(i, module+"pkg/"); ours {
				own = append(own, p)
			}
		}
		real[strings.TrimPrefix(folder, "pkg/")] = own
	}
	if d := cmp.Diff(real, documented); d != "" {
		t.Errorf("docs/architecture.md says otherwise; the code (-), the document (+):\n%s", d)
	}
}

// line is one of the drawing: packages, and behind a gap what they are.
var line = regexp.MustCompile(`(?m)^ {4}([a-zA-Z/]+(?:, [a-z/]+)*)(?: {2,}.*)?$`)

func TestPackagesBuildOnlyOnWhatIsDrawnBelowThem(t *testing.T) {
	_, drawing, found := strings.Cut(document(t), "## Packages")
	if !found {
		t.Fatal("docs/architecture.md has no section about packages")
	}
	drawing, _, _ = strings.Cut(drawing, "| Package")
	height := map[string]int{}
	for i, l := range line.FindAllStringSubmatch(drawing, -1) {
		for _, p := range strings.Split(l[1], ", ") {
			height[p] = i + 1
		}
	}
	at := func(p string) int {
		if height[p] == 0 && strings.HasPrefix(p, "plugin/") {
			return height["plugin/VERB"]
		}
		return height[p]
	}
	packages := imports(t, "pkg")
	for folder, all := range packages {
		folder = strings.TrimPrefix(folder, "pkg/")
		if at(folder) == 0 {
			t.Errorf("%s is not in the drawing", folder)
		}
		for _, i := range all {
			if p, ours := strings.CutPrefix(i, module+"pkg/"); ours && at(p) <= at(folder) {
				t.Errorf("%s imports %s, which is not drawn below it", folder, p)
			}
		}
	}
	for p := range height {
		if packages["pkg/"+p] == nil && p != "plugin/VERB" {
			t.Errorf("%s is drawn, and there is no such package", p)
		}
	}
}

// file is the name of one in the document.
var file = regexp.MustCompile("`((?:pkg|cmd)/[a-z0-9_/-]+\\.go)`")

func TestTheDocumentNamesFilesThatThereAre(t *testing.T) {
	named := file.FindAllStringSubmatch(document(t), -1)
	if len(named) < 50 {
		t.Errorf("%d files are named, which is not the way of three commands", len(named))
	}
	for _, n := range named {
		if _, err := os.Stat(filepath.Join(repository, filepath.FromSlash(n[1]))); err != nil {
			t.Error(err)
		}
	}
}

// What only some packages may import.
func TestPackagesKeepToTheirTrade(t *testing.T) {
	clients := []string{
		"k8s.io/client-go/dynamic", "k8s.io/client-go/kubernetes", "k8s.io/client-go/rest", "k8s.io/client-go/metadata",
		"k8s.io/client-go/discovery", module + "pkg/cluster",
	}
	for _, rule := range []struct {
		why     string
		imports []string
		only    []string
	}{
		{"the command line is the plugin's", []string{"github.com/spf13/cobra", "github.com/spf13/pflag"}, []string{"pkg/plugin"}},
		{"terminals are the printers' and the plugin's", []string{"golang.org/x/term"}, []string{"pkg/plugin", "pkg/view"}},
		{"only commands print", []string{module + "pkg/view"}, []string{"pkg/plugin"}},
		{"nothing but a command is built on what commands share", []string{module + "pkg/plugin"}, []string{"pkg/plugin"}},
		{"printers and vocabulary know no cluster", clients, []string{
			"pkg/plugin", "pkg/cluster", "pkg/rollout", "pkg/diagnose", "pkg/preflight", "pkg/status", "pkg/bundle", "pkg/exposure",
			"pkg/login", "pkg/forward", "pkg/users", "pkg/usage", "pkg/notebooks", "pkg/identity", "pkg/pulls",
		}},
	} {
		t.Run(rule.why, func(t *testing.T) {
			used := false
			for folder, all := range imports(t, "pkg") {
				for _, i := range all {
					if !slices.Contains(rule.imports, i) {
						continue
					}
					used = true
					if !slices.ContainsFunc(rule.only, func(p string) bool { return folder == p || strings.HasPrefix(folder, p+"/") }) {
						t.Errorf("%s imports %s", folder, i)
					}
				}
			}
			if !used && rule.only != nil {
				t.Errorf("nobody imports %v: the rule has nothing to check", rule.imports)
			}
		})
	}
}

func TestNoVerbKnowsAnother(t *testing.T) {
	const commands = "pkg/plugin/commands"
	shared := []string{"listen", "people", "registries", "show"} // what is no verb, and too large for pkg/plugin
	listed := 0
	for folder, all := range imports(t, "pkg") {
		for _, i := range all {
			if verb, is := strings.CutPrefix(i, module+"pkg/plugin/"); !is || slices.Contains(shared, verb) {
				continue
			} else if folder == commands {
				listed++
			} else if !strings.HasPrefix(folder, "pkg/plugin/"+strings.Split(verb, "/")[0]) {
				t.Errorf("%s imports %s: what both need belongs into pkg/plugin or an engine", folder, i)
			}
		}
	}
	if listed == 0 {
		t.Errorf("%s lists no verb: the rule has nothing to check", commands)
	}
}

// What a person can take in at once.
func TestRoomsAreSmall(t *testing.T) {
	const file, room = 400, 1200
	lines := map[string]int{}
	for _, tree := range []string{"cmd", "hack", "internal", "pkg", "test"} {
		err := filepath.WalkDir(filepath.Join(repository, tree), func(name string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				return err
			}
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			n := strings.Count(string(text), "\n")
			if n > file {
				t.Errorf("%s has %d lines, more than %d", name, n, file)
			}
			lines[filepath.ToSlash(filepath.Dir(name))] += n
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	rooms := 0
	for folder, n := range lines {
		if !strings.Contains(folder, "/pkg/plugin") {
			continue
		}
		if rooms++; n > room {
			t.Errorf("%s has %d lines, more than %d", folder, n, room)
		}
	}
	if rooms < 10 {
		t.Errorf("%d packages of commands were found: the rule has nothing to check", rooms)
	}
}

func TestNothingThatIsShippedImportsATest(t *testing.T) {
	for _, tree := range []string{"pkg", "cmd", "internal"} {
		for folder, all := range imports(t, tree) {
			for _, i := range all {
				if i == "testing" || strings.HasPrefix(i, path.Join(module, "test")+"/") {
					t.Errorf("%s imports %s", folder, i)
				}
			}
		}
	}
}
