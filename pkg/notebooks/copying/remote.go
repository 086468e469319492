package copying

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/container"
)

// Runner runs a program in a container.
type Runner func(context.Context, container.Command) error

// Container is the system of a container.
type Container struct {
	// Name is how a person calls it.
	Name string
	Run  Runner

	lacks []string
}

// Open looks which programs the container has.
func Open(ctx context.Context, name string, run Runner) (*Container, error) {
	c := &Container{Name: name, Run: run}
	out, err := c.ask(ctx, missingScript, lookedFor, nil)
	if container.IsNoProgram(err) {
		return nil, fmt.Errorf("cp needs a shell in the notebook's image: %w", err)
	}
	if err != nil {
		return nil, err
	}
	c.lacks = strings.Fields(string(out))
	var missing []string
	for _, n := range needed {
		if slices.Contains(c.lacks, n) {
			missing = append(missing, n)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("cp needs programs that the notebook's image does not have: %s", strings.Join(missing, ", "))
	}
	return c, nil
}

// Lacks tells whether the container does not have a program that is done without.
func (c *Container) Lacks(tool string) bool { return slices.Contains(c.lacks, tool) }

// maxAnswer bounds what is read of an answer.
const maxAnswer = 256 << 20

// complain bounds what is kept of what programs say on their error stream.
const complaint = 4 << 10

// run runs a script. Its error says whether the connection broke or the script failed.
func (c *Container) run(ctx context.Context, script string, args []string, in io.Reader, out io.Writer) error {
	said := &bounded{most: complaint}
	err := c.Run(ctx, container.Command{Args: append([]string{"sh", "-c", script, "sh"}, args...), Stdin: in, Stdout: out, Stderr: said})
	var exited container.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &exited):
		// 128 and the number of a signal: the container is being stopped.
		if exited.Code == 137 || exited.Code == 143 {
			return broken(fmt.Errorf("%s: the program was ended with code %d", c.Name, exited.Code))
		}
		return fmt.Errorf("%s: %s", c.Name, reason(said.String(), exited))
	case container.IsNoProgram(err), apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		return err
	}
	return broken(err)
}

// reason is the line of an error stream that says what went wrong.
func reason(said string, exited container.ExitError) string {
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.Contains(line, "records in") && !strings.Contains(line, "records out") {
			return strings.TrimPrefix(line, "sh: ")
		}
	}
	return exited.Error()
}

// ask runs a script and returns its answer.
func (c *Container) ask(ctx context.Context, script string, args []string, in io.Reader) ([]byte, error) {
	out := &bounded{most: maxAnswer}
	if err := c.run(ctx, script, args, in, out); err != nil {
		return nil, err
	}
	if out.more {
		return nil, fmt.Errorf("%s: the answer has more than %d MiB", c.Name, maxAnswer>>20)
	}
	answer, whole := bytes.CutSuffix(out.Bytes(), []byte("ok\n"))
	if !whole {
		return nil, broken(fmt.Errorf("%s: the answer was cut off", c.Name))
	}
	return answer, nil
}

// bounded keeps the beginning of what is written to it.
type bounded struct {
	bytes.Buffer
	most int
	more bool
}

func (b *bounded) Write(p []byte) (int, error) {
	n := len(p)
	if room := b.most - b.Len(); n > room {
		p, b.more = p[:room], true
	}
	_, err := b.Buffer.Write(p)
	return n, err
}

// Find implements System.
func (c *Container) Find(ctx context.Context, name string) (*Found, error) {
	asked := name
	if asked == "" {
		asked = "." // where the image's programs start
	}
	if asked == "~" || strings.HasPrefix(asked, "~/") {
		return nil, fmt.Errorf("%s: ~ is not known in a container: write an absolute path, or one that begins in the image's working directory", c.Describe(name))
	}
	if strings.HasPrefix(asked, "-") {
		asked = "./" + asked
	}
	out, err := c.ask(ctx, findScript, []string{asked}, nil)
	if err != nil {
		return nil, err
	}
	parts := strings.Split(string(out), "\x00")
	switch {
	case parts[0] == "d" && len(parts) == 3:
		dir, base := path.Split(path.Clean(parts[1]))
		return &Found{Kind: Folder, Dir: path.Clean(dir), Name: base}, nil
	case parts[0] == "p" && len(parts) == 3:
		return &Found{Kind: None, Dir: parts[1], NoDir: true}, nil
	case len(parts) == 4:
		return &Found{Kind: kindOf(parts[0]), Dir: parts[1], Name: parts[2]}, nil
	}
	return nil, fmt.Errorf("%s: an answer that makes no sense: %q", c.Name, out)
}

// At implements System.
func (c *Container) At(folder string) (Place, error) { return &remote{c, folder}, nil }

// Join implements System.
func (c *Container) Join(folder, name string) string { return path.Join(folder, name) }

// Describe implements System.
func (c *Container) Describe(name string) string { return c.Name + ":" + name }

func kindOf(letter string) Kind {
	switch letter {
	case "n":
		return None
	case "f":
		return File
	case "d":
		return Folder
	}
	return Other
}

// remote is a folder of a container.
type remote struct {
	*Container
	base string
}

// Describe implements Place.
func (r *remote) Describe(name string) string { return r.Container.Describe(path.Join(r.base, name)) }

// Tree implements Place.
func (r *remote) Tree(ctx context.Context, name string) (*Tree, error) {
	out, err := r.ask(ctx, treeScript, []string{r.base, name}, nil)
	if err != nil {
		return nil, err
	}
	t, err := parseTree(string(out))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Describe(name), err)
	}
	return t, nil
}

