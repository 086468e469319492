package bedkit

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Answer is what came of one request of somebody who asks again and again.
type Answer struct {
	Asked, Came time.Time
	// Err is nil where the answer was the one that is wanted.
	Err error
}

// Silence is how long somebody who asks again and again had no answer.
type Silence struct {
	// Total of all times without an answer, Longest of them.
	Total, Longest time.Duration
	// Slowest of the good answers.
	Slowest time.Duration
	// Asked is the number of requests, Failed of those without a good answer.
	Asked, Failed int
	// Why lists the failures, each different one once, the first with the time since the
	// first request.
	Why []string
}

func (s Silence) String() string {
	return fmt.Sprintf("%.1f s without an answer, at most %.1f s at a time, %d of %d requests failed; the slowest good answer took %.1f s",
		s.Total.Seconds(), s.Longest.Seconds(), s.Failed, s.Asked, s.Slowest.Seconds())
}

// Measure adds up the times without an answer: each from the last good answer to the next
// one, where a request between them failed. With no good answer before or after, it is from
// the first request, or to the last. How long a request waits for its answer is the
// request's own matter: one that gives up has failed.
func Measure(answers []Answer) Silence {
	s := Silence{Asked: len(answers)}
	if len(answers) == 0 {
		return s
	}
	last, silent := answers[0].Asked, false
	end := func(at time.Time) {
		if silent {
			s.Total += at.Sub(last)
			s.Longest = max(s.Longest, at.Sub(last))
		}
		last, silent = at, false
	}
	seen := map[string]bool{}
	for _, a := range answers {
		if a.Err != nil {
			s.Failed++
			silent = true
			if why := a.Err.Error(); !seen[why] {
				seen[why] = true
				s.Why = append(s.Why, fmt.Sprintf("%.1f s: %s", a.Asked.Sub(answers[0].Asked).Seconds(), why))
			}
			continue
		}
		s.Slowest = max(s.Slowest, a.Came.Sub(a.Asked))
		end(a.Came)
	}
	end(answers[len(answers)-1].Came)
	return s
}

// Asking is a number of people who ask again and again, each something else.
type Asking struct {
	stop    context.CancelFunc
	done    sync.WaitGroup
	mu      sync.Mutex
	answers map[string][]Answer
}

// between is how long each of them waits after an answer.
const between = 100 * time.Millisecond

// Ask starts them, by the name of what they ask. A request returns nil for the answer that
// is wanted, and ends with its context.
func Ask(ctx context.Context, requests map[string]func(context.Context) error) *Asking {
	ctx, stop := context.WithCancel(ctx)
	a := &Asking{stop: stop, answers: map[string][]Answer{}}
	for name, request := range requests {
		a.done.Go(func() {
			for ctx.Err() == nil {
				asked := time.Now()
				err := request(ctx)
				if ctx.Err() != nil {
					return // it was stopped, not refused
				}
				a.mu.Lock()
				a.answers[name] = append(a.answers[name], Answer{asked, time.Now(), err})
				a.mu.Unlock()
				select {
				case <-ctx.Done():
				case <-time.After(between):
				}
			}
		})
	}
	return a
}

// Stop ends them, and tells how long each had no answer.
func (a *Asking) Stop() map[string]Silence {
	a.stop()
	a.done.Wait()
	out := map[string]Silence{}
	for name, answers := range a.answers {
		out[name] = Measure(answers)
	}
	return out
}
