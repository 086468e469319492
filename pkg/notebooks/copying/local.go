package copying

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
	"path"
	"path/filepath"
	"strings"
)

// Machine is the system of this machine.
type Machine struct{}

// Find implements System.
func (Machine) Find(_ context.Context, name string) (*Found, error) {
	absolute, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	if real, err := filepath.EvalSymlinks(absolute); err == nil {
		absolute = real
	}
	f := &Found{Dir: filepath.Dir(absolute), Name: filepath.Base(absolute)}
	if f.Dir == absolute {
		f.Name = ""
	}
	info, err := os.Stat(absolute)
	switch {
	case err == nil && info.IsDir():
		f.Kind = Folder
	case err == nil && info.Mode().IsRegular():
		f.Kind = File
	case err == nil:
		f.Kind = Other
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	default:
		if _, err := os.Lstat(absolute); err == nil {
			f.Kind = Other // a symbolic link to nothing
		}
		if info, err := os.Stat(f.Dir); err != nil || !info.IsDir() {
			f.NoDir = true
		}
	}
	return f, nil
}

// At implements System.
func (Machine) At(folder string) (Place, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	return &local{root}, nil
}

// Join implements System.
func (Machine) Join(folder, name string) string { return filepath.Join(folder, name) }

// Describe implements System.
func (Machine) Describe(name string) string { return name }

// local is a folder of this machine. Nothing is written outside of it: a name that leads
// out, or a symbolic link that does, is an error of the root.
type local struct{ root *os.Root }

// Describe implements Place.
func (l *local) Describe(name string) string {
	return filepath.Join(l.root.Name(), filepath.FromSlash(name))
}

// Tree implements Place.
func (l *local) Tree(ctx context.Context, name string) (*Tree, error) {
	info, err := l.root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &Tree{Kind: None}, nil
	case err != nil:
		return nil, err
	case info.Mode().IsRegular():
		return &Tree{Kind: File, Entries: []Entry{entry("", info)}}, nil
	case !info.IsDir():
		return &Tree{Kind: Other}, nil
	}
	t := &Tree{Kind: Folder}
	err = fs.WalkDir(l.root.FS(), name, func(at string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case at == name:
			return nil
		}
		below := strings.TrimPrefix(at, name+"/")
		if d.Name() == "lost+found" || strings.HasPrefix(d.Name(), mark) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if !d.IsDir() && !d.Type().IsRegular() {
			t.Left = append(t.Left, below)
			return nil
		}
		if len(t.Entries) >= maxEntries {
			return fmt.Errorf("%s: more than %d files: pack them into an archive, and copy that", l.Describe(name), maxEntries)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		t.Entries = append(t.Entries, entry(below, info))
		return nil
	})
	return t, err
}

func entry(name string, info fs.FileInfo) Entry {
	e := Entry{Name: name, Kind: File, Size: info.Size(), Mode: info.Mode().Perm(), Time: info.ModTime()}
	if info.IsDir() {
		e.Kind, e.Size = Folder, 0
	}
	return e
}

