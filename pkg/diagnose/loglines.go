package diagnose

import (
	"regexp"
	"slices"
	"strings"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/redact"
)

const (
	// maxLogLine and maxLogLines bound what is shown of a log, in bytes and lines.
	maxLogLine  = 200
	maxLogLines = 5
	// maxErrorLines of a log are shown that report an error without being the last.
	maxErrorLines = 3
)

var (
	// The Go runtime's last words, and what follows them: the goroutine that panicked.
	goPanic = regexp.MustCompile(`^(panic: |fatal error: |runtime: out of memory)`)
	// Python's: the exception is the first line that is not indented after the last of these.
	traceback = regexp.MustCompile(`Traceback \(most recent call last\):$`)
	// A level in the forms of klog, logfmt, JSON and plain text.
	fatalLine = regexp.MustCompile(`^F\d{4} |(?i)\b(level"?[=:] ?"?(fatal|panic|critical)|fatal|critical|emerg)\b`)
	errorLine = regexp.MustCompile(`^E\d{4} |(?i)(\berror\b|\bexception\b|[a-z]+(error|exception):|\bfailed\b|\bfailure\b|\bcannot\b|\bcould not\b|\bunable to\b|\brefused\b|\bdenied\b|no such file|\bnot found\b)`)
	// What a program says while it ends is the effect of the error before.
	endingLine = regexp.MustCompile(`(?i)shutting down|shut down|stopping|stopped|terminating|gracefully|context canceled|use of closed network connection|wait completed|exiting`)
)

// telling picks the lines of a log that say why a program ended: a Go panic from its
// first line on; the exception of a Python traceback with the place that raised it;
// else the lines that report an error, and not those about shutting down after it;
// without any, the last ones. The lines keep their order.
func telling(lines []string) []string {
	var kept []string
	raw := make([]string, 0, len(lines)) // with the indentation, which cut takes away
	for _, l := range lines {
		if c := cut(redact.Log(l), maxLogLine); c != "" {
			kept, raw = append(kept, c), append(raw, l)
		}
	}
	if i := slices.IndexFunc(kept, goPanic.MatchString); i >= 0 {
		return kept[i:min(i+maxLogLines, len(kept))]
	}
	if from, to := pythonException(raw); to > 0 {
		return kept[from:to]
	}
	var chosen []int
	choose := func(reports *regexp.Regexp) {
		for i := len(kept) - 1; i >= 0 && len(chosen) < maxErrorLines; i-- {
			if reports.MatchString(kept[i]) && !endingLine.MatchString(kept[i]) && !slices.Contains(chosen, i) {
				chosen = append(chosen, i)
			}
		}
	}
	choose(fatalLine)
	choose(errorLine)
	// The rest of the room is for the end of the log, up to the line with the error where
	// what follows is about ending.
	for i := len(kept) - 1; i >= 0 && len(chosen) < min(maxLogLines, len(kept)); i-- {
		if !slices.Contains(chosen, i) && (len(chosen) == 0 || !endingLine.MatchString(kept[i]) || i < slices.Min(chosen)) {
			chosen = append(chosen, i)
		}
	}
	slices.Sort(chosen)
	out := make([]string, 0, len(chosen))
	for _, i := range chosen {
		out = append(out, kept[i])
	}
	return out
}

// pythonException is where the last frame and the exception of the last traceback are.
func pythonException(lines []string) (from, to int) {
	start := -1
	for i, l := range lines {
		if traceback.MatchString(strings.TrimRight(l, " \r")) {
			start = i
		}
	}
	if start < 0 {
		return 0, 0
	}
	from = start
	for i := start + 1; i < len(lines); i++ {
		if !strings.HasPrefix(lines[i], " ") && !strings.HasPrefix(lines[i], "\t") {
			return max(from, i-maxLogLines+1), i + 1
		}
		if strings.HasPrefix(strings.TrimSpace(lines[i]), "File ") {
			from = i
		}
	}
	return 0, 0 // the log ends within it
}
