package diagnose

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	indexPage = "docs/troubleshooting/README.md"
	indexHead = "## All causes\n\n"
)

// firstSentence of a page, for the index.
func firstSentence(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			sentence, _, _ := strings.Cut(line, ". ")
			return strings.TrimSuffix(sentence, ".")
		}
	}
	t.Fatalf("%s says nothing", path)
	return ""
}

func TestTheIndexOfCausesIsComplete(t *testing.T) {
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, indexPage))
	if err != nil {
		t.Fatal(err)
	}
	before, _, ok := strings.Cut(string(text), indexHead)
	if !ok {
		t.Fatalf("%s has no %q", indexPage, strings.TrimSpace(indexHead))
	}
	var index strings.Builder
	index.WriteString("| Cause | What it is |\n|---|---|\n")
	for _, name := range Names() {
		fmt.Fprintf(&index, "| [%s](%s) | %s |\n", name, filepath.Base(Page(name)), firstSentence(t, filepath.Join(root, Page(name))))
	}
	want := before + indexHead + index.String()
	if *update {
		if err := os.WriteFile(filepath.Join(root, indexPage), []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(text) {
		t.Errorf("%s is not the list of all pages: make golden writes it", indexPage)
	}
}

// TestEveryProblemThatPeopleMeetHasACauseAndATest holds the table of the index to what it says.
func TestEveryProblemThatPeopleMeetHasACauseAndATest(t *testing.T) {
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, indexPage))
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	for _, pattern := range []string{"test/e2e/*_test.go", "pkg/*/*_test.go"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			source, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			tests.Write(source)
		}
	}
	table, _, _ := strings.Cut(string(text), indexHead)
	row := regexp.MustCompile("(?m)^\\| (.+) \\| (.+) \\| (?:recorded: )?`(Test[^/`]+)/([^`]+)` \\|$")
	cause := regexp.MustCompile(`\[(\w+)\]\(([a-z0-9-]+\.md)\)`)
	rows := row.FindAllStringSubmatch(table, -1)
	if len(rows) < 20 {
		t.Errorf("%d rows, want the twenty that everybody meets", len(rows))
	}
	if lines := strings.Count(table, "\n| ") - 1; lines != len(rows) {
		t.Errorf("%d rows are understood of %d", len(rows), lines)
	}
	for _, r := range rows {
		causes := cause.FindAllStringSubmatch(r[2], -1)
		if len(causes) == 0 {
			t.Errorf("%s: no cause", r[1])
		}
		for _, c := range causes {
			if !slices.Contains(Names(), c[1]) || filepath.Base(Page(c[1])) != c[2] {
				t.Errorf("%s: [%s](%s) is no cause and its page", r[1], c[1], c[2])
			}
		}
		if !strings.Contains(tests.String(), "func "+r[3]+"(") || !strings.Contains(tests.String(), `"`+r[4]+`"`) {
			t.Errorf("%s: there is no test %s/%s", r[1], r[3], r[4])
		}
	}
}
