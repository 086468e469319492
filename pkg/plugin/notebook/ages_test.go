package notebook

import (
	"testing"
	"time"
)

func TestAnAgeIsReadInDaysOrAsGoDoes(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90d": 90 * 24 * time.Hour, "2d12h": 60 * time.Hour, "36h": 36 * time.Hour, "0d": 0, "0s": 0, "1d30m": 24*time.Hour + 30*time.Minute,
	} {
		got, err := ParseAge("unused", text)
		if err != nil || got != want {
			t.Errorf("%s is read as %s, error %v: want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "d", "-1d", "1.5d", "90", "ninety days", "1d-2h", "-5h", "99999999d"} {
		if got, err := ParseAge("unused", text); err == nil {
			t.Errorf("%q passes for %s", text, got)
		} else if want := `--unused: "` + text + `" is not a duration such as 90d, 2d12h or 36h`; err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