// parseTree reads what treeScript prints. The names are a container's own: one that would
// lead out of the tree is an error.
func parseTree(out string) (*Tree, error) {
	records := strings.Split(strings.TrimSuffix(out, "\x00"), "\x00")
	if len(records) > maxEntries {
		return nil, fmt.Errorf("more than %d files: pack them into an archive, and copy that", maxEntries)
	}
	t := &Tree{Kind: kindOf(records[0])}
	for _, record := range records[1:] {
		fields := strings.SplitN(record, " ", 5)
		if len(fields) != 5 {
			return nil, fmt.Errorf("an answer that makes no sense: %q", record)
		}
		e := Entry{Kind: kindOf(fields[0]), Name: strings.TrimPrefix(fields[4], "./")}
		switch {
		case e.Name == "." && t.Kind == Folder:
			continue
		case e.Name == "." && t.Kind == File:
			e.Name = ""
		case !within(e.Name):
			return nil, fmt.Errorf("the name %q cannot be copied", e.Name)
		}
		if e.Kind == Other || e.Kind == None {
			t.Left = append(t.Left, e.Name)
			continue
		}
		var err error
		if e.Size, err = strconv.ParseInt(fields[1], 10, 64); err != nil || e.Size < 0 {
			return nil, fmt.Errorf("an answer that makes no sense: %q", record)
		}
		e.Mode, e.Time = modeOf(fields[2]), timeOf(fields[3])
		t.Entries = append(t.Entries, e)
	}
	if t.Kind == File && len(t.Entries) != 1 {
		return nil, errors.New("an answer that makes no sense: a file with nothing of it")
	}
	return t, nil
}

// Size implements Place.
func (r *remote) Size(ctx context.Context, name string) (int64, error) {
	return r.size(r.ask(ctx, sizeScript, []string{r.base, name}, nil))
}

func (r *remote) size(out []byte, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: an answer that makes no sense: %q", r.Name, out)
	}
	return n, nil
}

// Sums implements Place.
func (r *remote) Sums(ctx context.Context, pieces []Piece) ([]string, error) {
	if r.Lacks(sumsTool) {
		return nil, errNoSums
	}
	if len(pieces) == 0 {
		return nil, nil
	}
	var in strings.Builder
	for _, p := range pieces {
		first := "-"
		if p.First >= 0 {
			first = strconv.FormatInt(p.First, 10)
		} else if strings.ContainsAny(p.Name, "\n\\") {
			// Not every sha256sum writes such a name in one line.
			size, err := r.Size(ctx, p.Name)
			if err != nil {
				return nil, err
			}
			first = strconv.FormatInt(size, 10)
		}
		fmt.Fprintf(&in, "%s %s\n", first, escape(p.Name))
	}
	out, err := r.ask(ctx, sumsScript, []string{r.base}, strings.NewReader(in.String()))
	if err != nil {
		return nil, err
	}
	var sums []string
	for line := range strings.Lines(string(out)) {
		sum, _, _ := strings.Cut(line, " ")
		sums = append(sums, sum)
	}
	if len(sums) != len(pieces) {
		return nil, fmt.Errorf("%s: %d sums of %d files", r.Name, len(sums), len(pieces))
	}
	return sums, nil
}

// Send implements Place.
func (r *remote) Send(ctx context.Context, name string, offset, length int64, w io.Writer) error {
	return r.run(ctx, sendScript, []string{r.base, name, strconv.FormatInt(offset+1, 10), strconv.FormatInt(length, 10)}, nil, w)
}

// Receive implements Place.
func (r *remote) Receive(ctx context.Context, name string, offset int64, in io.Reader) (int64, error) {
	return r.size(r.ask(ctx, receiveScript, []string{r.base, name, strconv.FormatInt(offset/block, 10)}, in))
}

// Archives implements Place.
func (r *remote) Archives() bool { return !r.Lacks(tarTool) }

// SendAll implements Place.
func (r *remote) SendAll(ctx context.Context, folder string, files []Entry, w io.Writer) error {
	return r.run(ctx, sendAllScript, []string{r.base, folder}, lines(namesOf(files)), w)
}

// ReceiveAll implements Place.
func (r *remote) ReceiveAll(ctx context.Context, folder string, _ []Entry, in io.Reader) error {
	return r.tell(ctx, receiveAllScript, []string{folder}, in)
}

// Folders implements Place.
func (r *remote) Folders(ctx context.Context, names []string) error {
	return r.tell(ctx, foldersScript, nil, lines(names))
}

// Finish implements Place.
func (r *remote) Finish(ctx context.Context, name string, e Entry) error {
	stamp := ""
	if !e.Time.IsZero() {
		stamp = e.Time.UTC().Format("200601021504.05")
	}
	return r.tell(ctx, finishScript, []string{name, fmt.Sprintf("%03o", e.Mode.Perm()), stamp}, nil)
}

// Rename implements Place.
func (r *remote) Rename(ctx context.Context, from, to string) error {
	return r.tell(ctx, renameScript, []string{from, to}, nil)
}

// Merge implements Place.
func (r *remote) Merge(ctx context.Context, from, to string, names []string) error {
	return r.tell(ctx, mergeScript, []string{from, to}, lines(names))
}

// Remove implements Place.
func (r *remote) Remove(ctx context.Context, name string) error {
	return r.tell(ctx, removeScript, []string{name}, nil)
}

// tell runs a script of the place that answers nothing.
func (r *remote) tell(ctx context.Context, script string, args []string, in io.Reader) error {
	_, err := r.ask(ctx, script, append([]string{r.base}, args...), in)
	return err
}

func namesOf(files []Entry) []string {
	names := make([]string, 0, len(files))
	for _, f := range files {
		names = append(names, f.Name)
	}
	return names
}
