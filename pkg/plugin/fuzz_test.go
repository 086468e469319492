package plugin

import (
	"bytes"
	"strings"
	"testing"
)

// FuzzPipedPassword checks that a password comes out as it was piped, without its line's
// end and whole, or is refused without being repeated.
func FuzzPipedPassword(f *testing.F) {
	for _, text := range []string{"secret\n", "secret", "secret\r\n", "two\nlines\n", "", "\n", strings.Repeat("x", 73), "a\x00b", "\xff\xfe", "ä\n", "a\n\x00"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := password.piped(bytes.NewReader(text))
		if err != nil {
			if len(text) > 12 && strings.Contains(err.Error(), string(text)) {
				t.Errorf("%q repeats the password", err)
			}
			return
		}
		if len(got) == 0 || len(got) > passwordBytes || bytes.ContainsAny(got, "\r\n\x00") || !bytes.HasPrefix(text, got) || len(bytes.Trim(text[len(got):], "\r\n")) > 0 {
			t.Errorf("%q was read as %q", text, got)
		}
	})
}
