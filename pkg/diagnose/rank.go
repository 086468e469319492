package diagnose

import (
	"slices"
	"strings"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// maxEvidence bounds the lines of one cause: more is a log, not evidence.
const maxEvidence = 8

// Rank merges causes that are the same, which is to say of one name and one summary,
// and orders them: the worst first, then what others follow from, then as they came.
// The objects of merged causes are in Also, each once.
func Rank(causes []report.Cause) []report.Cause {
	type key struct{ name, summary string }
	at := map[key]int{}
	var ranked []report.Cause
	for _, c := range causes {
		k := key{c.Name, c.Summary}
		i, known := at[k]
		if !known {
			at[k] = len(ranked)
			c.Also, c.Evidence = addRefs(c.Object, nil, c.Also...), addLines(nil, c.Evidence)
			ranked = append(ranked, c)
			continue
		}
		first := &ranked[i]
		first.Severity = max(first.Severity, c.Severity)
		first.Also = addRefs(first.Object, first.Also, append([]report.Ref{c.Object}, c.Also...)...)
		first.Evidence = addLines(first.Evidence, c.Evidence)
		if first.Component != c.Component && first.Component == "" {
			first.Component = c.Component
		}
	}
	slices.SortStableFunc(ranked, func(a, b report.Cause) int {
		if a.Severity != b.Severity {
			return int(b.Severity) - int(a.Severity)
		}
		return weight[b.Name] - weight[a.Name]
	})
	return ranked
}

func addRefs(object report.Ref, also []report.Ref, more ...report.Ref) []report.Ref {
	for _, r := range more {
		if r != object && r != (report.Ref{}) && !slices.Contains(also, r) {
			also = append(also, r)
		}
	}
	return also
}

func addLines(lines, more []string) []string {
	for _, l := range more {
		if l != "" && len(lines) < maxEvidence && !slices.Contains(lines, l) {
			lines = append(lines, l)
		}
	}
	return lines
}

// Hopeless tells that waiting longer cannot help: the object itself has to change. A
// container that crashes is not hopeless, since what it needs may still come; neither
// is a full cluster, a quota or a volume, since somebody may be making room.
func Hopeless(c report.Cause) bool {
	switch c.Name {
	case InvalidImageName, WrongArchitecture, PodSecurityViolation, InvalidObject, CRDNamesConflict, CRDNonStructural:
		return c.Severity >= report.Error
	case ImagePullBackOff:
		return slices.ContainsFunc(c.Evidence, func(l string) bool { return notInRegistry(strings.ToLower(l)) })
	}
	return false
}
