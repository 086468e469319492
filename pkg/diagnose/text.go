package diagnose

import (
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

const (
	// maxLogLine and maxLogLines bound what is shown of a log, in bytes and lines.
	maxLogLine  = 200
	maxLogLines = 5
	// maxMessage bounds a condition's or an event's message, in bytes. The answers of
	// registries and of Pod Security are long, and their end is what matters.
	maxMessage = 500
)

// cut shortens s to at most n bytes without breaking a character.
func cut(s string, n int) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= n {
		return s
	}
	const dots = "..."
	end := n - len(dots)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + dots
}

// Logs are evidence, and evidence ends up in tickets and chats. What looks like a
// credential is taken out; a word too many is better than a password.
var (
	assignment = regexp.MustCompile(`(?i)([a-z0-9_-]*(?:passwo?r?d|passphrase|secret|token|api[-_]?key|cookie|credential)[a-z0-9_-]*["']?\s*[:=]\s*)("[^"]*"|'[^']*'|[^\s,;&"']+)`)
	bearer     = regexp.MustCompile(`(?i)\b((?:bearer|basic)\s+)[a-z0-9._~+/=-]{8,}`)
	jwt        = regexp.MustCompile(`\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?`)
	userinfo   = regexp.MustCompile(`(://[^/\s:@]+:)[^@\s/]+@`)
	bcryptHash = regexp.MustCompile(`\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}`)
)

const redacted = "[redacted]"

func redact(line string) string {
	return redactTokens(assignment.ReplaceAllString(line, "${1}"+redacted))
}

// redactTokens is for what Kubernetes itself says, where "secret: ..." names an object
// and hides nothing.
func redactTokens(line string) string {
	line = bearer.ReplaceAllString(line, "${1}"+redacted)
	line = jwt.ReplaceAllString(line, redacted)
	line = bcryptHash.ReplaceAllString(line, redacted)
	return userinfo.ReplaceAllString(line, "${1}"+redacted+"@")
}

// tail picks the lines of a log that say most: from a panic's first line on, or the last ones.
func tail(lines []string) []string {
	var kept []string
	for _, l := range lines {
		if l = cut(redact(l), maxLogLine); l != "" {
			kept = append(kept, l)
		}
	}
	for i, l := range kept {
		if strings.HasPrefix(l, "panic:") {
			return kept[i:min(i+maxLogLines, len(kept))]
		}
	}
	return kept[max(0, len(kept)-maxLogLines):]
}

func age(d time.Duration) string { return duration.HumanDuration(d) }

// describe is the command that shows the most about an object.
func describe(r report.Ref) string { return kubectl("describe", r) }

func kubectl(verb string, r report.Ref) string {
	kind := strings.ToLower(r.Kind)
	if r.Group != "" && !wellKnown(r.Group) {
		kind += "." + r.Group
	}
	if r.Namespace == "" {
		return "kubectl " + verb + " " + kind + " " + r.Name
	}
	return "kubectl -n " + r.Namespace + " " + verb + " " + kind + " " + r.Name
}

func wellKnown(group string) bool {
	return !strings.Contains(group, ".") || strings.HasSuffix(group, ".k8s.io")
}

// event says an event's or condition's reason and message in one line.
func event(reason, message string) string {
	message = cut(redactTokens(message), maxMessage)
	switch {
	case message == "":
		return reason
	case reason == "":
		return message
	}
	return reason + ": " + message
}
