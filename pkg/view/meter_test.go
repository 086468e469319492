package view

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestATransferIsALineNowAndThenWhereThereIsNoTerminal(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	m := NewMeter(&out, func() time.Time { return now })
	const total = 100 << 20
	for i := range int64(24) {
		m.Show("copying", i<<22, total)
		now = now.Add(time.Second)
	}
	m.Say("The connection was lost")
	m.Show("verifying", total, total)
	m.Close()
	want := "copying:  40%, 40.0 MiB of 100.0 MiB, 4.0 MiB/s, 15s left\n" +
		"copying:  80%, 80.0 MiB of 100.0 MiB, 4.0 MiB/s, 5s left\n" +
		"The connection was lost\n"
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Errorf("want (-), got (+):\n%s", d)
	}
}

func TestBytesAreWrittenAsPeopleReadThem(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 300 << 20: "300.0 MiB", 5 << 40: "5.0 TiB", 1 << 62: "4096.0 PiB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}
