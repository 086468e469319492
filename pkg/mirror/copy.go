package mirror

import (
	"context"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Pair is an image and the name that it gets elsewhere.
type Pair struct{ From, To string }

// Outcome is what happened to an image.
type Outcome string

// The outcomes of a copy.
const (
	Copied Outcome = "copied"
	// There: the same image had been there.
	There Outcome = "exists"
	// Differs: there is another image of that name, which stays.
	Differs Outcome = "differs"
	Failed  Outcome = "failed"
)

// Result of a copy.
type Result struct {
	From    string  `json:"from"`
	To      string  `json:"to"`
	Digest  string  `json:"digest,omitempty"`
	Outcome Outcome `json:"outcome"`
	// Error of an image that was not copied.
	Error string `json:"error,omitempty"`
	// Err is the same for programs in Go.
	Err error `json:"-"`
}

// Progress of the copy of one image.
type Progress struct {
	Pair
	// Index of the image among all Of.
	Index, Of int
	// Done and Bytes are how much of it there is at the target. What has been found there
	// counts as done.
	Done, Bytes int64
}

// Copy copies images one after the other, with all their architectures and their digests.
// Layers that the target has are not sent again, so that a copy which was interrupted goes on
// where it was. Force replaces images of the same name. The results are those of the images
// that were tried: all of them unless ctx has ended.
func (c *Client) Copy(ctx context.Context, pairs []Pair, force bool, notice func(Progress), done func(Result)) error {
	failed := 0
	for i, p := range pairs {
		r := Result{From: p.From, To: p.To}
		r.Digest, r.Outcome, r.Err = c.copy(ctx, p, force, func(u v1.Update) {
			notice(Progress{Pair: p, Index: i + 1, Of: len(pairs), Done: u.Complete, Bytes: u.Total})
		})
		if r.Err != nil {
			failed++
			r.Error = r.Err.Error()
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		done(r)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d images were not copied", failed, len(pairs))
	}
	return nil
}

func (c *Client) copy(ctx context.Context, p Pair, force bool, notice func(v1.Update)) (digest string, outcome Outcome, err error) {
	from, err := c.reference(p.From)
	if err != nil {
		return "", Failed, err
	}
	to, err := c.reference(p.To)
	if err != nil {
		return "", Failed, err
	}
	d, err := c.puller.Get(ctx, from)
	if err != nil {
		return "", Failed, fmt.Errorf("image %s: %w", p.From, err)
	}
	digest = d.Digest.String()
	switch there, err := c.puller.Head(ctx, to); {
	case err == nil && there.Digest == d.Digest:
		return digest, There, nil
	case err == nil && !force:
		return digest, Differs, fmt.Errorf("image %s exists with another content: %s, and not %s; --force replaces it", p.To, there.Digest, d.Digest)
	case err != nil && !Missing(err):
		return digest, Failed, fmt.Errorf("image %s: %w", p.To, err)
	}
	if err := c.write(ctx, d, to, notice); err != nil {
		return digest, Failed, fmt.Errorf("image %s: %w", p.To, err)
	}
	return digest, Copied, nil
}

// write sends an image under its new name. What the name stands for is sent last.
func (c *Client) write(ctx context.Context, d *remote.Descriptor, to name.Reference, notice func(v1.Update)) error {
	updates := make(chan v1.Update, 1)
	told := make(chan struct{})
	go func() {
		defer close(told)
		for u := range updates {
			if u.Error == nil {
				notice(u)
			}
		}
	}()
	options := append([]remote.Option{remote.WithContext(ctx), remote.WithProgress(updates)}, c.options...)
	err := remote.Push(to, d, options...)
	<-told
	return err
}
