package copying

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Options of a copy.
type Options struct {
	// Force replaces files of the target that differ.
	Force bool
	// Notice is told how far the copy is; nil drops it.
	Notice func(Progress)
	// Patience is how long a connection may be away; 0 is two minutes.
	Patience time.Duration
}

// Phase of a copy.
type Phase string

// The phases.
const (
	Comparing Phase = "comparing"
	Copying   Phase = "copying"
	Verifying Phase = "verifying"
)

// Progress of a copy.
type Progress struct {
	Phase Phase
	// Bytes are to be copied, Done have been.
	Bytes, Done int64
	Files       int
	// Broken is why the connection was lost, in the notice of that alone.
	Broken error
}

// How a copy was compared with its source.
const (
	BySum  = "sha256"
	BySize = "size"
)

// Result of a copy.
type Result struct {
	Source string `json:"source"`
	Target string `json:"target"`
	// Files and Bytes are what was copied; Resumed bytes of them were there from an earlier
	// run. Same files were in the target already, with the same contents.
	Files   int   `json:"files"`
	Bytes   int64 `json:"bytes"`
	Resumed int64 `json:"resumedBytes"`
	Same    int   `json:"sameFiles"`
	// Breaks of the connection that were survived.
	Breaks   int    `json:"breaks"`
	Verified string `json:"verified"`
	// Left are symbolic links, devices and the like, which are not copied.
	Left []string `json:"left"`
}

const (
	// small files go many at a time.
	small = 1 << 20
	// batchBytes and batchFiles bound how many: a batch that breaks is sent again.
	batchBytes = 8 << 20
	batchFiles = 500
	// patience with a connection that is away.
	patience = 2 * time.Minute
)

// copier is one copy.
type copier struct {
	from, to *End
	options  Options

	source, target *Tree
	// stage is the name under which the copy grows.
	stage string
	// staged is that something may be there.
	staged bool
	sums   bool
	jobs   []*job

	mu       sync.Mutex
	progress Progress
	result   Result
}

// job is a file that is to be copied.
type job struct {
	Entry
	// have bytes of it are there from an earlier run; done tells that these are all.
	have int64
	done bool
	// streamed: its permissions and time are still to be set.
	streamed bool
}

// Copy copies one end to the other. Nothing of the target is changed before all is there
// and compared.
func Copy(ctx context.Context, from, to *End, o Options) (*Result, error) {
	if o.Patience == 0 {
		o.Patience = patience
	}
	c := &copier{from: from, to: to, options: o}
	c.result = Result{Source: from.Describe(from.Name), Target: to.Describe(to.Name), Left: []string{}}
	for _, step := range []func(context.Context) error{c.look, c.compare, c.resume, c.transfer, c.verify, c.install} {
		if err := step(ctx); err != nil {
			return nil, c.explain(ctx, err)
		}
	}
	return &c.result, nil
}

// explain says what is left of a copy that did not come to its end.
func (c *copier) explain(ctx context.Context, err error) error {
	const kept = "what has arrived is kept in %s, and the same command goes on from there"
	switch {
	case !c.staged:
		return err
	case ctx.Err() != nil:
		// That it was cancelled would mean that there is nothing to say.
		return fmt.Errorf("interrupted: "+kept, c.to.Describe(c.stage))
	}
	return fmt.Errorf("%w; "+kept, err, c.to.Describe(c.stage))
}

// persist does something until the connection lets it. A connection that is away for too
// long is an error, as is anything else that goes wrong.
func (c *copier) persist(ctx context.Context, do func() error) error {
	pauses := func() *wait.Backoff {
		return &wait.Backoff{Duration: 500 * time.Millisecond, Factor: 2, Jitter: 0.1, Steps: 1 << 30, Cap: 10 * time.Second}
	}
	pause, since, reached := pauses(), time.Now(), c.done()
	for {
		err := do()
		switch {
		case err == nil || !isBroken(err):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		}
		if now := c.done(); now > reached {
			pause, since, reached = pauses(), time.Now(), now
		}
		if time.Since(since) > c.options.Patience {
			return fmt.Errorf("the connection was lost and did not come back within %s: %w", c.options.Patience, err)
		}
		c.result.Breaks++
		c.tell(func(p *Progress) { p.Broken = err })
		// No watch tells when a network, an API server or a kubelet is back.
		timer := time.NewTimer(pause.Step())
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// tell changes the progress and says so.
func (c *copier) tell(change func(*Progress)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.progress)
	if c.options.Notice != nil {
		c.options.Notice(c.progress)
	}
	c.progress.Broken = nil
}

func (c *copier) done() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.progress.Done
}

