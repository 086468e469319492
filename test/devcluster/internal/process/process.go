// Package process starts the bed's processes so that each can be found again
// by whoever has to clean up, even after a SIGKILL of the one that started it.
//
// A process is known by its number, its start time and the boot of the
// machine. The number alone is reused: killing by it alone would sooner or
// later end a stranger.
package process

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Record is what identifies one process for the whole life of the machine.
type Record struct {
	Name string `json:"name"`
	PID  int    `json:"pid"`
	// StartTicks is the start time of the process in clock ticks since boot,
	// field 22 of /proc/PID/stat.
	StartTicks uint64 `json:"startTicks"`
	// Boot is the kernel's identifier of the running boot.
	Boot string `json:"boot"`
}

// Of reads the record of a running process.
func Of(name string, pid int) (Record, error) {
	ticks, state, err := stat(pid)
	if err != nil {
		return Record{}, err
	}
	if state == 'Z' || state == 'X' {
		return Record{}, fmt.Errorf("process %d has ended: %w", pid, os.ErrProcessDone)
	}
	boot, err := bootID()
	if err != nil {
		return Record{}, err
	}
	return Record{Name: name, PID: pid, StartTicks: ticks, Boot: boot}, nil
}

// Alive tells whether exactly this process still runs. A zombie does not.
func (r Record) Alive() bool {
	now, err := Of(r.Name, r.PID)
	return err == nil && now == r
}

// Signal sends sig if exactly this process still runs and tells whether it did.
func (r Record) Signal(sig syscall.Signal) (bool, error) {
	if r.PID <= 1 {
		return false, nil
	}
	// A pidfd keeps meaning the same process between the check and the signal.
	p, err := os.FindProcess(r.PID)
	if err != nil {
		return false, nil
	}
	defer func() { _ = p.Release() }()
	if !r.Alive() {
		return false, nil
	}
	err = p.Signal(sig)
	if errors.Is(err, os.ErrProcessDone) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("signal %s to %s (process %d): %w", sig, r.Name, r.PID, err)
	}
	return true, nil
}

func stat(pid int) (startTicks uint64, state byte, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	return parseStat(b)
}

// parseStat reads /proc/PID/stat. The command's name, the second field, is in
// parentheses and may itself hold spaces and parentheses: fields are counted
// from the last one that closes.
func parseStat(b []byte) (startTicks uint64, state byte, err error) {
	i := bytes.LastIndexByte(b, ')')
	if i < 0 {
		return 0, 0, fmt.Errorf("unexpected /proc/PID/stat %q", b)
	}
	f := strings.Fields(string(b[i+1:]))
	if len(f) < 20 || len(f[0]) != 1 {
		return 0, 0, fmt.Errorf("unexpected /proc/PID/stat %q", b)
	}
	startTicks, err = strconv.ParseUint(f[19], 10, 64)
	if err != nil {
		return 0, 0, fmt.Errorf("unexpected start time in /proc/PID/stat: %w", err)
	}
	return startTicks, f[0][0], nil
}

func bootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("identifier of this boot: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// Book is a directory with one file for each process of a bed. Each record
// is a file of its own, so that several processes can write without a lock.
type Book string

// Add records a running process.
func (b Book) Add(r Record) error {
	if err := os.MkdirAll(string(b), 0o700); err != nil {
		return err
	}
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	final := b.file(r)
	tmp := final + ".tmp"
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, final)
}

// Remove forgets a process that has ended.
func (b Book) Remove(r Record) error {
	err := os.Remove(b.file(r))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

func (b Book) file(r Record) string {
	return filepath.Join(string(b), fmt.Sprintf("%s-%d.json", r.Name, r.PID))
}

// List returns all records, by name and number. A missing directory is an
// empty book; a file that cannot be read as a record is an error, since what
// it stood for may still run.
func (b Book) List() ([]Record, error) {
	files, err := filepath.Glob(filepath.Join(string(b), "*.json"))
	if err != nil {
		return nil, err
	}
	var all []Record
	for _, f := range files {
		data, err := os.ReadFile(f)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		var r Record
		if err := json.Unmarshal(data, &r); err != nil {
			return nil, fmt.Errorf("process record %s: %w", f, err)
		}
		all = append(all, r)
	}
	sort.Slice(all, func(i, j int) bool {
		return all[i].Name < all[j].Name || all[i].Name == all[j].Name && all[i].PID < all[j].PID
	})
	return all, nil
}

// EndAll ends every recorded process that still runs: first SIGTERM, after
// grace SIGKILL. It returns those that it had to end, and an error when one
// of them is still there 5 s after SIGKILL.
func (b Book) EndAll(grace time.Duration) ([]Record, error) {
	all, err := b.List()
	if err != nil {
		return nil, err
	}
	var ended []Record
	var errs []error
	for _, r := range all {
		sent, err := r.Signal(syscall.SIGTERM)
		if err != nil {
			errs = append(errs, err)
		}
		if sent {
			ended = append(ended, r)
		}
	}
	if !waitGone(ended, grace) {
		for _, r := range ended {
			if _, err := r.Signal(syscall.SIGKILL); err != nil {
				errs = append(errs, err)
			}
		}
		if !waitGone(ended, 5*time.Second) {
			errs = append(errs, fmt.Errorf("processes still run after SIGKILL: %s", names(ended)))
		}
	}
	if len(errs) > 0 {
		return ended, errors.Join(errs...)
	}
	for _, r := range all {
		if err := b.Remove(r); err != nil {
			return ended, err
		}
	}
	return ended, nil
}

func names(rs []Record) string {
	var s []string
	for _, r := range rs {
		if r.Alive() {
			s = append(s, fmt.Sprintf("%s (%d)", r.Name, r.PID))
		}
	}
	return strings.Join(s, ", ")
}

// WaitGone waits until the process has ended and tells whether it did.
// There is nothing to watch for a process that is nobody's child here: the
// process table is looked at every few milliseconds.
func (r Record) WaitGone(timeout time.Duration) bool { return waitGone([]Record{r}, timeout) }

func waitGone(rs []Record, timeout time.Duration) bool {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(timeout)
	for {
		gone := true
		for _, r := range rs {
			gone = gone && !r.Alive()
		}
		if gone {
			return true
		}
		select {
		case <-tick.C:
		case <-deadline:
			return false
		}
	}
}
