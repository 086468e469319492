package process

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func sleeper(t *testing.T, script string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sh", "-c", script)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// Somebody has to take note of the end, or the process stays a zombie.
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	return cmd
}

func TestParseStat(t *testing.T) {
	for name, tc := range map[string]struct {
		stat  string
		ticks uint64
		state byte
		fails bool
	}{
		"a plain line":                           {stat: "7 (sh) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242 100 1", ticks: 4242, state: 'S'},
		"a name with spaces and parentheses":     {stat: "7 (a) R (b c)) Z 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 99 100 1", ticks: 99, state: 'Z'},
		"a line that ends early is refused":      {stat: "7 (sh) S 1 7", fails: true},
		"text without a name is refused":         {stat: "hello", fails: true},
		"a start time that is no number is none": {stat: "7 (sh) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 x 100 1", fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			ticks, state, err := parseStat([]byte(tc.stat))
			if (err != nil) != tc.fails || ticks != tc.ticks || state != tc.state {
				t.Errorf("got %d, %q, %v", ticks, state, err)
			}
		})
	}
}

func TestARecordIsAliveOnlyForTheProcessThatItWasMadeFor(t *testing.T) {
	cmd := sleeper(t, "sleep 60")
	r, err := Of("sleeper", cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Alive() {
		t.Error("the process runs and its record is not alive")
	}
	for what, other := range map[string]Record{
		"another start time": {Name: r.Name, PID: r.PID, StartTicks: r.StartTicks + 1, Boot: r.Boot},
		"another boot":       {Name: r.Name, PID: r.PID, StartTicks: r.StartTicks, Boot: "earlier"},
	} {
		if other.Alive() {
			t.Errorf("a record with %s counts as alive", what)
		}
		if sent, err := other.Signal(9); sent || err != nil {
			t.Errorf("a record with %s got its signal: %t, %v", what, sent, err)
		}
	}
	if !r.Alive() {
		t.Error("the process was ended by a signal that was meant for another one")
	}
}

func TestEndAllEndsWhatIsRecordedAndSparesAStrangerWithAReusedNumber(t *testing.T) {
	book := Book(filepath.Join(t.TempDir(), "processes"))
	ours, stranger := sleeper(t, "sleep 60"), sleeper(t, "sleep 60")
	stubborn := sleeper(t, "trap '' TERM; while :; do sleep 0.05; done")
	r, err := Of("ours", ours.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Of("stranger", stranger.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	u, err := Of("stubborn", stubborn.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	reused := s
	reused.StartTicks--
	for _, one := range []Record{r, reused, u} {
		if err := book.Add(one); err != nil {
			t.Fatal(err)
		}
	}
	ended, err := book.EndAll(200 * time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if len(ended) != 2 || ended[0].Name != "ours" || ended[1].Name != "stubborn" {
		t.Errorf("ended %v, want ours and stubborn", ended)
	}
	if r.Alive() || u.Alive() {
		t.Error("a recorded process still runs")
	}
	if !s.Alive() {
		t.Error("a stranger was ended")
	}
	if left, err := book.List(); err != nil || len(left) != 0 {
		t.Errorf("records left: %v, %v", left, err)
	}
}

func TestABookWithAnUnreadableRecordIsAnError(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x-1.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Book(dir).List(); err == nil {
		t.Error("what the record stood for may still run, and nobody is told")
	}
}

func TestAChildIsRecordedWhileItRunsAndEndsWithTheContext(t *testing.T) {
	book := Book(filepath.Join(t.TempDir(), "processes"))
	log := filepath.Join(t.TempDir(), "child.log")
	ctx, cancel := context.WithCancel(t.Context())
	c, err := Start(ctx, exec.Command("sh", "-c", "echo started; exec sleep 60"), Options{Name: "child", Book: book, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	if all, err := book.List(); err != nil || len(all) != 1 || all[0] != c.Record {
		t.Errorf("recorded %v, %v; want %v", all, err, c.Record)
	}
	cancel()
	var exit *exec.ExitError
	if err := c.Wait(); !errors.As(err, &exit) {
		t.Errorf("the child ended with %v, want a signal", err)
	}
	if all, err := book.List(); err != nil || len(all) != 0 {
		t.Errorf("still recorded: %v, %v", all, err)
	}
}

func TestAChildThatIgnoresTheFirstSignalIsKilled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out := &ready{ch: make(chan struct{})}
	c, err := Start(ctx, exec.Command("sh", "-c", "trap '' TERM; echo trapped; while :; do sleep 0.05; done"),
		Options{Name: "stubborn", Output: out, Grace: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	<-out.ch
	cancel()
	select {
	case <-c.Done():
	case <-time.After(5 * time.Second):
		t.Fatal("the child still runs")
	}
}

// ready tells of the first write.
type ready struct {
	ch   chan struct{}
	told bool
}

func (r *ready) Write(b []byte) (int, error) {
	if !r.told {
		r.told = true
		close(r.ch)
	}
	return len(b), nil
}

func TestAProgramThatDoesNotExistIsAnErrorThatNamesThePart(t *testing.T) {
	_, err := Start(t.Context(), exec.Command("/does/not/exist"), Options{Name: "ghost"})
	if err == nil || !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("got %v", err)
	}
	if got := err.Error(); got[:len("start ghost:")] != "start ghost:" {
		t.Errorf("the error %q does not begin with the part", got)
	}
}
