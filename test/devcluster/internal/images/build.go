package images

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"k8s.io/apimachinery/pkg/util/wait"
)

// Archive is an image as it lies in a Store.
type Archive struct {
	Image
	// File is the archive, Digest that of the image's manifest; both are
	// empty where the image could not be made.
	File   string `json:"file,omitempty"`
	Digest string `json:"digest,omitempty"`
	// Missing says why there is none.
	Missing string `json:"missing,omitempty"`
}

// Store is a directory of archives. Several beds share one.
type Store struct {
	Dir string
	// Release is the release of the stack whose images are meant, or several with commas
	// between them; DefaultRelease when empty.
	Release string
	// Source is the directory of devcluster's module.
	Source string
	// Say tells of progress; it may be nil.
	Say func(format string, args ...any)
}

// DefaultDir returns $DEVCLUSTER_IMAGES, otherwise a directory in the user's cache.
func DefaultDir() string {
	if d := os.Getenv("DEVCLUSTER_IMAGES"); d != "" {
		return d
	}
	if d, err := os.UserCacheDir(); err == nil {
		return filepath.Join(d, "devcluster", "images")
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("devcluster-images-%d", os.Getuid()))
}

const moduleName = "github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster"

// FindSource returns the directory of devcluster's module: at, or in
// test/devcluster of, one of starts or of a directory above them.
func FindSource(starts ...string) (string, error) {
	for _, s := range starts {
		s, err := filepath.Abs(s)
		if err != nil {
			continue
		}
		for d := s; ; d = filepath.Dir(d) {
			for _, c := range []string{d, filepath.Join(d, "test", "devcluster")} {
				if b, err := os.ReadFile(filepath.Join(c, "go.mod")); err == nil && moduleOf(b) == moduleName {
					return c, nil
				}
			}
			if d == filepath.Dir(d) {
				break
			}
		}
	}
	return "", fmt.Errorf("the source of the images (module %s) is not found from %s: run in a clone of the repository, or give --source", moduleName, strings.Join(starts, ", "))
}

func moduleOf(gomod []byte) string {
	for line := range strings.Lines(string(gomod)) {
		if name, ok := strings.CutPrefix(line, "module "); ok {
			return strings.TrimSpace(name)
		}
	}
	return ""
}

// record is what the store remembers of a program or an image.
type record struct {
	// Inputs is a digest of all that it was made from.
	Inputs string `json:"inputs"`
	Digest string `json:"digest,omitempty"`
	// Otherwise tells that it is the image to make where the first choice cannot be made.
	Otherwise string `json:"otherwise,omitempty"`
}

// List returns every image of the release with what the store has of it.
func (s Store) List() ([]Archive, error) {
	catalogue, err := Catalogue(s.Release)
	if err != nil {
		return nil, err
	}
	var all []Archive
	for _, i := range catalogue {
		a := Archive{Image: i}
		r, err := readRecord(s.imageRecord(i))
		if err == nil && r.Otherwise != "" && i.otherwise != nil {
			a.Image = instead(i, r.Otherwise)
		}
		if err == nil {
			if _, err = os.Stat(s.imageFile(i)); err == nil {
				a.File, a.Digest = s.imageFile(i), r.Digest
			}
		}
		if err != nil {
			a.Missing = "not built yet"
		}
		all = append(all, a)
	}
	return all, nil
}

// Build makes what is not there or whose inputs have changed, and returns all
// images. One that cannot be made is returned with the reason; that is no
// error of Build, which fails when nothing can be made at all or ctx ends.
func (s Store) Build(ctx context.Context) ([]Archive, error) {
	catalogue, err := Catalogue(s.Release)
	if err != nil {
		return nil, err
	}
	unlock, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	built := map[string]string{} // program -> digest
	failed := map[string]error{}
	for _, p := range programsOf(catalogue) {
		d, err := s.program(ctx, p)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("building %s: %w", p.name, context.Cause(ctx))
		}
		if err != nil {
			s.Say("%s cannot be built: %v", p.name, err)
			failed[p.name] = err
			continue
		}
		built[p.name] = d
	}
	var all []Archive
	for _, i := range catalogue {
		a, err := s.image(i, "", built, failed)
		if err != nil && i.otherwise != nil {
			s.Say("%s: a stand-in, because %v", i.Name, err)
			why := err.Error()
			a, err = s.image(instead(i, why), why, built, failed)
		}
		if err != nil {
			a = Archive{Image: i, Missing: err.Error()}
		}
		all = append(all, a)
	}
	return all, nil
}

