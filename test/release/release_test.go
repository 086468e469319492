//go:build release

// Package release makes a snapshot release, twice, and does with it what krew would:
//
//	make release-check
package release

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/bedkit"
)

func programs(t *testing.T) bedkit.Programs {
	t.Helper()
	p, err := bedkit.Find(filepath.Join("..", "..", "bin"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func output(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	r, err := bedkit.Run(t.Context(), dir, append(os.Environ(), env...), "", nil, name, args...)
	if err == nil && r.Code != 0 {
		err = errors.New(r.String())
	}
	if err != nil {
		t.Fatalf("%s %s: %v", name, strings.Join(args, " "), err)
	}
	return r.Stdout
}

// snapshot makes a release of what is committed, in a clone of its own, and returns
// the folder with the archives.
func snapshot(t *testing.T, from, dir string) string {
	t.Helper()
	output(t, "", nil, "git", "clone", "--quiet", from, dir)
	// Nothing is fetched from there: it is the name that a release has.
	output(t, dir, nil, "git", "remote", "set-url", "origin", "https://github.com/kubectl-jupyter/kubectl-jupyter")
	output(t, dir, []string{"CGO_ENABLED=0"}, filepath.Join(programs(t).Bin, "goreleaser"), "release", "--snapshot", "--clean", "--skip=sign,publish")
	return filepath.Join(dir, "dist")
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestARelease(t *testing.T) {
	one := filepath.Join(t.TempDir(), "one")
	dist := snapshot(t, "../..", one)

	t.Run("a second build of the commit, somewhere else, is the same byte for byte", func(t *testing.T) {
		// Of the first clone: somebody may commit meanwhile.
		again := snapshot(t, one, filepath.Join(t.TempDir(), "a", "longer", "way"))
		first, second := string(read(t, filepath.Join(dist, "checksums.txt"))), string(read(t, filepath.Join(again, "checksums.txt")))
		if first != second {
			t.Errorf("the checksums differ:\n%s\n%s", first, second)
		}
		if n := strings.Count(first, "\n"); n != 12 {
			t.Errorf("%d checksums, want those of 6 archives and 6 lists of what is compiled in:\n%s", n, first)
		}
	})

	var metadata struct{ Tag, Version, Commit, Date string }
	if err := json.Unmarshal(read(t, filepath.Join(dist, "metadata.json")), &metadata); err != nil {
		t.Fatal(err)
	}
	manifest, err := render(read(t, "../../.krew.yaml"), metadata.Tag, func(url string) (string, error) {
		content, err := os.ReadFile(filepath.Join(dist, path.Base(url)))
		sum := sha256.Sum256(content)
		return hex.EncodeToString(sum[:]), err
	})
	if err != nil {
		t.Fatal(err)
	}
	p, err := check(manifest)
	if err != nil {
		t.Fatalf("%v\n%s", err, manifest)
	}

	for _, f := range p.Spec.Platforms {
		t.Run("the archive for "+f.String()+" has a program for it and the licences", func(t *testing.T) {
			dir := t.TempDir()
			if err := unpack(filepath.Join(dist, path.Base(f.URI)), dir); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(read(t, filepath.Join(dir, "LICENSE")), read(t, "../../LICENSE")) {
				t.Error("the LICENSE in the archive is not the project's")
			}
			if n := read(t, filepath.Join(dir, "THIRD_PARTY_NOTICES")); !bytes.Contains(n, []byte("k8s.io/client-go")) {
				t.Error("the notices do not name k8s.io/client-go")
			}
			built, err := platformOf(filepath.Join(dir, f.Bin))
			if err != nil {
				t.Fatal(err)
			}
			if built != f.String() {
				t.Errorf("the program is for %s", built)
			}
			if f.String() == runtime.GOOS+"/"+runtime.GOARCH {
				runAsKrewDoes(t, dir, f.Bin, p.Spec.Version, "v"+metadata.Version, metadata.Commit)
			}
		})
	}
}

// runAsKrewDoes lays the plugin out as krew does: the archive in the store, a link named
// kubectl-NAME in krew's bin, which is on PATH. kubectl finds it by that name.
func runAsKrewDoes(t *testing.T, unpacked, bin, tag, version, commit string) {
	root := t.TempDir()
	store := filepath.Join(root, "store", "jupyter", tag)
	if err := errors.Join(os.MkdirAll(filepath.Dir(store), 0o755), os.Mkdir(filepath.Join(root, "bin"), 0o755)); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(store, os.DirFS(unpacked)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(store, bin), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(store, bin), filepath.Join(root, "bin", "kubectl-jupyter")); err != nil {
		t.Fatal(err)
	}
	env := []string{"PATH=" + filepath.Join(root, "bin"), "KUBECONFIG=/dev/null", "HOME=" + root}
	var told struct {
		Client struct{ Version, Commit, Date string }
	}
	out := output(t, root, env, programs(t).Kubectl, "jupyter", "version", "--client", "-o", "json")
	if err := json.Unmarshal([]byte(out), &told); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if c := told.Client; c.Version != version || c.Commit != commit || c.Date == "" {
		t.Errorf("the program calls itself %+v, want %s of commit %s", c, version, commit)
	}
	if list := output(t, root, env, programs(t).Kubectl, "plugin", "list"); !strings.Contains(list, "kubectl-jupyter") {
		t.Errorf("kubectl does not list the plugin:\n%s", list)
	}
	help := output(t, root, env, programs(t).Kubectl, "jupyter")
	for _, want := range []string{"kubectl jupyter install", "kubectl jupyter COMMAND"} {
		if !strings.Contains(help, want) {
			t.Errorf("the help does not say %q:\n%s", want, help)
		}
	}
}

// platformOf reads OS/ARCH from a program's own header.
func platformOf(name string) (string, error) {
	if f, err := elf.Open(name); err == nil {
		defer f.Close()
		return "linux/" + map[elf.Machine]string{elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64"}[f.Machine], nil
	}
	if f, err := macho.Open(name); err == nil {
		defer f.Close()
		return "darwin/" + map[macho.Cpu]string{macho.CpuAmd64: "amd64", macho.CpuArm64: "arm64"}[f.Cpu], nil
	}
	f, err := pe.Open(name)
	if err != nil {
		return "", fmt.Errorf("%s is no program of a system that is known here: %w", name, err)
	}
	defer f.Close()
	return "windows/" + map[uint16]string{pe.IMAGE_FILE_MACHINE_AMD64: "amd64", pe.IMAGE_FILE_MACHINE_ARM64: "arm64"}[f.Machine], nil
}

func unpack(archive, dir string) error {
	if strings.HasSuffix(archive, ".zip") {
		z, err := zip.OpenReader(archive)
		if err != nil {
			return err
		}
		defer z.Close()
		for _, f := range z.File {
			r, err := f.Open()
			if err != nil {
				return err
			}
			if err := write(dir, f.Name, r); err != nil {
				return err
			}
		}
		return nil
	}
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg || h.Uid != 0 || h.Uname != "root" {
			return fmt.Errorf("%s: type %q of user %d %q; a plain file of root is wanted", h.Name, h.Typeflag, h.Uid, h.Uname)
		}
		if err := write(dir, h.Name, r); err != nil {
			return err
		}
	}
}

func write(dir, name string, r io.Reader) error {
	if strings.ContainsAny(name, `/\`) {
		return fmt.Errorf("%s: the archive has a folder", name)
	}
	f, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}
