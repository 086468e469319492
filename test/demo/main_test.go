package main

import "testing"

func TestEveryStepOfTheSessionSaysWhatItShows(t *testing.T) {
	for i, s := range session {
		if s.say == "" || len(s.args) == 0 {
			t.Errorf("step %d shows %q and says %q", i, s.args, s.say)
		}
		if s.only != "" && s.only != "real" && s.only != "simulated" {
			t.Errorf("step %d is only for %q nodes, which there are not", i, s.only)
		}
	}
}
