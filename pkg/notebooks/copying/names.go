package copying

import (
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// within tells whether a name stays in its tree, here and in a container.
func within(name string) bool {
	return fs.ValidPath(name) && name != "." && filepath.IsLocal(filepath.FromSlash(name)) && !strings.Contains(name, "\x00")
}

// modeOf reads permissions: 644, or as ls writes them.
func modeOf(text string) fs.FileMode {
	if n, err := strconv.ParseUint(text, 8, 32); err == nil {
		return fs.FileMode(n) & fs.ModePerm
	}
	if len(text) < 10 {
		return 0o644
	}
	var mode fs.FileMode
	for i, c := range text[1:10] {
		// s and t are x with something more, which is not copied.
		if strings.ContainsRune("rwxst", c) {
			mode |= 1 << (8 - i)
		}
	}
	return mode
}

// timeOf reads seconds since 1970; zero, and what is none, is no time.
func timeOf(text string) time.Time {
	whole, _, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n <= 0 || n > 1<<36 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}
