package images

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// entries are the headers of an archive, by name.
func entries(t *testing.T, archive []byte) map[string]*tar.Header {
	t.Helper()
	all := map[string]*tar.Header{}
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if all[h.Name] != nil && h.Typeflag != tar.TypeDir {
			t.Errorf("%s is there twice", h.Name)
		}
		all[h.Name] = h
	}
}

func TestATreeIsWrittenWithoutTimesAndOwners(t *testing.T) {
	tr := tree{home: "/home/jovyan", uid: 1000, gid: 100, users: "jovyan:x:1000:100::/home/jovyan:/bin/sh\n"}
	grow := func() []byte {
		root := t.TempDir()
		for name, mode := range map[string]os.FileMode{"usr/bin/sh": 0o750, "usr/lib/data": 0o600} {
			if err := os.MkdirAll(filepath.Join(root, filepath.Dir(name)), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(root, name), []byte(name), mode); err != nil {
				t.Fatal(err)
			}
		}
		if err := link("sh", filepath.Join(root, "usr/bin/bash")); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := tr.write(&out, root); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	archive := grow()
	if !bytes.Equal(archive, grow()) {
		t.Error("the same files give two different archives")
	}
	all := entries(t, archive)
	for name, mode := range map[string]int64{"usr/bin/sh": 0o755, "usr/lib/data": 0o644, "usr/bin/": 0o755, "tmp/": 0o1777, "etc/passwd": 0o644} {
		h := all[name]
		if h == nil {
			t.Fatalf("%s is missing", name)
		}
		if h.Mode != mode || h.Uid != 0 || !h.ModTime.Equal(epoch) {
			t.Errorf("%s has mode %o, owner %d, time %s", name, h.Mode, h.Uid, h.ModTime)
		}
	}
	for name, target := range map[string]string{"bin": "usr/bin", "lib64": "usr/lib64", "usr/bin/bash": "sh"} {
		if h := all[name]; h == nil || h.Typeflag != tar.TypeSymlink || h.Linkname != target {
			t.Errorf("%s = %+v, want a link to %s", name, h, target)
		}
	}
	if h := all["home/jovyan/"]; h == nil || h.Uid != 1000 || h.Gid != 100 {
		t.Errorf("the home is %+v, want it to be its user's", h)
	}
}

func TestOnlyProgramsAndLibrariesOfDebianPackagesAreCopied(t *testing.T) {
	root := t.TempDir()
	// As dpkg lists them, where /bin is a link into /usr and where it is none.
	if err := (tree{}).copyDebian(root, []string{"/.", "/bin", "/bin/sh", "/usr/share/doc", "/etc/passwd", "/usr/bin/no-such-program"}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Join(root, "usr/bin/sh")); err != nil {
		t.Errorf("the shell: %v", err)
	}
	var others []string
	err := filepath.WalkDir(root, func(p string, d os.DirEntry, err error) error {
		if name := strings.TrimPrefix(p, root+"/"); err == nil && !d.IsDir() && !strings.HasPrefix(name, "usr/") {
			others = append(others, name)
		}
		return err
	})
	if err != nil || len(others) > 0 {
		t.Errorf("copied as well: %q (%v)", others, err)
	}
}

func TestWhatNobodyNeedsIsTakenAway(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"en.dat", "root.dat", "fr.dat"} {
		p := filepath.Join(root, "usr/local/lib/python3.11/dist-packages/babel/locale-data", name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := jupyterLab.prune(root); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(root, "usr/local/lib/python3.11/dist-packages/babel/locale-data/*"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range left {
		left[i] = filepath.Base(left[i])
	}
	if want := []string{"en.dat", "root.dat"}; !slices.Equal(left, want) {
		t.Errorf("left: %q, want %q", left, want)
	}
}

func TestTheNotebookImageSaysWhatIsPinned(t *testing.T) {
	dir := filepath.Join("..", "..", jupyterLab.dir)
	asked, err := os.ReadFile(filepath.Join(dir, "requirements.in"))
	if err != nil {
		t.Fatal(err)
	}
	pinned, err := os.ReadFile(filepath.Join(dir, requirements))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(asked)) {
		name, version, ok := strings.Cut(strings.TrimSpace(line), "==")
		if !ok {
			continue
		}
		if !strings.Contains(jupyterLabFrom, name+" "+version) {
			t.Errorf("the image is said to be of %q, want %s %s in it", jupyterLabFrom, name, version)
		}
		if !strings.Contains(string(pinned), name+"=="+version+" \\\n    --hash=sha256:") {
			t.Errorf("%s %s is not pinned with its digests", name, version)
		}
	}
	for _, file := range jupyterLab.sources() {
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
			t.Error(err)
		}
	}
}
