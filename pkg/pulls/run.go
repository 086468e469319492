package pulls

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

var (
	daemonSets = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "daemonsets"}
	jobs       = schema.GroupVersionResource{Group: "batch", Version: "v1", Resource: "jobs"}
)

// lookEvery is how often nodes are asked how far they are. They tell it by events of their
// pods, which an installer may list and not watch.
const lookEvery = time.Second

// deletedWithin bounds the deletion at the end, which an interrupted run makes too.
const deletedWithin = 10 * time.Second

// Run pulls what was planned, one stage after the other, and returns when nothing is left to
// wait for, or with the context. A stage begins when all nodes are at the last image of the
// one before: the wire is never idle, and what is needed first comes first. What nodes
// cannot pull is told in the images and is no error. In any case it deletes what it has made,
// but for a Job that goes on alone.
func (p *Puller) Run(ctx context.Context) (err error) {
	defer func() {
		if deleted := p.clean(ctx); err == nil {
			err = deleted
		}
	}()
	ticker := time.NewTicker(p.every)
	defer ticker.Stop()
	p.tell()
	for {
		if err := p.advance(ctx); err != nil {
			return err
		}
		if p.wide && p.old == nil {
			if err := p.remember(ctx); err != nil {
				return err
			}
		}
		if p.done() {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if err := p.look(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
}

// advance begins the stages whose turn it is, and ends those that are complete.
func (p *Puller) advance(ctx context.Context) error {
	for i, s := range p.stages {
		if !s.created && !s.beside && slices.ContainsFunc(p.stages[:i], func(before *stage) bool { return !p.begun(before) }) {
			return nil
		}
		if !s.created {
			if err := p.create(ctx, s); err != nil {
				return err
			}
		}
		if !s.deleted && !p.options.Keep && p.all(s, (*Image).there) {
			if err := p.delete(ctx, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// done tells that every node has come to an end with every image.
func (p *Puller) done() bool {
	for _, s := range p.stages {
		if !s.created {
			return false
		}
	}
	return !slices.ContainsFunc(p.images, func(i Image) bool { return !i.settled() })
}

// all tells that something holds for all images of a stage.
func (p *Puller) all(s *stage, holds func(*Image) bool) bool {
	for _, node := range s.nodes {
		for _, ref := range s.images {
			if i := p.find(node, ref); i == nil || !holds(i) {
				return false
			}
		}
	}
	return true
}

// begun tells that all nodes are at the last image of a stage, or beyond.
func (p *Puller) begun(s *stage) bool {
	last := s.images[len(s.images)-1]
	return !slices.ContainsFunc(s.nodes, func(node string) bool {
		i := p.find(node, last)
		return i == nil || i.State == Waiting
	})
}

// create makes the object of a stage. Who may not make Jobs gets a DaemonSet, which goes with
// the run.
func (p *Puller) create(ctx context.Context, s *stage) error {
	if s.alone {
		s.job = true
		var err error
		if s.owner, err = rollout.Owner(ctx, p.cluster); err != nil {
			return err
		}
		err = p.send(ctx, s)
		if !apierrors.IsForbidden(err) {
			return err
		}
		s.job = false
	}
	return p.send(ctx, s)
}

func (p *Puller) send(ctx context.Context, s *stage) error {
	u, err := p.object(s)
	if err != nil {
		return err
	}
	_, err = p.cluster.Dynamic.Resource(p.resource(s)).Namespace(p.namespace).Create(ctx, u, metav1.CreateOptions{FieldManager: rollout.FieldManager})
	if err != nil {
		return fmt.Errorf("%s: %w", p.ref(s), err)
	}
	s.created = true
	return nil
}

func (p *Puller) resource(s *stage) schema.GroupVersionResource {
	if s.job {
		return jobs
	}
	return daemonSets
}

// delete deletes the object of a stage. A Job ends without it, and not everybody may.
func (p *Puller) delete(ctx context.Context, s *stage) error {
	policy := metav1.DeletePropagationBackground
	err := p.cluster.Dynamic.Resource(p.resource(s)).Namespace(p.namespace).Delete(ctx, s.name(p.run), metav1.DeleteOptions{PropagationPolicy: &policy})
	if err == nil || apierrors.IsNotFound(err) || s.job && apierrors.IsForbidden(err) {
		s.deleted = true
		return nil
	}
	return fmt.Errorf("%s: not deleted: %w", p.ref(s), err)
}

// clean deletes what is left, also of a run that is interrupted.
func (p *Puller) clean(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deletedWithin)
	defer cancel()
	var failed error
	for _, s := range p.stages {
		if s.created && !s.deleted && !s.job && !p.options.Keep {
			failed = errors.Join(failed, p.delete(ctx, s))
		}
	}
	return failed
}

// Alone begins the stages that go on alone and have not begun, where Run has ended before
// their turn came. Who may not make Jobs gets the server's refusal: nobody would delete what
// else there is.
func (p *Puller) Alone(ctx context.Context) error {
	for _, s := range p.stages {
		if !s.alone || s.created {
			continue
		}
		s.job = true
		var err error
		if s.owner, err = rollout.Owner(ctx, p.cluster); err != nil {
			return err
		}
		if err := p.send(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// RemoveKept deletes the DaemonSets that earlier pulls have kept, and tells how many.
func (p *Puller) RemoveKept(ctx context.Context) (int, error) {
	list, err := p.cluster.Dynamic.Resource(daemonSets).List(ctx, metav1.ListOptions{LabelSelector: keptLabel + "=true," + runLabel + "!=" + p.run})
	if err != nil {
		return 0, fmt.Errorf("DaemonSets: %w", err)
	}
	policy := metav1.DeletePropagationBackground
	for _, u := range list.Items {
		if err := p.cluster.Dynamic.Resource(daemonSets).Namespace(u.GetNamespace()).Delete(ctx, u.GetName(), metav1.DeleteOptions{PropagationPolicy: &policy}); err != nil && !apierrors.IsNotFound(err) {
			return 0, fmt.Errorf("DaemonSet %s/%s: not deleted: %w", u.GetNamespace(), u.GetName(), err)
		}
	}
	return len(list.Items), nil
}

// Left are the images whose pull goes on without this program.
func (p *Puller) Left() []Image {
	var out []Image
	for _, s := range p.stages {
		if !s.created || !s.job {
			continue
		}
		for _, node := range s.nodes {
			for _, ref := range s.images {
				if i := p.find(node, ref); i != nil && !i.there() {
					out = append(out, *i)
				}
			}
		}
	}
	return out
}