// begin prepares the store for a build and takes it.
func (s *Store) begin(ctx context.Context) (unlock func(), err error) {
	if s.Say == nil {
		s.Say = func(string, ...any) {}
	}
	if err := os.MkdirAll(filepath.Join(s.Dir, "bin"), 0o755); err != nil {
		return nil, fmt.Errorf("directory of the images: %w", err)
	}
	if _, err := exec.LookPath("go"); err != nil {
		return nil, errors.New("the images are built with Go, and there is no go on PATH: install Go 1.26 or later")
	}
	return s.lock(ctx)
}

// Enforcer returns the program that enforces network policies. With build set
// it is built when it is not there or its inputs have changed.
func (s Store) Enforcer(ctx context.Context, build bool) (string, error) {
	file := s.binary(enforcer.name)
	if !build {
		_, err := os.Stat(file)
		return file, err
	}
	unlock, err := s.begin(ctx)
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := s.program(ctx, enforcer); err != nil {
		return "", err
	}
	return file, nil
}

// lock takes the store for one builder, and waits while another has it.
func (s Store) lock(ctx context.Context) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(s.Dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	said := false
	// A lock that can be waited for cannot be given up when ctx ends: it is tried again and again.
	err = wait.PollUntilContextCancel(ctx, 200*time.Millisecond, true, func(context.Context) (bool, error) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) {
			if !said {
				s.Say("another devcluster builds the images in %s; waiting for it", s.Dir)
			}
			said = true
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", f.Name(), err), f.Close())
	}
	return func() { _ = f.Close() }, nil
}

// instead is the second choice of an image, which says why it is that.
func instead(i Image, why string) Image {
	other := *i.otherwise
	other.Note += "; " + why
	return other
}

func (s Store) imageFile(i Image) string {
	return filepath.Join(s.Dir, strings.NewReplacer("/", "_", ":", "_").Replace(i.Name)+".tar")
}

func (s Store) imageRecord(i Image) string {
	return strings.TrimSuffix(s.imageFile(i), ".tar") + ".json"
}

// image writes the archive of an image unless the same is there.
// otherwise says why it is a second choice, if it is one.
func (s Store) image(i Image, otherwise string, built map[string]string, failed map[string]error) (Archive, error) {
	h := sha256.New()
	// What a second choice is made of does not make the first one another.
	described := i
	described.otherwise = nil
	fmt.Fprintf(h, "v3 %+v\n", described)
	for _, name := range i.programs() {
		if err := failed[name]; err != nil {
			return Archive{}, err
		}
		fmt.Fprintln(h, name, built[name])
	}
	inputs := hex.EncodeToString(h.Sum(nil))
	a := Archive{Image: i, File: s.imageFile(i)}
	if r, err := readRecord(s.imageRecord(i)); err == nil && r.Inputs == inputs {
		if _, err := os.Stat(a.File); err == nil {
			a.Digest = r.Digest
			return a, nil
		}
	}
	tmp := a.File + ".tmp"
	out, err := os.Create(tmp)
	if err != nil {
		return Archive{}, err
	}
	defer func() { _ = out.Close() }()
	d, err := write(out, i, func(program string) (*os.File, error) { return os.Open(s.binary(program)) })
	if err != nil {
		return Archive{}, err
	}
	if err := errors.Join(out.Close(), os.Rename(tmp, a.File)); err != nil {
		return Archive{}, err
	}
	a.Digest = d.String()
	return a, writeRecord(s.imageRecord(i), record{Inputs: inputs, Digest: a.Digest, Otherwise: otherwise})
}

func readRecord(file string) (record, error) {
	var r record
	b, err := os.ReadFile(file)
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(b, &r)
}

func writeRecord(file string, r record) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return os.WriteFile(file, b, 0o644)
}