// Size implements Place.
func (l *local) Size(_ context.Context, name string) (int64, error) {
	info, err := l.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Sums implements Place.
func (l *local) Sums(ctx context.Context, pieces []Piece) ([]string, error) {
	sums := make([]string, 0, len(pieces))
	for _, p := range pieces {
		sum, err := l.sum(ctx, p)
		if err != nil {
			return nil, err
		}
		sums = append(sums, sum)
	}
	return sums, nil
}

func (l *local) sum(ctx context.Context, p Piece) (string, error) {
	f, err := l.root.Open(p.Name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	var from io.Reader = f
	if p.First >= 0 {
		from = io.LimitReader(f, p.First)
	}
	h := sha256.New()
	if _, err := io.Copy(h, reader{ctx, from}); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// reader ends with its context.
type reader struct {
	ctx  context.Context
	from io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.from.Read(p)
}

// Send implements Place.
func (l *local) Send(ctx context.Context, name string, offset, length int64, w io.Writer) error {
	f, err := l.root.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	n, err := io.Copy(w, reader{ctx, io.NewSectionReader(f, offset, length)})
	if err == nil && n < length {
		return fmt.Errorf("%s has become shorter while it was copied", l.Describe(name))
	}
	return err
}

// Receive implements Place.
func (l *local) Receive(ctx context.Context, name string, offset int64, in io.Reader) (int64, error) {
	if err := l.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return 0, err
	}
	f, err := l.root.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return 0, err
	}
	err = f.Truncate(offset)
	if err == nil {
		_, err = f.Seek(offset, io.SeekStart)
	}
	n := int64(0)
	if err == nil {
		n, err = io.Copy(f, reader{ctx, in})
	}
	return offset + n, errors.Join(err, f.Close())
}

// Archives implements Place.
func (l *local) Archives() bool { return true }

// SendAll implements Place.
func (l *local) SendAll(ctx context.Context, folder string, files []Entry, w io.Writer) error {
	archive := tar.NewWriter(w)
	for _, e := range files {
		// The oldest programs know this format.
		h := &tar.Header{Typeflag: tar.TypeReg, Name: e.Name, Size: e.Size, Mode: int64(e.Mode.Perm()), ModTime: e.Time, Format: tar.FormatGNU}
		if err := archive.WriteHeader(h); err != nil {
			return fmt.Errorf("%s: %w", l.Describe(path.Join(folder, e.Name)), err)
		}
		if err := l.Send(ctx, path.Join(folder, e.Name), 0, e.Size, archive); err != nil {
			return err
		}
	}
	return archive.Close()
}

// ReceiveAll implements Place. It takes what was asked for, and nothing else: the archive is
// made in the container.
func (l *local) ReceiveAll(ctx context.Context, folder string, files []Entry, in io.Reader) error {
	wanted := make(map[string]Entry, len(files))
	for _, e := range files {
		wanted[e.Name] = e
	}
	archive := tar.NewReader(reader{ctx, in})
	for {
		h, err := archive.Next()
		switch {
		case errors.Is(err, io.EOF) && len(wanted) > 0:
			return broken(errors.New("the archive was cut off"))
		case errors.Is(err, io.EOF):
			_, err = io.Copy(io.Discard, in) // the padding, which its writer wants to be rid of
			return err
		case errors.Is(err, io.ErrUnexpectedEOF):
			return broken(fmt.Errorf("the archive was cut off: %w", err))
		case err != nil:
			return err
		}
		name := path.Clean(h.Name)
		e, asked := wanted[name]
		if !asked || h.Typeflag != tar.TypeReg {
			return fmt.Errorf("the container sent %q, which was not asked for", h.Name)
		}
		if h.Size != e.Size {
			return fmt.Errorf("%s has changed while it was copied", name)
		}
		delete(wanted, name)
		if _, err := l.Receive(ctx, path.Join(folder, name), 0, archive); err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				return broken(err)
			}
			return err
		}
		if err := l.Finish(ctx, path.Join(folder, name), e); err != nil {
			return err
		}
	}
}

// Folders implements Place.
func (l *local) Folders(_ context.Context, names []string) error {
	for _, n := range names {
		if err := l.root.MkdirAll(n, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// Finish implements Place.
func (l *local) Finish(_ context.Context, name string, e Entry) error {
	if err := l.root.Chmod(name, e.Mode.Perm()); err != nil {
		return err
	}
	if e.Time.IsZero() {
		return nil
	}
	return l.root.Chtimes(name, e.Time, e.Time)
}

// Rename implements Place.
func (l *local) Rename(_ context.Context, from, to string) error { return l.root.Rename(from, to) }

// Merge implements Place.
func (l *local) Merge(ctx context.Context, from, to string, names []string) error {
	for _, n := range names {
		if err := l.Rename(ctx, path.Join(from, n), path.Join(to, n)); err != nil {
			return err
		}
	}
	return nil
}

// Remove implements Place.
func (l *local) Remove(_ context.Context, name string) error { return l.root.RemoveAll(name) }
