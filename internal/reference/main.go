// Command reference writes the reference of all commands: Markdown for the web, man
// pages for a terminal. Both come from the help texts, so that there is one truth.
//
//	go run ./internal/reference -out docs/reference
//	go run ./internal/reference -out docs/reference -verify
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/commands"
)

func main() {
	out := flag.String("out", "", "folder to write")
	verify := flag.Bool("verify", false, "write nothing, and fail when the folder holds something else")
	flag.Parse()
	if err := run(*out, *verify); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

func run(out string, verify bool) error {
	if out == "" {
		return errors.New("-out: name the folder")
	}
	pages, err := generate()
	if err != nil {
		return err
	}
	there, err := files(out)
	if err != nil {
		return err
	}
	if verify {
		return compare(out, there, pages)
	}
	for name := range there {
		if pages[name] == nil {
			if err := os.Remove(filepath.Join(out, name)); err != nil {
				return err
			}
		}
	}
	for name, page := range pages {
		path := filepath.Join(out, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, page, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// compare names every page that is not what would be written.
func compare(out string, there, pages map[string][]byte) error {
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		if !bytes.Equal(there[name], pages[name]) {
			problems = append(problems, fmt.Errorf("%s is not what the help says", filepath.Join(out, name)))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(there)) {
		if pages[name] == nil {
			problems = append(problems, fmt.Errorf("%s is of no command", filepath.Join(out, name)))
		}
	}
	if len(problems) > 0 {
		problems = append(problems, errors.New("run: make reference"))
	}
	return errors.Join(problems...)
}

// files reads a folder that may not be there yet.
func files(dir string) (map[string][]byte, error) {
	all := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path == dir {
			return nil
		}
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		all[filepath.ToSlash(name)], err = os.ReadFile(path)
		return err
	})
	return all, err
}

// manDate is in the first line of a man page. The pages are the same on every day.
var manDate = regexp.MustCompile(`(?m)^(\.TH "[^"]*" "1") "[^"]*"`)

// generate makes all pages in memory: NAME.md, and man/NAME.1.
func generate() (map[string][]byte, error) {
	root := commands.New(genericiooptions.NewTestIOStreamsDiscard())
	root.DisableAutoGenTag = true
	// The default is a folder in the home of whoever runs this.
	root.PersistentFlags().Lookup("cache-dir").DefValue = "$HOME/.kube/cache"
	pages := map[string][]byte{}
	if err := each(root, func(c *cobra.Command) error {
		c.DisableAutoGenTag = true
		var markdown bytes.Buffer
		err := doc.GenMarkdownCustom(c, &markdown, func(s string) string { return s })
		pages[pageName(c)+".md"] = append(bytes.TrimRight(markdown.Bytes(), "\n"), '\n')
		return err
	}); err != nil {
		return nil, err
	}
	// In a description, back quotes mark the name of the flag's value; in a man page they
	// would set it in bold.
	if err := each(root, func(c *cobra.Command) error {
		c.LocalFlags().VisitAll(func(f *pflag.Flag) { f.Usage = strings.ReplaceAll(f.Usage, "`", "") })
		return nil
	}); err != nil {
		return nil, err
	}
	return pages, each(root, func(c *cobra.Command) error {
		var man bytes.Buffer
		err := doc.GenMan(c, &doc.GenManHeader{Section: "1", Source: "kubectl jupyter", Manual: "kubectl jupyter"}, &man)
		pages["man/"+pageName(c)+".1"] = manDate.ReplaceAll(man.Bytes(), []byte(`$1 ""`))
		return err
	})
}

// each visits a command and those below it that help shows.
func each(c *cobra.Command, visit func(*cobra.Command) error) error {
	if err := visit(c); err != nil {
		return err
	}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() && !sub.IsAdditionalHelpTopicCommand() {
			if err := each(sub, visit); err != nil {
				return err
			}
		}
	}
	return nil
}

// pageName is what cobra's own links call a command's page.
func pageName(c *cobra.Command) string {
	return strings.ReplaceAll(c.CommandPath(), " ", "_")
}
