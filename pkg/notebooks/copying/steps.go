package copying

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"

	"golang.org/x/sync/errgroup"
)

// resume finds what an earlier run has left, and keeps of it what is the same as the source.
func (c *copier) resume(ctx context.Context) error {
	var left *Tree
	if err := c.persist(ctx, func() (err error) { left, err = c.to.Tree(ctx, c.stage); return err }); err != nil {
		return err
	}
	if left.Kind == None {
		return nil
	}
	if left.Kind != c.source.Kind || !c.sums {
		return c.remove(ctx, c.stage)
	}
	wanted, folders := map[string]*job{}, map[string]bool{}
	for _, j := range c.jobs {
		wanted[j.Name] = j
	}
	for _, e := range c.source.Entries {
		folders[e.Name] = e.Kind == Folder
	}
	stale := left.Left
	var files []Piece
	for _, e := range left.Entries {
		j := wanted[e.Name]
		switch {
		case e.Kind == Folder && folders[e.Name]:
		case e.Kind == File && j != nil && e.Size <= j.Size && (e.Size == j.Size || j.Size > small):
			files = append(files, Piece{e.Name, e.Size})
		default:
			stale = append(stale, e.Name)
		}
	}
	same, err := c.same(ctx, files, c.stage)
	if err != nil {
		return err
	}
	for i, f := range files {
		if !same[i] {
			stale = append(stale, f.Name)
			continue
		}
		j := wanted[f.Name]
		j.have, j.done, j.streamed = f.First, f.First == j.Size, true
		c.result.Resumed += f.First
		c.staged = true
	}
	for _, name := range stale {
		if err := c.remove(ctx, path.Join(c.stage, name)); err != nil {
			return err
		}
	}
	return nil
}

func (c *copier) remove(ctx context.Context, name string) error {
	return c.persist(ctx, func() error { return c.to.Remove(ctx, name) })
}

// transfer copies to the stage.
func (c *copier) transfer(ctx context.Context) error {
	c.tell(func(p *Progress) { p.Phase = Copying })
	if err := c.folders(ctx, c.stage); err != nil {
		return err
	}
	archives := c.from.Archives() && c.to.Archives() && c.source.Kind == Folder
	var batch []Entry
	var bytes, done int64
	send := func() error {
		if len(batch) == 0 {
			return nil
		}
		if err := c.persist(ctx, func() error { return c.together(ctx, batch) }); err != nil {
			return err
		}
		done += bytes
		c.tell(func(p *Progress) { p.Done = done })
		batch, bytes = nil, 0
		return nil
	}
	for _, j := range c.jobs {
		switch {
		case j.done:
			done += j.Size
			c.tell(func(p *Progress) { p.Done = done })
		case archives && j.Size <= small:
			if len(batch) >= batchFiles || bytes+j.Size > batchBytes {
				if err := send(); err != nil {
					return err
				}
			}
			batch, bytes = append(batch, j.Entry), bytes+j.Size
		default:
			if err := c.stream(ctx, j, done); err != nil {
				return err
			}
			done += j.Size
		}
	}
	return send()
}

// folders makes those of the source below a name.
func (c *copier) folders(ctx context.Context, below string) error {
	if c.source.Kind != Folder {
		return nil
	}
	names := []string{below}
	for _, e := range c.source.Entries {
		if e.Kind == Folder {
			names = append(names, path.Join(below, e.Name))
		}
	}
	return c.persist(ctx, func() error { return c.to.Folders(ctx, names) })
}

// pipe lets one place read what the other writes. Where one fails, so does the other; what
// is returned is the error of the first.
func pipe(ctx context.Context, send func(context.Context, io.Writer) error, receive func(context.Context, io.Reader) error) error {
	r, w := io.Pipe()
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() error {
		err := send(ctx, w)
		_ = w.CloseWithError(err)
		return err
	})
	both.Go(func() error {
		err := receive(ctx, r)
		if err == nil {
			_ = r.Close()
			return nil
		}
		_ = r.CloseWithError(err)
		return err
	})
	return both.Wait()
}

// together copies small files as one archive.
func (c *copier) together(ctx context.Context, files []Entry) error {
	c.staged = true
	return pipe(ctx,
		func(ctx context.Context, w io.Writer) error { return c.from.SendAll(ctx, c.from.Name, files, w) },
		func(ctx context.Context, r io.Reader) error { return c.to.ReceiveAll(ctx, c.stage, files, r) })
}