// look reads both trees.
func (c *copier) look(ctx context.Context) error {
	c.tell(func(p *Progress) { p.Phase = Comparing })
	err := c.persist(ctx, func() (err error) { c.source, err = c.from.Tree(ctx, c.from.Name); return err })
	if err == nil {
		err = c.persist(ctx, func() (err error) { c.target, err = c.to.Tree(ctx, c.to.Name); return err })
	}
	if err != nil {
		return err
	}
	c.sums = true
	for _, p := range []Place{c.from, c.to} {
		if _, err := p.Sums(ctx, nil); errors.Is(err, errNoSums) {
			c.sums = false
		}
	}
	c.result.Verified = BySum
	if !c.sums {
		c.result.Verified = BySize
	}
	c.result.Left = append(c.result.Left, c.source.Left...)
	c.stage = path.Join(path.Dir(c.to.Name), mark+"part-"+path.Base(c.to.Name))
	if c.target.Kind == Folder {
		// It may be a volume of its own, into which nothing can be renamed from outside.
		c.stage = path.Join(c.to.Name, mark+"part")
	}
	return nil
}

// compare finds what is in the way, and what need not be copied.
func (c *copier) compare(ctx context.Context) error {
	kinds := map[Kind]string{File: "a file", Folder: "a folder", Other: "a symbolic link or a device"}
	if c.target.Kind != None && c.target.Kind != c.source.Kind {
		return fmt.Errorf("%s is %s, and %s is %s: choose another name", c.to.Describe(c.to.Name), kinds[c.target.Kind], c.from.Describe(c.from.Name), kinds[c.source.Kind])
	}
	there := map[string]Entry{}
	for _, e := range c.target.Entries {
		there[e.Name] = e
	}
	for _, name := range c.target.Left {
		there[name] = Entry{Name: name, Kind: Other}
	}
	var equal, differ []string
	for _, e := range c.source.Entries {
		t, exists := there[e.Name]
		switch {
		case exists && t.Kind != e.Kind:
			return fmt.Errorf("%s is %s, and %s is %s: nothing was copied", c.to.Describe(path.Join(c.to.Name, e.Name)), kinds[t.Kind],
				c.from.Describe(path.Join(c.from.Name, e.Name)), kinds[e.Kind])
		case e.Kind == File && exists && c.sums && t.Size == e.Size:
			equal = append(equal, e.Name)
		case e.Kind == File && exists:
			differ = append(differ, e.Name)
		}
	}
	same, err := c.same(ctx, pieces(equal), c.to.Name)
	if err != nil {
		return err
	}
	skip := map[string]bool{}
	for i, name := range equal {
		if skip[name] = same[i]; !same[i] {
			differ = append(differ, name)
		}
	}
	if len(differ) > 0 && !c.options.Force {
		return fmt.Errorf("%s in the target with other contents: %s; use --force to replace %s, nothing was copied", exist(len(differ)), c.few(differ), pronoun(len(differ)))
	}
	for _, e := range c.source.Entries {
		if e.Kind == File && !skip[e.Name] {
			c.jobs = append(c.jobs, &job{Entry: e})
			c.result.Files++
			c.result.Bytes += e.Size
		}
	}
	c.result.Same = len(c.source.Entries) - c.result.Files
	for _, e := range c.source.Entries {
		if e.Kind == Folder {
			c.result.Same--
		}
	}
	c.tell(func(p *Progress) { p.Bytes, p.Files = c.result.Bytes, c.result.Files })
	return nil
}

func exist(n int) string {
	if n == 1 {
		return "1 file exists"
	}
	return report.Count(n, "file") + " exist"
}

func pronoun(n int) string {
	if n == 1 {
		return "it"
	}
	return "them"
}

// few names some files of the target.
func (c *copier) few(names []string) string {
	const most = 3
	var out []string
	for _, n := range names[:min(len(names), most)] {
		out = append(out, path.Join(c.to.Name, n))
	}
	text := strings.Join(out, ", ")
	if more := len(names) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// pieces are whole files.
func pieces(names []string) []Piece {
	out := make([]Piece, 0, len(names))
	for _, n := range names {
		out = append(out, Piece{n, -1})
	}
	return out
}

// same tells which files of the source, or beginnings of them, are the same below a name of
// the target.
func (c *copier) same(ctx context.Context, files []Piece, below string) ([]bool, error) {
	if len(files) == 0 {
		return nil, nil
	}
	var here, there []string
	err := c.persist(ctx, func() error {
		both, asking := errgroup.WithContext(ctx)
		for _, side := range []struct {
			place Place
			root  string
			sums  *[]string
		}{{c.from, c.from.Name, &here}, {c.to, below, &there}} {
			asked := make([]Piece, len(files))
			for i, f := range files {
				asked[i] = Piece{path.Join(side.root, f.Name), f.First}
			}
			both.Go(func() (err error) { *side.sums, err = side.place.Sums(asking, asked); return err })
		}
		return both.Wait()
	})
	if err != nil {
		return nil, err
	}
	out := make([]bool, len(files))
	for i := range files {
		out[i] = here[i] == there[i]
	}
	return out, nil
}

// counter counts what is read through it.
type counter struct {
	io.Reader
	count func(int64)
}

func (c counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.count(int64(n))
	return n, err
}
