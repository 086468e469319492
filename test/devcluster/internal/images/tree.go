package images

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// tree is a file system of this machine's Debian packages and of Python packages, for an
// image whose programs are no single files.
type tree struct {
	// dir has requirements.txt, which pins the Python packages with their digests, and what
	// is laid beside them.
	dir string
	// packages are the Debian packages beside Python's own.
	packages []string
	// laid are files of dir, by their paths in the image.
	laid map[string]string
	// without are patterns of files that nobody needs, which are most of what there is.
	without []string
	// home belongs to the user that the image runs as.
	home     string
	uid, gid int
	// users is the image's /etc/passwd.
	users string
}

// interpreter is Debian's, whatever else PATH has.
const interpreter = "/usr/bin/python3"

// debian returns the Debian packages that a tree is made of.
func (t tree) debian() ([]string, error) {
	python, err := filepath.EvalSymlinks(interpreter)
	if err != nil {
		return nil, fmt.Errorf("Debian's Python: %w: apt-get install --no-install-recommends python3 python3-pip", err)
	}
	version := filepath.Base(python)
	return append([]string{"python3-minimal", version + "-minimal", "lib" + version + "-minimal", "lib" + version + "-stdlib"}, t.packages...), nil
}

// inputs is a digest of all that a tree is made of.
func (t tree) inputs(source string) (string, error) {
	packages, err := t.debian()
	if err != nil {
		return "", err
	}
	versions, err := dpkg(append([]string{"--show"}, packages...)...)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintf(h, "v1 %s %+v\n%s", runtime.GOARCH, t, versions)
	for _, name := range t.sources() {
		d, err := fileDigest(filepath.Join(source, t.dir, name))
		if err != nil {
			return "", err
		}
		fmt.Fprintln(h, name, d)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

const requirements = "requirements.txt"

func (t tree) sources() []string {
	names := []string{requirements}
	for _, from := range t.laid {
		names = append(names, from)
	}
	slices.Sort(names)
	return names
}

func dpkg(args ...string) (string, error) {
	out, err := exec.Command("dpkg-query", args...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "", fmt.Errorf("dpkg-query %s: %s", strings.Join(args, " "), lastLines(string(exit.Stderr), 3))
	}
	return string(out), err
}

// grow lays a tree out below a directory of its own and keeps it as an archive, the layer of
// an image.
func (s Store) grow(ctx context.Context, name string, t tree) (err error) {
	root, err := os.MkdirTemp(s.Dir, "tree-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
	s.Say("installing the Python packages of %s into a file system of this machine's Debian packages; the first time they are downloaded (about 50 MB)", name)
	if err := t.install(ctx, root, filepath.Join(s.Source, t.dir)); err != nil {
		return err
	}
	out, err := os.Create(s.binary(name) + ".tmp")
	if err != nil {
		return err
	}
	err = t.write(out, root)
	return errors.Join(err, out.Close(), os.Rename(out.Name(), s.binary(name)))
}

func (t tree) install(ctx context.Context, root, source string) error {
	packages, err := t.debian()
	if err != nil {
		return err
	}
	list, err := dpkg(append([]string{"--listfiles"}, packages...)...)
	if err != nil {
		return err
	}
	if err := t.copyDebian(root, strings.Fields(list)); err != nil {
		return err
	}
	pip := exec.CommandContext(ctx, interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore", "--no-compile",
		"--no-deps", "--only-binary", ":all:", "--require-hashes", "--root", root, "--prefix", "/usr", "--requirement", filepath.Join(source, requirements))
	if out, err := pip.CombinedOutput(); err != nil {
		return fmt.Errorf("pip install of %s/%s: %w: %s (Debian's package python3-pip has pip)", t.dir, requirements, err, lastLines(string(out), 3))
	}
	for to, from := range t.laid {
		if err := copyFile(filepath.Join(source, from), filepath.Join(root, to)); err != nil {
			return err
		}
	}
	if err := t.prune(root); err != nil {
		return err
	}
	if err := wheelLibraries(root); err != nil {
		return err
	}
	// Compiled for the content of its source, whose time every file of an image has lost.
	compile := exec.CommandContext(ctx, interpreter, "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash",
		"-s", root, "-p", "/", filepath.Join(root, "usr"))
	if out, err := compile.CombinedOutput(); err != nil {
		return fmt.Errorf("compiling Python: %w: %s", err, lastLines(string(out), 1))
	}
	return nil
}

// merged are the directories that are links into /usr.
var merged = []string{"bin", "sbin", "lib", "lib64"}

// usr is where a file is whose directory may be a link into /usr.
func usr(file string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(file, "/"), "/")
	if slices.Contains(merged, first) {
		return "/usr" + file
	}
	return file
}

// copyDebian copies files of packages, and the libraries that their programs need.
func (t tree) copyDebian(root string, files []string) error {
	programs := map[string]string{}
	for _, f := range files {
		if strings.HasPrefix(f, "/usr/share/") || !strings.HasPrefix(usr(f), "/usr/") || slices.Contains(merged, strings.TrimPrefix(f, "/")) {
			continue
		}
		s, err := os.Lstat(f)
		if errors.Is(err, fs.ErrNotExist) {
			continue // left out by a rule of this machine's dpkg
		}
		if err != nil {
			return err
		}
		switch {
		case s.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(f)
			if err != nil {
				return err
			}
			if err := link(target, filepath.Join(root, usr(f))); err != nil {
				return err
			}
		case s.Mode().IsRegular():
			programs[f] = f
		}
	}
	return copyClosure(root, programs, libraryDirs())
}

// wheelLibraries copies what libraries of Python packages need of this machine.
func wheelLibraries(root string) error {
	programs := map[string]string{}
	dirs := libraryDirs()
	err := filepath.WalkDir(filepath.Join(root, "usr", "local"), func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch {
		case d.IsDir() && strings.HasSuffix(p, ".libs"):
			dirs = append(dirs, p)
		case strings.HasSuffix(p, ".so"):
			programs[p] = p
		}
		return nil
	})
	if err != nil {
		return err
	}
	return copyClosure(root, programs, dirs)
}

func copyClosure(root string, programs map[string]string, dirs []string) error {
	all, err := closure(programs, dirs)
	if err != nil {
		return err
	}
	for p, from := range all {
		if strings.HasPrefix(from, root+"/") {
			continue // it is there
		}
		if err := copyFile(from, filepath.Join(root, usr(p))); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	s, err := in.Stat()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return writeFile(to, in, s.Mode().Perm())
}

func link(target, at string) error {
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	return os.Symlink(target, at)
}

// prune takes away what nobody needs.
func (t tree) prune(root string) error {
	for _, pattern := range t.without {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return err
		}
		for _, f := range found {
			if err := os.RemoveAll(f); err != nil {
				return err
			}
		}
	}
	return nil
}

// write writes a tree as an archive. Names and modes are the files', owners and times are not.
func (t tree) write(w io.Writer, root string) error {
	out := tar.NewWriter(w)
	for _, d := range []struct {
		name     string
		mode     int64
		uid, gid int
	}{{"etc", 0o755, 0, 0}, {"tmp", 0o1777, 0, 0}, {"home", 0o755, 0, 0}, {strings.TrimPrefix(t.home, "/"), 0o775, t.uid, t.gid}} {
		h := header(d.name+"/", d.mode, 0)
		h.Typeflag, h.Uid, h.Gid = tar.TypeDir, d.uid, d.gid
		if err := out.WriteHeader(h); err != nil {
			return err
		}
	}
	if err := put(out, "etc/passwd", 0o644, int64(len(t.users)), strings.NewReader(t.users)); err != nil {
		return err
	}
	for _, name := range merged {
		if err := symlink(out, name, path.Join("usr", name)); err != nil {
			return err
		}
	}
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == root {
			return err
		}
		return add(out, p, strings.TrimPrefix(p, root+"/"), d)
	})
	return errors.Join(err, out.Close())
}

// add adds one file of a tree to an archive.
func add(out *tar.Writer, p, name string, d fs.DirEntry) error {
	s, err := d.Info()
	if err != nil {
		return err
	}
	switch {
	case d.IsDir():
		h := header(name+"/", 0o755, 0)
		h.Typeflag = tar.TypeDir
		return out.WriteHeader(h)
	case s.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(p)
		if err != nil {
			return err
		}
		return symlink(out, name, target)
	}
	in, err := os.Open(p)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	mode := int64(0o644)
	if s.Mode()&0o111 != 0 {
		mode = 0o755
	}
	return put(out, name, mode, s.Size(), in)
}

func symlink(out *tar.Writer, name, target string) error {
	h := header(name, 0o777, 0)
	h.Typeflag, h.Linkname = tar.TypeSymlink, target
	return out.WriteHeader(h)
}
