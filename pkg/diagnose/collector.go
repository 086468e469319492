package diagnose

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/sets"
)

// logs reads the ends of the logs of containers that crash, or that run for long without
// being ready, one container of a kind: replicas do so alike.
func (c *collector) logs() {
	n := 0
	known := sets.New[string]()
	for i := range c.s.Pods {
		p := &c.s.Pods[i]
		if healthy(p) {
			continue
		}
		for _, ct := range containers(p) {
			crash := crashOf(ct.status)
			key := fmt.Sprintf("%s %s", c.s.owner(p), ct.spec.Name)
			running := ct.status.State.Running
			stuck := running != nil && !ct.status.Ready && c.s.Time.Sub(running.StartedAt.Time) > patience
			if crash == nil && !stuck || n >= maxLogs || known.Has(key) {
				continue
			}
			known.Insert(key)
			n++
			container, previous := ct.spec.Name, crash != nil && ct.status.State.Terminated == nil
			c.add(fmt.Sprintf("log %s/%s %s", p.Namespace, p.Name, container), func(ctx context.Context) error {
				text, err := c.reader.log(ctx, p.Namespace, p.Name, container, previous)
				// The kubelet may have removed the container meanwhile: no log, and
				// nothing wrong with that.
				if apierrors.IsNotFound(err) || apierrors.IsBadRequest(err) {
					return nil
				}
				if crash == nil && err != nil {
					return nil // the probe's words have to do
				}
				if err != nil {
					return err
				}
				l := Log{p.Namespace, p.Name, container, strings.Split(strings.TrimSpace(string(text)), "\n")}
				c.store(func(s *Snapshot) { s.Logs = append(s.Logs, l) })
				return nil
			})
		}
	}
}

// add plans a read, once.
func (c *collector) add(what string, read func(context.Context) error) {
	if c.asked.Has(what) {
		return
	}
	c.asked.Insert(what)
	c.reads.Plan(func(ctx context.Context) error {
		err := read(ctx)
		c.store(func(s *Snapshot) {
			if err == nil {
				s.Read = append(s.Read, what)
				return
			}
			s.Unreadable = append(s.Unreadable, ReadError{what, apierrors.IsForbidden(err), err.Error()})
		})
		return nil
	})
}

// run makes the reads that are planned.
func (c *collector) run(ctx context.Context) {
	_ = c.reads.Run(ctx) // the reads keep their errors in the snapshot
	c.s.sort()
}

func (c *collector) store(f func(*Snapshot)) { c.reads.Keep(func() { f(c.s) }) }
