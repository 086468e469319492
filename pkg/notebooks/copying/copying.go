// Package copying copies files and folders between this machine and the container of a
// notebook. What is copied goes to a temporary name beside its target, is compared with its
// source and only then renamed; a copy that was broken off goes on where it was. In the
// container it needs nothing but the usual programs of a shell.
package copying

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"
)

// Kind is what a name leads to.
type Kind int

// The kinds. Other is what is not copied: symbolic links, devices, sockets, pipes.
const (
	None Kind = iota
	File
	Folder
	Other
)

// Entry is a file or a folder of a tree.
type Entry struct {
	// Name below the root of the tree, with slashes; empty for the root itself.
	Name string
	Kind Kind
	Size int64
	// Mode has the permissions, Time is zero where it is not known.
	Mode fs.FileMode
	Time time.Time
}

// Tree is what a name leads to, with all that is below it.
type Tree struct {
	// Kind of the root. A file is the only entry of its tree.
	Kind    Kind
	Entries []Entry
	// Left are the names of what is not copied.
	Left []string
}

// maxEntries bounds a tree: it is in memory, and its names come from a container.
const maxEntries = 500_000

// Piece is a file, or as many of its first bytes.
type Piece struct {
	Name string
	// First is how many bytes; negative for all.
	First int64
}

// block is what a transfer may go on at a multiple of.
const block = 64 << 10

// Place is a folder of this machine or of a container. Names are relative to it, with
// slashes.
type Place interface {
	// Describe names what is below the place, for messages.
	Describe(name string) string
	// Tree looks at a name. One that leads to nothing is no error.
	Tree(ctx context.Context, name string) (*Tree, error)
	// Size is how many bytes a file has, none where there is no file.
	Size(ctx context.Context, name string) (int64, error)
	// Sums are the SHA-256 sums of files, errNoSums where the place cannot make any.
	Sums(ctx context.Context, pieces []Piece) ([]string, error)
	// Send writes so many bytes of a file, beginning at an offset.
	Send(ctx context.Context, name string, offset, length int64, w io.Writer) error
	// Receive writes what it reads into a file, beginning at an offset that is a multiple
	// of block, and returns how many bytes the file has afterwards.
	Receive(ctx context.Context, name string, offset int64, r io.Reader) (int64, error)
	// SendAll writes files of a folder as an archive, ReceiveAll reads one.
	SendAll(ctx context.Context, folder string, files []Entry, w io.Writer) error
	ReceiveAll(ctx context.Context, folder string, files []Entry, r io.Reader) error
	// Archives tells whether the two can be had.
	Archives() bool
	// Folders makes folders where they are not there, with those above them.
	Folders(ctx context.Context, names []string) error
	// Finish gives a file the permissions and the time of its source.
	Finish(ctx context.Context, name string, e Entry) error
	// Rename gives what is there its final name.
	Rename(ctx context.Context, from, to string) error
	// Merge renames files below one folder to the same names below another, which has the
	// folders for them.
	Merge(ctx context.Context, from, to string, names []string) error
	// Remove deletes what this package has made.
	Remove(ctx context.Context, name string) error
}

// Found is what a path leads to: the folder that it is in, and its name there.
type Found struct {
	Kind Kind
	// Dir is absolute. NoDir tells that there is no such folder.
	Dir, Name string
	NoDir     bool
}

// System is this machine or a container, with the paths that people type.
type System interface {
	// Find looks at a path. Symbolic links are followed.
	Find(ctx context.Context, path string) (*Found, error)
	// At is a place of it.
	At(folder string) (Place, error)
	// Join is the path of something in a folder.
	Join(folder, name string) string
	// Describe names a path, for messages.
	Describe(path string) string
}

// errNoSums: the image lacks the program.
var errNoSums = errors.New("no sums")

// brokenError is that of a connection, after which one may go on.
type brokenError struct{ error }

func (e brokenError) Unwrap() error { return e.error }

func broken(err error) error { return brokenError{err} }

func isBroken(err error) bool { return errors.As(err, &brokenError{}) }

// mark is how the names begin under which this package keeps what is not complete. Nobody's
// tree has them.
const mark = ".kubectl-jupyter-"

// End is one end of a copy: something in a place.
type End struct {
	Place
	Name string
}

// Resolve finds out what is to be copied from where to where: into the second path where
// that is a folder, else to that name.
func Resolve(ctx context.Context, from System, source string, to System, target string) (*End, *End, error) {
	s, err := from.Find(ctx, source)
	if err != nil {
		return nil, nil, err
	}
	what := from.Describe(source)
	switch {
	case s.Kind == None:
		return nil, nil, fmt.Errorf("%s does not exist", what)
	case s.Kind == Other:
		return nil, nil, fmt.Errorf("%s is neither a file nor a folder", what)
	case s.Name == "":
		return nil, nil, fmt.Errorf("%s is the root of a file system: copy the folders in it", what)
	}
	t, err := to.Find(ctx, target)
	if err != nil {
		return nil, nil, err
	}
	where := to.Describe(target)
	folder, name := t.Dir, t.Name
	switch {
	case t.NoDir:
		return nil, nil, fmt.Errorf("%s: the folder %s does not exist", where, t.Dir)
	case t.Kind == Other:
		return nil, nil, fmt.Errorf("%s is neither a file nor a folder", where)
	case t.Kind == Folder:
		folder, name = to.Join(t.Dir, t.Name), s.Name
	case t.Kind == None && strings.HasSuffix(target, "/"):
		return nil, nil, fmt.Errorf("%s: the folder does not exist", where)
	}
	if strings.HasPrefix(name, mark) {
		return nil, nil, fmt.Errorf("%s: names that begin with %s are those of incomplete copies", where, mark)
	}
	sender, err := from.At(s.Dir)
	if err != nil {
		return nil, nil, err
	}
	receiver, err := to.At(folder)
	if err != nil {
		return nil, nil, err
	}
	return &End{sender, s.Name}, &End{receiver, name}, nil
}
