// Command links checks the links between the project's Markdown documents: that the
// file is there, and the heading that is linked to. Links out of the project are not
// followed: whether somebody else's page answers today is not the project's state.
//
//	go run ./links ..
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "links: name the folder")
		os.Exit(2)
	}
	links, err := run(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("%d links between documents lead somewhere\n", links)
}

// document is what others can link to, and what it links to.
type document struct {
	anchors map[string]bool
	links   []string
}

// run checks every document below the folder and counts the links.
func run(root string) (int, error) {
	documents := map[string]*document{}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && path != root && (strings.HasPrefix(e.Name(), ".") || e.Name() == "bin" || e.Name() == "dist" || e.Name() == "testdata"):
			return fs.SkipDir
		case e.IsDir() || filepath.Ext(path) != ".md":
			return nil
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		documents[path] = parse(source)
		return nil
	})
	if err != nil {
		return 0, err
	}
	var problems []error
	n := 0
	for path, d := range documents {
		for _, link := range d.links {
			u, err := url.Parse(link)
			if err == nil && u.Scheme != "" {
				continue
			}
			n++
			if err == nil {
				err = follow(documents, path, u)
			}
			if err != nil {
				problems = append(problems, fmt.Errorf("%s: link %q: %w", path, link, err))
			}
		}
	}
	if len(documents) == 0 {
		return 0, fmt.Errorf("%s: no documents", root)
	}
	return n, errors.Join(problems...)
}

func follow(documents map[string]*document, from string, u *url.URL) error {
	target := from
	if u.Path != "" {
		target = filepath.Join(filepath.Dir(from), filepath.FromSlash(u.Path))
		if _, err := os.Stat(target); err != nil {
			return errors.New("there is no such file")
		}
	}
	if d := documents[target]; u.Fragment != "" && (d == nil || !d.anchors[u.Fragment]) {
		return errors.New("there is no such heading")
	}
	return nil
}

func parse(source []byte) *document {
	d := &document{anchors: map[string]bool{}}
	markdown := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithParserOptions(parser.WithAutoHeadingID()))
	// The walk cannot fail: nothing below returns an error.
	_ = ast.Walk(markdown.Parser().Parse(text.NewReader(source)), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			if id, ok := n.AttributeString("id"); ok {
				d.anchors[string(id.([]byte))] = true
			}
		case *ast.Link:
			d.links = append(d.links, string(n.Destination))
		case *ast.Image:
			d.links = append(d.links, string(n.Destination))
		}
		return ast.WalkContinue, nil
	})
	return d
}
