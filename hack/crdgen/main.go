// Command crdgen writes the CustomResourceDefinitions that the plugin embeds.
//
// Each component's CRDs come from the API module of the project it installs, at
// the version that the release ships (see the modules under hack/sources), and
// are written as compact JSON without prose: one file a CRD, sorted keys, the
// same bytes for the same sources. With -verify nothing is written; the exit
// code tells whether what is committed is what the sources give.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"sort"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "crdgen:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("crdgen", flag.ContinueOnError)
	outDir := flags.String("out", filepath.Join("..", "pkg", "components"), "directory of the components; CRDs go to common/COMPONENT/crds and releases/RELEASE/COMPONENT/crds")
	sources := flags.String("sources", "sources", "directory of the modules that pin the API versions")
	verify := flags.Bool("verify", false, "write nothing; fail when a committed file differs from what would be written")
	only := flags.String("only", "", "comma-separated components to generate (all by default)")
	if err := flags.Parse(args); err != nil {
		return err
	}

	chosen, err := choose(releases(*sources), *only)
	if err != nil {
		return err
	}
	var stale []string
	for _, set := range chosen {
		files, err := generate(ctx, set)
		if err != nil {
			return fmt.Errorf("%s: %w", set.dir(), err)
		}
		dir := filepath.Join(*outDir, set.dir())
		if *verify {
			different, err := compare(dir, files)
			if err != nil {
				return fmt.Errorf("%s: %w", set.dir(), err)
			}
			stale = append(stale, different...)
			continue
		}
		if err := write(dir, files); err != nil {
			return fmt.Errorf("%s: %w", set.dir(), err)
		}
		fmt.Fprintf(out, "%-40s %2d CRDs, %d bytes\n", set.dir(), len(files), size(files))
	}
	if len(stale) > 0 {
		return fmt.Errorf("not what the sources give (run `make generate` and commit the result):\n  %s", strings.Join(stale, "\n  "))
	}
	return nil
}

// choose keeps the sets that only names (comma-separated), or all of them when
// only is empty.
func choose(sets []set, only string) ([]set, error) {
	if only == "" {
		return sets, nil
	}
	var chosen []set
	for _, name := range strings.Split(only, ",") {
		found := false
		for _, s := range sets {
			if s.component == name {
				chosen, found = append(chosen, s), true
			}
		}
		if !found {
			return nil, fmt.Errorf("no component %q has generated CRDs", name)
		}
	}
	return chosen, nil
}

// generate returns the files of one set by name.
func generate(ctx context.Context, s set) (map[string][]byte, error) {
	crds, err := s.source.crds(ctx)
	if err != nil {
		return nil, err
	}
	if len(crds) != s.count {
		return nil, fmt.Errorf("the source gives %d CRDs, the release has %d: check the versions under hack/sources", len(crds), s.count)
	}
	files := make(map[string][]byte, len(crds))
	for _, crd := range crds {
		if err := finish(crd, s); err != nil {
			return nil, fmt.Errorf("CustomResourceDefinition %s: %w", crd.Name, err)
		}
		data, err := encode(crd)
		if err != nil {
			return nil, fmt.Errorf("CustomResourceDefinition %s: %w", crd.Name, err)
		}
		files[crd.Name+".json"] = data
	}
	return files, nil
}

// write makes dir hold exactly files: a CRD that the sources no longer have
// must not stay behind.
func write(dir string, files map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if _, kept := files[filepath.Base(path)]; !kept {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// compare lists the files of dir that are missing, different or too many.
func compare(dir string, files map[string][]byte) ([]string, error) {
	var different []string
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(dir, name))
		switch {
		case errors.Is(err, os.ErrNotExist):
			different = append(different, filepath.Join(dir, name)+" (missing)")
		case err != nil:
			return nil, err
		case !bytes.Equal(got, want):
			different = append(different, filepath.Join(dir, name))
		}
	}
	old, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	for _, path := range old {
		if _, known := files[filepath.Base(path)]; !known {
			different = append(different, path+" (not generated any more)")
		}
	}
	sort.Strings(different)
	return different, nil
}

func size(files map[string][]byte) int {
	total := 0
	for _, data := range files {
		total += len(data)
	}
	return total
}
