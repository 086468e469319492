package copying

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/container"
)

// random are bytes that do not repeat.
func random(n int) []byte {
	b := make([]byte, n)
	source := rand.NewChaCha8([32]byte{1, byte(n), byte(n >> 8), byte(n >> 16)})
	_, _ = source.Read(b)
	return b
}

// files of a folder: contents by name. A name that ends with a slash is an empty folder.
type files map[string]string

func write(t *testing.T, dir string, f files) {
	t.Helper()
	for name, text := range f {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(at, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func read(t *testing.T, dir string) files {
	t.Helper()
	out := files{}
	err := filepath.WalkDir(dir, func(at string, d fs.DirEntry, err error) error {
		if err != nil || at == dir {
			return err
		}
		name, _ := filepath.Rel(dir, at)
		switch {
		case d.IsDir():
			if inside, _ := os.ReadDir(at); len(inside) == 0 {
				out[name+"/"] = ""
			}
		case d.Type().IsRegular():
			text, err := os.ReadFile(at)
			out[name] = string(text)
			return err
		default:
			out[name] = "not a file"
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func compare(t *testing.T, dir string, want files) {
	t.Helper()
	if d := cmp.Diff(want, read(t, dir)); d != "" {
		t.Errorf("%s has something else than it should (-want +got):\n%.2000s", dir, d)
	}
}

// copies copies a path to another; those that begin with lab: are the container's.
func (s *shell) copies(t *testing.T, from, to string, o Options) (*Result, error) {
	t.Helper()
	c, err := Open(t.Context(), "lab", s.run)
	if err != nil {
		return nil, err
	}
	side := func(typed string) (System, string) {
		if inside, is := strings.CutPrefix(typed, "lab:"); is {
			return c, inside
		}
		return Machine{}, typed
	}
	source, sourcePath := side(from)
	target, targetPath := side(to)
	a, b, err := Resolve(t.Context(), source, sourcePath, target, targetPath)
	if err != nil {
		return nil, err
	}
	return Copy(t.Context(), a, b, o)
}

func (s *shell) must(t *testing.T, from, to string, o Options) *Result {
	t.Helper()
	r, err := s.copies(t, from, to, o)
	if err != nil {
		t.Fatalf("%s to %s: %v", from, to, err)
	}
	return r
}

// odd names, as people and programs make them, and many that are not.
func odd(many int) files {
	f := files{
		"plain.txt": "hello", "empty": "", "deep/er/and/deeper.csv": "1,2\n", "nothing in it/": "",
		"a b  c": "spaces", " lead and trail ": "spaces at its ends", "new\nline": "a newline", "back\\slash": "one", "ends\n": "with a newline",
		"-rf": "a dash", "*": "a star", "$(id)": "no command", "'quoted\"": "quotes", "grüße/日本": "no ASCII", "%s%n": "percent",
		"big": string(random(3<<20 + 17)), "exactly": string(random(small)), "just over": string(random(small + 1)),
	}
	for i := range many {
		f[fmt.Sprintf("many/%03d", i)] = fmt.Sprint(i)
	}
	return f
}

func TestAFolderArrivesAsItIs(t *testing.T) {
	almost := append(append([]string{}, needed...), "tar", "sha256sum", "sh")
	for name, c := range map[string]struct {
		shell    *shell
		verified string
		many     int
		runs     int // of dd, for a file each
	}{
		"with GNU's programs":    {newShell(t), BySum, batchFiles + 1, 2},
		"with a plain find":      {newShell(t, almost...).plain(t), BySum, 3, 2},
		"without tar":            {newShell(t, append(append([]string{}, needed...), "sha256sum", "sh")...), BySum, 3, len(odd(3)) - 1},
		"without sums, by sizes": {newShell(t, append(append([]string{}, needed...), "tar", "sh")...), BySize, 3, 2},
	} {
		t.Run(name, func(t *testing.T) {
			here, back, all := filepath.Join(t.TempDir(), "data"), t.TempDir(), odd(c.many)
			write(t, here, all)
			old := time.Date(2024, 2, 29, 12, 0, 1, 0, time.UTC)
			for _, n := range []string{"plain.txt", "big"} {
				if err := errors.Join(os.Chmod(filepath.Join(here, n), 0o754), os.Chtimes(filepath.Join(here, n), old, old)); err != nil {
					t.Fatal(err)
				}
			}
			up := c.shell.must(t, here, "lab:", Options{})
			compare(t, filepath.Join(c.shell.dir, "data"), all)
			if up.Files != len(all)-1 || up.Verified != c.verified || up.Breaks != 0 || up.Target != "lab:"+filepath.Join(c.shell.dir, "data") {
				t.Errorf("result %+v", up)
			}
			if n := c.shell.ran["dd of="]; n != c.runs {
				t.Errorf("%d files went one by one, want %d", n, c.runs)
			}
			c.shell.must(t, "lab:data", back, Options{})
			compare(t, filepath.Join(back, "data"), all)
			for _, dir := range []string{c.shell.dir, back} {
				for _, n := range []string{"plain.txt", "big"} {
					info, err := os.Stat(filepath.Join(dir, "data", n))
					if err != nil {
						t.Fatal(err)
					}
					if info.Mode().Perm() != 0o754 || !info.ModTime().Equal(old) && !(strings.Contains(name, "plain") && dir == back) {
						t.Errorf("%s in %s has mode %o and time %s, want 754 and %s", n, dir, info.Mode().Perm(), info.ModTime(), old)
					}
				}
			}
			if r := c.shell.must(t, here, "lab:", Options{Force: true}); c.verified == BySum && (r.Files != 0 || r.Same != len(all)-1) {
				t.Errorf("what is there already was copied again: %+v", r)
			}
		})
	}
}

func TestAFileArrivesUnderTheNameThatIsMeant(t *testing.T) {
	for name, c := range map[string]struct {
		to   func(dir string) string
		want string
	}{
		"in a folder":            {func(dir string) string { return dir }, "model.bin"},
		"under another name":     {func(dir string) string { return filepath.Join(dir, "other") }, "other"},
		"in a folder with slash": {func(dir string) string { return dir + "/" }, "model.bin"},
	} {
		t.Run(name, func(t *testing.T) {
			s, here := newShell(t), t.TempDir()
			write(t, here, files{"model.bin": "weights"})
			s.must(t, filepath.Join(here, "model.bin"), "lab:"+c.to(s.dir), Options{})
			compare(t, s.dir, files{c.want: "weights"})
			back := t.TempDir()
			s.must(t, "lab:"+c.want, c.to(back), Options{})
			compare(t, back, files{c.want: "weights"})
		})
	}
}

// lasting is a file in which a break leaves something to do.
const lasting = 5 << 20

func TestACopyGoesOnAfterABreakWhereItWas(t *testing.T) {
	for name, script := range map[string]string{"to the container": "dd of=", "from the container": `head -c "$4"`} {
		for _, quiet := range []bool{false, true} {
			if quiet && script == "dd of=" {
				continue // there the answer is missing, see below
			}
			t.Run(fmt.Sprintf("%s, said %t", name, !quiet), func(t *testing.T) {
				s, here := newShell(t), t.TempDir()
				s.quiet = quiet
				s.cut = []cut{{script, 3 << 20}, {script, 1 << 20}}
				want := files{"model.bin": string(random(lasting))}
				var broken int
				o := Options{Notice: func(p Progress) {
					if p.Broken != nil {
						broken++
					}
				}}
				from, to, there := filepath.Join(here, "model.bin"), "lab:", s.dir
				write(t, here, want)
				if script != "dd of=" {
					write(t, s.dir, want)
					there = t.TempDir()
					from, to = "lab:model.bin", there
				}
				r := s.must(t, from, to, o)
				compare(t, there, want)
				if r.Breaks != 2 || broken != 2 {
					t.Errorf("%d breaks, %d told, want 2", r.Breaks, broken)
				}
				if over := s.passed - lasting; over < 0 || over > lasting/5 {
					t.Errorf("%d bytes passed for a file of %d: it did not go on where it was", s.passed, lasting)
				}
			})
		}
	}
}

func TestASecondRunGoesOnWhereTheFirstGaveUp(t *testing.T) {
	for name, script := range map[string]string{"to the container": "dd of=", "from the container": `head -c "$4"`} {
		t.Run(name, func(t *testing.T) {
			s, here := newShell(t), t.TempDir()
			want := files{"data/big": string(random(lasting)), "data/small": "s"}
			for range 10 {
				s.cut = append(s.cut, cut{script, 3 << 20})
			}
			write(t, here, want)
			from, to, there := filepath.Join(here, "data"), "lab:", s.dir
			if script != "dd of=" {
				write(t, s.dir, want)
				there = t.TempDir()
				from, to = "lab:data", there
			}
			s.cut[1].after, s.cut[2].after = 0, 0
			_, err := s.copies(t, from, to, Options{Patience: time.Nanosecond})
			if err == nil || !strings.Contains(err.Error(), "the connection was lost and did not come back within") || !strings.Contains(err.Error(), "is kept in") {
				t.Fatalf("error = %v, want one that says what is kept", err)
			}
			if _, done := read(t, there)["data/big"]; done {
				t.Error("the target is there, and is not complete")
			}
			s.cut, s.passed = nil, 0
			r := s.must(t, from, to, Options{})
			compare(t, there, want)
			if r.Resumed < 2<<20 || s.passed > lasting-2<<20 {
				t.Errorf("%d bytes resumed, %d passed, of %d", r.Resumed, s.passed, lasting)
			}
		})
	}
}

func TestACopyThatIsInterruptedSaysWhatIsKept(t *testing.T) {
	s, here := newShell(t), t.TempDir()
	write(t, here, files{"big": string(random(lasting))})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c, err := Open(ctx, "lab", s.run)
	if err != nil {
		t.Fatal(err)
	}
	from, to, err := Resolve(ctx, Machine{}, filepath.Join(here, "big"), c, "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Copy(ctx, from, to, Options{Notice: func(p Progress) {
		if p.Done > lasting/2 {
			cancel()
		}
	}})
	want := "interrupted: what has arrived is kept in lab:" + filepath.Join(s.dir, mark+"part-big")
	if err == nil || !strings.HasPrefix(err.Error(), want) || errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want %q", err, want)
	}
	if _, there := read(t, s.dir)["big"]; there {
		t.Error("the target is there, and is not complete")
	}
}

func TestWhatAnotherCopyHasLeftIsNotTakenForThisOne(t *testing.T) {
	s, here := newShell(t), t.TempDir()
	write(t, here, files{"data/big": string(random(lasting)), "data/a": "a"})
	write(t, s.dir, files{
		mark + "part-data/big":         string(random(lasting - 5)),
		mark + "part-data/a":           "b",
		mark + "part-data/old/gone":    "no longer in the source",
		mark + "part-data/empty/er/":   "",
		"other":                        "stays",
		mark + "part-other/of another": "stays too",
	})
	r := s.must(t, filepath.Join(here, "data"), "lab:", Options{})
	if r.Resumed != 0 {
		t.Errorf("%d bytes were taken over", r.Resumed)
	}
	compare(t, s.dir, files{"data/big": string(random(lasting)), "data/a": "a", "other": "stays", mark + "part-other/of another": "stays too"})
}

func TestAnAnswerThatIsCutOffIsNoAnswer(t *testing.T) {
	s, here := newShell(t), t.TempDir()
	s.quiet = true
	s.cut = []cut{{"find ", 40}, {"sha256sum", 30}}
	want := files{"data/a": "1", "data/b": "2", "data/c": "3"}
	write(t, s.dir, want)
	r := s.must(t, "lab:data", here, Options{})
	compare(t, here, want)
	if r.Breaks != 2 {
		t.Errorf("%d breaks, want 2", r.Breaks)
	}
}

func TestNothingIsReplacedUnasked(t *testing.T) {
	s, here := newShell(t), t.TempDir()
	write(t, here, files{"data/a": "new", "data/b": "same", "data/c/d": "added"})
	was := files{"data/a": "old", "data/b": "same", "data/other": "mine"}
	write(t, s.dir, was)
	_, err := s.copies(t, filepath.Join(here, "data"), "lab:", Options{})
	if err == nil || !strings.Contains(err.Error(), "1 file exists in the target with other contents: data/a; use --force to replace it, nothing was copied") {
		t.Errorf("error = %v", err)
	}
	compare(t, s.dir, was)
	r := s.must(t, filepath.Join(here, "data"), "lab:", Options{Force: true})
	compare(t, s.dir, files{"data/a": "new", "data/b": "same", "data/c/d": "added", "data/other": "mine"})
	if r.Files != 2 || r.Same != 1 {
		t.Errorf("result %+v, want 2 files copied and 1 that is the same", r)
	}
	t.Run("not by what is of another kind either, with or without force", func(t *testing.T) {
		for _, force := range []bool{false, true} {
			write(t, here, files{"x/a": "a file"})
			write(t, s.dir, files{"x/a/b": "in a folder"})
			if _, err := s.copies(t, filepath.Join(here, "x"), "lab:", Options{Force: force}); err == nil || !strings.Contains(err.Error(), "x/a is a folder") {
				t.Errorf("force %t: error = %v", force, err)
			}
			if _, err := s.copies(t, filepath.Join(here, "x"), "lab:data/a", Options{Force: force}); err == nil || !strings.Contains(err.Error(), "data/a is a file") {
				t.Errorf("force %t: error = %v", force, err)
			}
		}
	})
}

func TestSymbolicLinksAreNeitherCopiedNorWrittenThrough(t *testing.T) {
	s, here, outside := newShell(t), t.TempDir(), t.TempDir()
	write(t, outside, files{"secret": "of somebody else"})
	write(t, s.dir, files{"data/a": "a", "data/sub/b": "b"})
	for _, link := range []string{filepath.Join(s.dir, "data", "link"), filepath.Join(here, "data", "sub")} {
		if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(outside, link); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.copies(t, "lab:data", here, Options{Force: true}); err == nil || !strings.Contains(err.Error(), "sub is a symbolic link") {
		t.Errorf("error = %v, want one that names the link in the way", err)
	}
	clean := t.TempDir()
	r := s.must(t, "lab:data", clean, Options{})
	compare(t, clean, files{"data/a": "a", "data/sub/b": "b"})
	if d := cmp.Diff([]string{"link"}, r.Left); d != "" {
		t.Errorf("what was left out: %s", d)
	}
	compare(t, outside, files{"secret": "of somebody else"})
}

func TestAContainerCannotWriteWhereItWasNotAsked(t *testing.T) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, name := range []string{"../../escape", "a"} {
		if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Size: 1, Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write([]byte("x"))
	}
	_ = w.Close()
	for name, answers := range map[string]struct{ tree, archive, want string }{
		"with a name that leads out of the folder":           {"d\x00f 1 644 0 ./../../escape\x00", "", `"../../escape" cannot be copied`},
		"with an absolute name":                              {"d\x00f 1 644 0 /etc/passwd\x00", "", `"/etc/passwd" cannot be copied`},
		"with a file in the archive that nobody asked for":   {"d\x00f 1 644 0 ./a\x00", archive.String(), `sent "../../escape", which was not asked for`},
		"with a number of bytes that there cannot be":        {"d\x00f -1 644 0 ./a\x00", "", "makes no sense"},
		"with a file in the place of the folder of the tree": {"f\x00", "", "makes no sense"},
	} {
		t.Run(name, func(t *testing.T) {
			top := t.TempDir()
			here := filepath.Join(top, "one", "two")
			write(t, here, files{"mine": "1"})
			s := newShell(t)
			c, err := Open(t.Context(), "lab", func(ctx context.Context, cmd container.Command) error {
				switch {
				case strings.Contains(cmd.Args[2], "tar -cf"):
					_, err := io.WriteString(cmd.Stdout, answers.archive)
					return err
				case strings.Contains(cmd.Args[2], "-printf"):
					_, err := io.WriteString(cmd.Stdout, answers.tree+"ok\n")
					return err
				}
				return s.run(ctx, cmd)
			})
			if err != nil {
				t.Fatal(err)
			}
			place, err := Machine{}.At(here)
			if err != nil {
				t.Fatal(err)
			}
			remote, _ := c.At("/")
			_, err = Copy(t.Context(), &End{remote, "data"}, &End{place, "data"}, Options{})
			if err == nil || !strings.Contains(err.Error(), answers.want) {
				t.Errorf("error = %v, want one with %q", err, answers.want)
			}
			got := read(t, top)
			for name := range got {
				if !strings.HasPrefix(name, "one/two/"+mark) && name != "one/two/mine" {
					t.Errorf("%s was written", name)
				}
			}
		})
	}
}

func TestWhatCannotBeCopiedIsSaid(t *testing.T) {
	s, here := newShell(t), t.TempDir()
	write(t, here, files{"a": "a", "folder/b": "b"})
	write(t, s.dir, files{"file": "f"})
	at := func(name string) string { return filepath.Join(here, name) }
	for name, c := range map[string]struct{ from, to, want string }{
		"a source that is not there":        {"lab:nothing", here, "lab:nothing does not exist"},
		"one of this machine":               {at("nothing"), "lab:", "nothing does not exist"},
		"a target in a folder that is not":  {at("a"), "lab:no/such/place", "the folder no/such does not exist"},
		"one of this machine's":             {"lab:file", at("no/such/place"), "the folder " + at("no/such") + " does not exist"},
		"a target folder that is not there": {at("a"), "lab:no/", "lab:no/: the folder does not exist"},
		"a folder onto a file":              {at("folder"), "lab:file", "file is a file"},
		"a whole file system":               {"lab:/", here, "lab:/ is the root of a file system"},
		"a device":                          {"lab:/dev/null", here, "neither a file nor a folder"},
		"a home that a container has not":   {"lab:~/x", here, "~ is not known in a container"},
		"the name of an incomplete copy":    {at("a"), "lab:" + mark + "x", "are those of incomplete copies"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := s.copies(t, c.from, c.to, Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want one with %q", err, c.want)
			}
		})
	}
	compare(t, s.dir, files{"file": "f"})
}

func TestAnImageThatLacksProgramsIsTold(t *testing.T) {
	if _, err := Open(t.Context(), "lab", newShell(t, "sh", "find", "head", "tail", "mv").run); err == nil || !strings.Contains(err.Error(), "the notebook's image does not have: basename, chmod, dd, dirname") {
		t.Errorf("error = %v", err)
	}
}

func TestWhatGoesWrongInTheContainerIsTheError(t *testing.T) {
	if os.Geteuid() == 0 {
		// For root no folder is closed; a name that is too long is for everybody.
		s, here := newShell(t), t.TempDir()
		write(t, here, files{"a": "a"})
		_, err := s.copies(t, filepath.Join(here, "a"), "lab:"+strings.Repeat("x", 250), Options{Patience: time.Nanosecond})
		if err == nil || !strings.Contains(err.Error(), "File name too long") {
			t.Errorf("error = %v", err)
		}
		return
	}
	s, here := newShell(t), t.TempDir()
	write(t, here, files{"a": "a"})
	if err := os.Chmod(s.dir, 0o555); err != nil {
		t.Fatal(err)
	}
	if _, err := s.copies(t, filepath.Join(here, "a"), "lab:b", Options{}); err == nil || !strings.Contains(err.Error(), "Permission denied") {
		t.Errorf("error = %v", err)
	}
}

func FuzzATreeStaysInItself(f *testing.F) {
	for _, s := range []string{"n\x00", "d\x00f 1 644 1700000000.5 ./a\x00d 4096 755 0 ./b\x00l 1 777 0 ./c\x00", "f\x00f 3 -rwxr-sr-t 0 .\x00", "d\x00f 1 644 0 ./../x\x00", "d\x00f 9999999999999999999 0 0 ./a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, out string) {
		tree, err := parseTree(out)
		if err != nil {
			return
		}
		for _, e := range tree.Entries {
			if tree.Kind == File && e.Name == "" {
				continue
			}
			if joined := filepath.Join("/base", e.Name); !strings.HasPrefix(joined, "/base/") {
				t.Errorf("%q leads to %s", e.Name, joined)
			}
			if e.Size < 0 || e.Mode&^fs.ModePerm != 0 {
				t.Errorf("%+v", e)
			}
		}
	})
}

func FuzzANameSurvivesTheShell(f *testing.F) {
	for _, s := range []string{"a", "a b", "new\nline", "\\n", "-e", "%s", "\x01\x7f", "grüße", "ends\n\n", "'\"$(id)`"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if strings.Contains(name, "\x00") {
			return
		}
		s := &shell{dir: "/", path: os.Getenv("PATH"), ran: map[string]int{}}
		var out bytes.Buffer
		err := s.run(t.Context(), container.Command{Args: []string{"sh", "-c", start + `read -r e; name "$e"; printf '%s' "$f"`, "sh", "/"}, Stdin: lines([]string{name}), Stdout: &out, Stderr: io.Discard})
		if err != nil || out.String() != "./"+name {
			t.Errorf("%q arrives as %q (%v)", name, out.String(), err)
		}
	})
}
