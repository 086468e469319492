package diagnose

import (
	"strings"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/redact"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

const (
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
	message = cut(redact.Message(message), maxMessage)
	switch {
	case message == "":
		return reason
	case reason == "":
		return message
	}
	return reason + ": " + message
}
