package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// memoryEvery is how often a process is asked for its largest resident set. The
// kernel keeps the maximum, so only what grows in a process's last moments is missed.
const memoryEvery = 5 * time.Millisecond

// watchMemory follows the largest resident set of a process; the function it returns
// ends that and tells it in bytes. The rusage of an ended process would not do: it
// includes what the parent had resident when it forked.
func watchMemory(pid int) func() int64 {
	stop, peak := make(chan struct{}), make(chan int64)
	go func() {
		var most int64
		every := time.NewTicker(memoryEvery)
		defer every.Stop()
		for {
			most = max(most, highWater(pid))
			select {
			case <-every.C:
			case <-stop:
				peak <- most
				return
			}
		}
	}()
	return func() int64 { close(stop); return <-peak }
}

// highWater is the largest resident set so far, in bytes; 0 when the process has ended.
func highWater(pid int) int64 {
	text, _, _ := strings.Cut(field(fmt.Sprintf("/proc/%d/status", pid), "VmHWM"), " ")
	kib, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return kib * 1024
}
