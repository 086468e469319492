// Command licenses checks the licences of everything that is compiled into the plugin,
// on each system that it is released for, and gathers their texts.
//
//	go run ./licenses                   fail for a licence that is not on the list
//	go run ./licenses -out FILE         and write the notices that binaries have to carry
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	classifier "github.com/google/licenseclassifier/v2"
	"github.com/google/licenseclassifier/v2/assets"
)

// allowed are licences under which a program may be given away in binary form with no
// more than their text beside it.
var allowed = []string{"Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "ISC"}

// systems that the plugin is released for; what is compiled in differs.
var systems = []string{"linux", "darwin", "windows"}

const program = "./cmd/kubectl-jupyter"

func main() {
	root := flag.String("root", "..", "the plugin's module")
	out := flag.String("out", "", "file for the notices")
	flag.Parse()
	if err := run(*root, *out, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "licenses:", err)
		os.Exit(1)
	}
}

func run(root, out string, w io.Writer) error {
	modules, err := compiledIn(root)
	if err != nil {
		return err
	}
	known, err := assets.DefaultClassifier()
	if err != nil {
		return err
	}
	var notices bytes.Buffer
	var problems []error
	counts := map[string]int{}
	for _, m := range modules {
		texts, err := m.texts()
		if err != nil {
			problems = append(problems, err)
			continue
		}
		for _, t := range texts {
			names := classify(known, t.content)
			if err := check(t.name, names); err != nil {
				problems = append(problems, fmt.Errorf("%s %s, %s: %w", m.Path, m.Version, t.name, err))
			}
			for _, n := range names {
				counts[n]++
			}
			fmt.Fprintf(&notices, "%s\n%s %s (%s: %s)\n%s\n\n%s\n\n", rule, m.Path, m.Version, t.name, strings.Join(names, ", "), rule, bytes.TrimSpace(t.content))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	fmt.Fprintf(w, "%d modules are compiled in:", len(modules))
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(w, " %s %d", name, counts[name])
	}
	fmt.Fprintln(w)
	if out == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	return os.WriteFile(out, notices.Bytes(), 0o644)
}

var rule = strings.Repeat("=", 80)

type module struct {
	Path, Version, Dir string
	Main               bool
}

// compiledIn asks Go for the modules behind the program's packages.
func compiledIn(root string) ([]module, error) {
	found := map[string]module{}
	for _, system := range systems {
		cmd := exec.Command("go", "list", "-deps", "-json=Module", program)
		cmd.Dir = root
		cmd.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0")
		cmd.Stderr = os.Stderr
		text, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("go list for %s: %w", system, err)
		}
		for d := json.NewDecoder(bytes.NewReader(text)); ; {
			var p struct{ Module *module }
			if err := d.Decode(&p); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, fmt.Errorf("go list for %s: %w", system, err)
			}
			if p.Module != nil && !p.Module.Main {
				found[p.Module.Path] = *p.Module
			}
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s is made of no modules", program)
	}
	return slices.SortedFunc(maps.Values(found), func(a, b module) int { return cmp.Compare(a.Path, b.Path) }), nil
}

type text struct {
	name    string
	content []byte
}

var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|unlicense)`)

// texts are the files at a module's top that state its licence.
func (m module) texts() ([]text, error) {
	entries, err := os.ReadDir(m.Dir)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Path, err)
	}
	var texts []text
	licensed := false
	for _, e := range entries {
		// That of a module's documents is not that of its code.
		if e.IsDir() || !licenceFile.MatchString(e.Name()) || strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), ".docs") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(m.Dir, e.Name()))
		if err != nil {
			return nil, err
		}
		licensed = licensed || !notice(e.Name())
		texts = append(texts, text{e.Name(), content})
	}
	if !licensed {
		return nil, fmt.Errorf("%s %s states no licence", m.Path, m.Version)
	}
	return texts, nil
}

func notice(name string) bool { return strings.HasPrefix(strings.ToLower(name), "notice") }

// threshold is how much of a licence's text has to be there, as the classifier's
// authors advise.
const threshold = 0.8

// classify names the licences in a text.
func classify(c *classifier.Classifier, content []byte) []string {
	var names []string
	for _, m := range c.Match(content).Matches {
		if m.MatchType == "License" && m.Confidence >= threshold && !slices.Contains(names, m.Name) {
			names = append(names, m.Name)
		}
	}
	slices.Sort(names)
	return names
}

func check(file string, names []string) error {
	if len(names) == 0 && !notice(file) {
		return errors.New("no licence is recognised in it")
	}
	for _, n := range names {
		if !slices.Contains(allowed, n) {
			return fmt.Errorf("%s is not on the list of licences (%s)", n, strings.Join(allowed, ", "))
		}
	}
	return nil
}