// stream copies one file, and goes on after a break where it was.
func (c *copier) stream(ctx context.Context, j *job, before int64) error {
	source, target := path.Join(c.from.Name, j.Name), path.Join(c.stage, j.Name)
	offset, again := j.have, false
	j.streamed = true
	return c.persist(ctx, func() error {
		if again {
			size, err := c.to.Size(ctx, target)
			if err != nil {
				return err
			}
			offset = min(size, j.Size)
		}
		again, c.staged = true, true
		offset -= offset % block
		c.tell(func(p *Progress) { p.Done = before + offset })
		var arrived int64
		err := pipe(ctx,
			func(ctx context.Context, w io.Writer) error {
				return c.from.Send(ctx, source, offset, j.Size-offset, w)
			},
			func(ctx context.Context, r io.Reader) (err error) {
				count := counter{r, func(n int64) { c.tell(func(p *Progress) { p.Done += n }) }}
				arrived, err = c.to.Receive(ctx, target, offset, count)
				return err
			})
		if err == nil && arrived < j.Size {
			return broken(fmt.Errorf("%s: %d of %d bytes arrived", c.from.Describe(source), arrived, j.Size))
		}
		if err == nil && arrived > j.Size {
			return fmt.Errorf("%s: %d bytes arrived, more than its source has", c.to.Describe(target), arrived)
		}
		return err
	})
}

// verify compares what has arrived with its source.
func (c *copier) verify(ctx context.Context) error {
	c.tell(func(p *Progress) { p.Phase = Verifying })
	var fresh []Piece
	for _, j := range c.jobs {
		if !j.done {
			fresh = append(fresh, Piece{j.Name, -1})
		}
	}
	var same []bool
	var err error
	if c.sums {
		same, err = c.same(ctx, fresh, c.stage)
	} else {
		same, err = c.sameSizes(ctx, fresh)
	}
	if err != nil {
		return err
	}
	var failed []error
	for i, f := range fresh {
		if same[i] {
			continue
		}
		failed = append(failed, fmt.Errorf("%s is not the same as its source: that was changed while it was copied, or something was lost on the way; run the command again",
			c.to.Describe(path.Join(c.to.Name, f.Name))))
		if err := c.remove(ctx, path.Join(c.stage, f.Name)); err != nil {
			return err
		}
	}
	if len(failed) > 3 {
		failed = append(failed[:3], fmt.Errorf("and so for %d files in all", len(failed)))
	}
	return errors.Join(failed...)
}

// sameSizes is what is left where there are no sums.
func (c *copier) sameSizes(ctx context.Context, files []Piece) ([]bool, error) {
	if len(files) == 0 {
		return nil, nil
	}
	sizes := [2]map[string]int64{{}, {}}
	for i, end := range []End{*c.from, {c.to.Place, c.stage}} {
		err := c.persist(ctx, func() error {
			t, err := end.Tree(ctx, end.Name)
			if err != nil {
				return err
			}
			for _, e := range t.Entries {
				sizes[i][e.Name] = e.Size
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	out := make([]bool, len(files))
	for i, f := range files {
		size, there := sizes[1][f.Name]
		out[i] = there && size == sizes[0][f.Name]
	}
	return out, nil
}

// install gives the copy its name.
func (c *copier) install(ctx context.Context) error {
	for _, j := range c.jobs {
		if j.streamed {
			if err := c.persist(ctx, func() error { return c.to.Finish(ctx, path.Join(c.stage, j.Name), j.Entry) }); err != nil {
				return err
			}
		}
	}
	if c.target.Kind != Folder {
		if c.source.Kind == File && len(c.jobs) == 0 {
			return c.remove(ctx, c.stage)
		}
		return c.persist(ctx, func() error { return c.to.Rename(ctx, c.stage, c.to.Name) })
	}
	if err := c.folders(ctx, c.to.Name); err != nil {
		return err
	}
	names := make([]string, 0, len(c.jobs))
	for _, j := range c.jobs {
		names = append(names, j.Name)
	}
	if len(names) > 0 {
		if err := c.persist(ctx, func() error { return c.to.Merge(ctx, c.stage, c.to.Name, names) }); err != nil {
			return err
		}
	}
	return c.remove(ctx, c.stage)
}
