package bedkit

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestHowLongThereWasNoAnswer(t *testing.T) {
	start := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	refused := errors.New("403")
	// at is a request that was sent and answered so many milliseconds after the start.
	at := func(asked, came int, err error) Answer {
		return Answer{start.Add(time.Duration(asked) * time.Millisecond), start.Add(time.Duration(came) * time.Millisecond), err}
	}
	for name, tt := range map[string]struct {
		answers []Answer
		want    Silence
	}{
		"nobody asked": {},
		"every answer was good": {
			[]Answer{at(0, 10, nil), at(110, 120, nil)},
			Silence{Slowest: 10 * time.Millisecond, Asked: 2},
		},
		"from the last good answer to the next": {
			[]Answer{at(0, 10, nil), at(110, 120, refused), at(220, 230, refused), at(330, 340, nil), at(440, 450, nil)},
			Silence{Total: 330 * time.Millisecond, Longest: 330 * time.Millisecond, Slowest: 10 * time.Millisecond, Asked: 5, Failed: 2, Why: []string{"0.1 s: 403"}},
		},
		"several times": {
			[]Answer{at(0, 10, refused), at(110, 120, nil), at(220, 230, refused), at(1220, 1230, nil)},
			Silence{Total: 1230 * time.Millisecond, Longest: 1110 * time.Millisecond, Slowest: 10 * time.Millisecond, Asked: 4, Failed: 2, Why: []string{"0.0 s: 403"}},
		},
		"a good answer that came late": {
			[]Answer{at(0, 10, nil), at(110, 2110, nil), at(2200, 2210, nil)},
			Silence{Slowest: 2 * time.Second, Asked: 3},
		},
		"never again": {
			[]Answer{at(0, 10, nil), at(110, 5110, refused)},
			Silence{Total: 5100 * time.Millisecond, Longest: 5100 * time.Millisecond, Slowest: 10 * time.Millisecond, Asked: 2, Failed: 1, Why: []string{"0.1 s: 403"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Measure(tt.answers)); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
		})
	}
}
