package bundle

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/redact"
)

// events are lines, the oldest first: people read them as a story.
func (w *writer) events(items []unstructured.Unstructured) string {
	type line struct {
		at   time.Time
		text string
	}
	var all []line
	for i := range items {
		var e corev1.Event
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(items[i].Object, &e); err != nil {
			continue
		}
		at, count := e.LastTimestamp.Time, e.Count
		if e.Series != nil {
			at, count = e.Series.LastObservedTime.Time, e.Series.Count
		}
		if at.IsZero() {
			at = cmp.Or(e.EventTime.Time, e.FirstTimestamp.Time, e.CreationTimestamp.Time)
		}
		message := strings.Join(strings.Fields(e.Message), " ")
		clean := redact.Message(w.known.Replace(message))
		if clean != message {
			w.manifest.Redacted[redact.Texts]++
		}
		all = append(all, line{at, fmt.Sprintf("%s %s %s %s/%s x%d: %s", at.UTC().Format(time.RFC3339), e.Type, e.Reason,
			strings.ToLower(e.InvolvedObject.Kind), e.InvolvedObject.Name, max(count, 1), clean)})
	}
	slices.SortFunc(all, func(a, b line) int { return cmp.Or(a.at.Compare(b.at), strings.Compare(a.text, b.text)) })
	text := make([]string, len(all))
	for i, l := range all {
		text[i] = l.text
	}
	return lines(text)
}
