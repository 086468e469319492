package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestHeadShowsTheFirstLinesAndCountsTheRest(t *testing.T) {
	var out strings.Builder
	h := &head{w: &out}
	for i := range shownLines + 3 {
		// Writes need not end where lines do.
		fmt.Fprintf(h, "line ")
		fmt.Fprintf(h, "%d\n", i)
	}
	h.end()
	got := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(got) != shownLines+1 || got[0] != "line 0" || got[shownLines-1] != fmt.Sprintf("line %d", shownLines-1) || got[shownLines] != "... and 3 more" {
		t.Errorf("shown:\n%s", out.String())
	}
}

func TestHeadAddsNothingToAShortList(t *testing.T) {
	var out strings.Builder
	h := &head{w: &out}
	fmt.Fprintln(h, "only")
	h.end()
	if out.String() != "only\n" {
		t.Errorf("shown: %q", out.String())
	}
}

func TestEveryStepOfTheSessionSaysSomething(t *testing.T) {
	for i, s := range session {
		if s.say == "" && s.args == nil {
			t.Errorf("step %d is empty", i)
		}
	}
}
