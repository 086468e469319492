package preflight

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// refusalsShown bounds the objects that one cause names.
const refusalsShown = 20

// aboutRights tells a refusal that is a matter of the user's rights from one of a policy,
// or of a platform that denies it to everybody: all are 403.
func aboutRights(r rollout.Refusal) bool {
	if diagnose.OtherAuthorizer(r.Err.Error()) != "" {
		return false
	}
	return rollout.Escalates(r.Err) || apierrors.IsForbidden(r.Err) && strings.Contains(r.Err.Error(), `User "`) && strings.Contains(r.Err.Error(), " cannot ")
}

// findPermissions: what the access reviews say, and what the dry runs found that no
// access review tells.
func findPermissions(f *Facts) (string, []report.Cause) {
	who := fmt.Sprintf("the user of context %q", f.Target.Context)
	if f.Impersonated != "" {
		who = fmt.Sprintf("user %q", f.Impersonated)
	}
	const ask = "request them, or choose another --context, --user or --as"
	if len(f.Missing) > 0 {
		said := fmt.Sprintf("%s lacks %s", who, report.Count(len(f.Missing), "permission"))
		return said, []report.Cause{{
			Name: diagnose.PermissionMissing, Severity: report.Fatal,
			Summary: fmt.Sprintf("%s in cluster %q", said, f.Target.Cluster), Evidence: rollout.Gathered(f.Missing), Remedy: ask,
		}}
	}
	var refused []string
	c := report.Cause{Name: diagnose.PermissionMissing, Severity: report.Fatal}
	for _, r := range f.Refusals {
		if !aboutRights(r) {
			continue
		}
		refused = append(refused, fmt.Sprintf("%s: %s", r.Ref, oneLine(r.Err)))
		if c.Object.Kind == "" {
			c.Component, c.Object = r.Component, r.Ref
		} else {
			c.Also = append(c.Also, r.Ref)
		}
	}
	switch {
	case len(refused) == 0 && f.Tried > 0:
		return fmt.Sprintf("%s has all permissions; %s accepted in a dry run", who, report.Count(f.Tried, "object")), nil
	case len(refused) == 0:
		return who + " has all permissions", nil
	}
	if len(refused) == 1 {
		c.Summary = fmt.Sprintf("%s cannot write %s, which grants more than the user has", who, c.Object)
	} else {
		c.Summary = fmt.Sprintf("%s cannot write %d roles, which grant more than the user has", who, len(refused))
	}
	c.Evidence = bounded(refused, refusalsShown, "object")
	c.Remedy = "use a user that is cluster-admin, or request the verbs escalate and bind on clusterroles and roles"
	return fmt.Sprintf("%s refused, although the access reviews allow it", report.Count(len(refused), "object")), []report.Cause{c}
}

// findRefusals: what a policy, a webhook or a validation refuses.
func findRefusals(f *Facts) (string, []report.Cause) {
	var causes []report.Cause
	at := map[string]int{}
	total := 0
	for _, r := range f.Refusals {
		if aboutRights(r) {
			continue
		}
		total++
		said := oneLine(r.Err)
		// The same answer for many objects is one cause.
		if i, known := at[said]; known {
			causes[i].Also = append(causes[i].Also, r.Ref)
			continue
		}
		at[said] = len(causes)
		var taken *rollout.NamespaceTaken
		if errors.As(r.Err, &taken) {
			causes = append(causes, report.Cause{
				Name: diagnose.BelongsToOthers, Severity: report.Fatal, Component: r.Component, Object: report.Ref{Kind: "Namespace", Name: taken.Namespace},
				Summary:  "the namespace of the first user belongs to another owner, and the profile controller does not take it over",
				Evidence: []string{said},
				Remedy:   taken.Remedy(),
			})
			continue
		}
		causes = append(causes, report.Cause{
			Name: diagnose.ObjectRefused, Severity: report.Fatal, Component: r.Component, Object: r.Ref,
			Summary:  "the server refuses the object in a dry run",
			Evidence: []string{said},
			Remedy:   accepted(r),
		})
	}
	if total > 0 {
		return fmt.Sprintf("%s would be refused", report.Count(total, "object")), causes
	}
	return fmt.Sprintf("%s: %d to create, %d to change", report.Count(f.Objects, "object"), f.Created, f.Configured), nil
}

// accepted says how a refused object becomes one that the server takes. Where it is
// there and would be invalid after the change, no policy is to blame: what somebody has
// set in it and what is sent do not go together, and taking it over leaves both in place.
func accepted(r rollout.Refusal) string {
	if !r.Exists || !apierrors.IsInvalid(r.Err) {
		return "the answer names what refused it: ask for an exception, or change the object with your own kustomization (-k DIR)"
	}
	kubectl := func(words ...string) string {
		line := append([]string{"kubectl"}, words...)
		if r.Ref.Namespace != "" {
			line = append([]string{"kubectl", "-n", r.Ref.Namespace}, words...)
		}
		return strings.Join(line, " ")
	}
	kind := strings.ToLower(schema.GroupKind{Group: r.Ref.Group, Kind: r.Ref.Kind}.String())
	who := cmp.Or(strings.Join(r.Managers, ", "), "an unknown manager")
	lines := []string{fmt.Sprintf("revert what %s has set in it: %s", who, kubectl("edit", kind, r.Ref.Name))}
	if strings.Contains(r.Err.Error(), ".env[") {
		lines = append(lines, "an environment variable: "+kubectl("set", "env", kind, r.Ref.Name, "NAME-"))
	}
	if r.Replaceable() {
		lines = append(lines, "or delete it and install again: "+kubectl("delete", kind, r.Ref.Name))
	}
	return strings.Join(lines, "\n")
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
