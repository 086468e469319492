package status

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// suspicious tells that an object of the installation has been changed by somebody
// else, as far as its metadata shows: the fields that the last run owned are not owned
// any more. Whether their values differ only the whole object tells.
func (s *Snapshot) suspicious(r components.Rendered, u *unstructured.Unstructured) bool {
	if s.Inventory == nil || r.Component.UserData || s.Existing(r.Component.Name) || components.Generated(u) != nil || u.GetKind() == definition {
		return false
	}
	live := s.Object(cluster.RefOf(u))
	return live != nil && live.GetDeletionTimestamp() == nil && !s.Inventory.Holds(cluster.RefOf(u), u, live)
}

// checkDrift: fields that the installation has set, that somebody else has changed since.
func checkDrift(s *Snapshot) []report.Cause {
	var causes []report.Cause
	for _, r := range s.Expected {
		for _, u := range r.Objects {
			if !s.suspicious(r, u) {
				continue
			}
			ref := cluster.RefOf(u)
			for who, lines := range drifts(wanted(u), s.Object(ref)) {
				slices.Sort(lines)
				c := report.Cause{
					Name: diagnose.Drift, Severity: report.Warning, Component: r.Component.Name, Object: ref,
					Summary: fmt.Sprintf("%s changed what the installation set", who),
					Remedy:  "show it: kubectl jupyter install --diff; revert it: kubectl jupyter install --adopt; keep it: put it in a kustomization and install with -k",
				}
				if ref.Group == "security.istio.io" {
					c.Name, c.Severity = diagnose.PolicyChanged, report.Error
					c.Summary = fmt.Sprintf("%s changed a policy of the gateway or the web app", who)
				}
				for _, l := range lines {
					c.Evidence = append(c.Evidence, ref.String()+": "+l)
				}
				causes = append(causes, c)
			}
		}
	}
	slices.SortStableFunc(causes, func(a, b report.Cause) int {
		return strings.Compare(a.Object.String()+a.Summary, b.Object.String()+b.Summary)
	})
	return causes
}

// wanted is an expected object with the label that makes it a member of the installation.
func wanted(u *unstructured.Unstructured) *unstructured.Unstructured {
	out := u.DeepCopy()
	labels := out.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	key, value, _ := strings.Cut(rollout.MemberSelector(), "=")
	labels[key] = value
	out.SetLabels(labels)
	return out
}

// drifts finds what has another value than was sent and is not ours any more, by who
// did it.
func drifts(sent, live *unstructured.Unstructured) map[string][]string {
	all := writers(live)
	var ours []writer
	for _, w := range all {
		if w.ours() {
			ours = append(ours, w)
		}
	}
	out := map[string][]string{}
	body := map[string]any{}
	for k, v := range rollout.WithoutForeign(sent, live).Object {
		if k != "apiVersion" && k != "kind" && k != "metadata" && k != "status" {
			body[k] = v
		}
	}
	metadata := map[string]any{}
	for k, v := range map[string]map[string]string{"labels": sent.GetLabels(), "annotations": sent.GetAnnotations()} {
		fields := map[string]any{}
		for name, value := range v {
			fields[name] = value
		}
		if len(fields) > 0 {
			metadata[k] = fields
		}
	}
	body["metadata"] = metadata
	off := switchedOff(sent, live)
	for _, d := range differences(body, live.Object, nil, nil) {
		if off && reflect.DeepEqual(d.path, replicasPath) {
			continue // it has a name of its own
		}
		if slices.ContainsFunc(ours, func(w writer) bool { return w.fields.owns(d.path) }) {
			continue // sent by a newer or an older version, and still as it was sent
		}
		who, at := culprit(all, d.path)
		out[who] = append(out[who], fmt.Sprintf("%s %s%s", d, change(d), at))
	}
	return out
}

// culprit is who owns a field now; of one that is gone, nobody knows, so whoever wrote
// last is named as that.
func culprit(all []writer, path []step) (who, at string) {
	last := writer{name: "an unknown manager"}
	for _, w := range all {
		if w.ours() {
			continue
		}
		if w.fields.owns(path) {
			return w.name, fmt.Sprintf(", by %s", w)
		}
		if w.time.After(last.time) {
			last = w
		}
	}
	if last.time.Equal(time.Time{}) {
		return last.name, ""
	}
	return last.name, fmt.Sprintf(", most likely by %s", last)
}

// maxShown is the longest value that is worth showing, in bytes.
const maxShown = 60

// change tells both values of a field. Those of environments and of data are nobody's
// business: people put passwords there.
func change(d difference) string {
	private := slices.ContainsFunc(d.path, func(s step) bool {
		return s.field == "env" || s.field == "data" || s.field == "stringData" || s.field == "binaryData"
	})
	was, is := fmt.Sprint(d.sent), fmt.Sprint(d.live)
	switch {
	case d.live == nil:
		return "is gone"
	case private || len(was) > maxShown || len(is) > maxShown || strings.ContainsAny(was+is, "\n"):
		return "is different"
	}
	return fmt.Sprintf("was %s, is %s", was, is)
}
