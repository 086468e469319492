package runs

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// stamped is a line as a node keeps it, one nanosecond after the other.
func stamped(n int, line string) string {
	return fmt.Sprintf("2026-11-27T12:00:00.%09dZ %s\n", n, line)
}

const mark = "kubectl-jupyter-abc:"

// carrying are the lines in which a notebook comes.
func carrying(t testing.TB, notebook string) []string {
	t.Helper()
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := w.Write([]byte(notebook)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(notebook))
	packed := base64.StdEncoding.EncodeToString(zipped.Bytes())
	lines := []string{fmt.Sprintf("%s begin %d %s", mark, len(packed), hex.EncodeToString(sum[:]))}
	for len(packed) > 0 {
		n := min(20, len(packed))
		lines = append(lines, mark+" "+packed[:n])
		packed = packed[n:]
	}
	return append(lines, mark+" end")
}

func TestAProgramsWordsAreToldFromTheNotebookThatComesWithThem(t *testing.T) {
	notebook := `{"cells": ["` + strings.Repeat("content ", 30) + `"]}`
	lines := append([]string{"first", "", "kubectl-jupyter-ab", "kubectl-jupyter-xyz: not ours"}, carrying(t, notebook)...)
	lines = append(lines, "last")
	var log strings.Builder
	for i, l := range lines {
		log.WriteString(stamped(i, l))
	}
	for _, piece := range []int{1, 2, 3, 7, 64, 1 << 20} {
		var said strings.Builder
		u := &unpicker{out: &said, mark: mark}
		for text := log.String(); text != ""; {
			n := min(piece, len(text))
			if _, err := u.Write([]byte(text[:n])); err != nil {
				t.Fatal(err)
			}
			text = text[n:]
		}
		if want := "first\n\nkubectl-jupyter-ab\nkubectl-jupyter-xyz: not ours\nlast\n"; said.String() != want {
			t.Errorf("in pieces of %d it said %q, want %q", piece, said.String(), want)
		}
		if got, err := u.notebook(); err != nil || string(got) != notebook {
			t.Errorf("in pieces of %d the notebook is %q, error %v: want %q", piece, got, err, notebook)
		}
	}
}

func TestWhatIsSaidWithoutAnEndOfTheLineIsShownAtOnce(t *testing.T) {
	var said strings.Builder
	u := &unpicker{out: &said, mark: mark}
	if _, err := u.Write([]byte("2026-11-27T12:00:00.000000001Z epoch 1 of 20 ...")); err != nil {
		t.Fatal(err)
	}
	if said.String() != "epoch 1 of 20 ..." {
		t.Errorf("it shows %q, want the beginning of the line", said.String())
	}
}

func TestALogThatBreaksOffGoesOnWhereItDid(t *testing.T) {
	// Two lines have one stamp, as they may have.
	whole := stamped(1, "one") + stamped(2, "two") + stamped(2, "also two") + stamped(3, "three") + stamped(4, "four")
	const want = "one\ntwo\nalso two\nthree\nfour\n"
	for at := range len(whole) {
		for _, from := range []string{"the beginning", "the last second"} {
			var said strings.Builder
			u := &unpicker{out: &said}
			if _, err := u.Write([]byte(whole[:at])); err != nil {
				t.Fatal(err)
			}
			u.broken()
			if _, err := u.Write([]byte(whole)); err != nil {
				t.Fatal(err)
			}
			if said.String() != want {
				t.Fatalf("broken off after %d bytes (%q) and continued from %s, it said %q, want %q", at, whole[:at], from, said.String(), want)
			}
		}
	}
}

func TestANotebookThatDidNotComeWholeIsNone(t *testing.T) {
	whole := carrying(t, "notebook")
	for _, c := range []struct {
		name  string
		lines []string
		says  string
	}{
		{"none was sent", nil, ""},
		{"the end is missing", whole[:len(whole)-1], "it came incomplete"},
		{"a line is missing", append([]string{whole[0]}, whole[2:]...), "it came incomplete"},
		{"the beginning is missing", whole[1:], ""},
		{"it was changed", append([]string{strings.Replace(whole[0], " begin ", " begin ", 1) + "0"}, whole[1:]...), "it came damaged"},
		{"it was too large, and is on a volume", []string{mark + " large 20971520 /home/jovyan/with space.ipynb"}, "it has 20 MiB, more than a log can carry: it is at /home/jovyan/with space.ipynb"},
		{"it was too large, and is nowhere", []string{mark + " large 20971520"}, "its outputs are lost"},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := &unpicker{out: &strings.Builder{}, mark: mark}
			for i, l := range c.lines {
				if _, err := u.Write([]byte(stamped(i, l))); err != nil {
					t.Fatal(err)
				}
			}
			got, err := u.notebook()
			if got != nil || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%q, error %v: want none, and %q", got, err, c.says)
			}
		})
	}
}

func FuzzALogOfAnybody(f *testing.F) {
	f.Add([]byte(stamped(1, "one")+stamped(2, mark+" begin 4 x")), 3)
	f.Add([]byte("\n \n"+mark+"\n2026-11-27T12:00:00Z"), 1)
	f.Add([]byte(strings.Join(carrying(f, "notebook"), "\n")), 10)
	f.Fuzz(func(t *testing.T, log []byte, at int) {
		var said bytes.Buffer
		u := &unpicker{out: &said, mark: mark}
		at = max(0, min(at, len(log)))
		for _, piece := range [][]byte{log[:at], log[at:]} {
			if n, err := u.Write(piece); err != nil || n != len(piece) {
				t.Fatalf("wrote %d of %d bytes, error %v", n, len(piece), err)
			}
		}
		if said.Len() > len(log) {
			t.Errorf("it said %d bytes of a log of %d", said.Len(), len(log))
		}
		if got, err := u.notebook(); err != nil && got != nil {
			t.Errorf("a notebook %q with the error %v", got, err)
		}
	})
}
