package rollout

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

func TestWhatMaySoonBeAnsweredOtherwiseIsAskedAgain(t *testing.T) {
	busy := apierrors.NewTooManyRequests("later", 0)
	denied := errors.New("no")
	tests := []struct {
		name    string
		answers []error // one for each call, the last one for all that follow
		timeout time.Duration
		want    error
		calls   int
	}{
		{"a server that is busy for a moment", []error{busy, busy, nil}, time.Minute, nil, 3},
		{"a refusal is not repeated", []error{denied}, time.Minute, denied, 1},
		{"at the end of the time the reason is given, not the time", []error{busy}, time.Second, busy, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				warnings := 0
				e := &Engine{events: newEmitter(func(report.Event) { warnings++ })}
				ctx, cancel := context.WithTimeout(t.Context(), tt.timeout)
				defer cancel()
				calls := 0
				err := e.parallel(ctx, 1, func(context.Context, int) error {
					answer := tt.answers[min(calls, len(tt.answers)-1)]
					calls++
					return answer
				})
				if !errors.Is(err, tt.want) || tt.calls != 0 && calls != tt.calls {
					t.Errorf("%v after %d calls, want %v after %d", err, calls, tt.want, tt.calls)
				}
				if tt.answers[0] == busy && warnings != 1 {
					t.Errorf("%d warnings, want one", warnings)
				}
			})
		})
	}
}
