package notebook

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParseAge reads a duration of a flag that people count in days: 90d and 2d12h beside what
// Go itself reads, such as 36h.
func ParseAge(flag, text string) (time.Duration, error) {
	const day = 24 * time.Hour
	rest, days := text, time.Duration(0)
	if before, after, found := strings.Cut(text, "d"); found {
		n, err := strconv.ParseUint(before, 10, 16)
		if err != nil {
			return 0, notAnAge(flag, text)
		}
		days, rest = time.Duration(n)*day, after
		if rest == "" {
			return days, nil
		}
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 {
		return 0, notAnAge(flag, text)
	}
	return days + d, nil
}

func notAnAge(flag, text string) error {
	return fmt.Errorf("--%s: %q is not a duration such as 90d, 2d12h or 36h", flag, text)
}
