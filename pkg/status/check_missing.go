package status

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/login"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// maxLines of evidence are kept of one cause.
const maxLines = 8

// checkMissing: what is expected, may be read, and is not there.
func checkMissing(s *Snapshot) []report.Cause {
	var causes []report.Cause
	for _, r := range s.Expected {
		name := r.Component.Name
		if s.Existing(name) {
			continue // its objects may have other names
		}
		for _, u := range r.Objects {
			ref := cluster.RefOf(u)
			if s.Inventory == nil && !essential(ref.Kind) || ref == login.CredentialsRef || ref == login.OriginRef {
				continue // the latter are told by checkCredentials and checkOrigin
			}
			if s.live(u) == nil && s.Presence(ref) == Absent && (ref.Kind != definition || s.Object(ref) == nil) {
				causes = append(causes, missing(name, ref))
			}
		}
		for _, p := range r.Component.Produces {
			if ref := producedRef(p); s.Presence(ref) == Absent {
				causes = append(causes, report.Cause{
					Name: diagnose.ProfileMissing, Severity: report.Error, Component: name, Object: ref,
					Summary:  fmt.Sprintf("the profile controller has not created what notebooks in namespace %s need", p.Namespace),
					Evidence: []string{ref.String() + ": not found"},
					Remedy:   "see the controller's log: kubectl -n kubeflow logs deployment/profiles-deployment -c manager --tail=20",
				})
			}
		}
	}
	return causes
}

func missing(component string, ref report.Ref) report.Cause {
	c := report.Cause{
		Name: diagnose.ObjectMissing, Severity: report.Error, Component: component, Object: ref,
		Summary:  fmt.Sprintf("objects of component %s do not exist", component),
		Evidence: []string{ref.String() + ": not found"},
		Remedy:   "kubectl jupyter install recreates what is missing",
	}
	switch ref.Kind {
	case definition:
		c.Name, c.Summary = diagnose.KindMissing, "CRDs are missing: objects of their kinds are refused with \"no matches for kind\""
	case "Namespace":
		c.Name, c.Summary = diagnose.NamespaceMissing, "namespaces of the stack do not exist"
	case "AuthorizationPolicy", "RequestAuthentication":
		c.Name, c.Summary = diagnose.PolicyMissing, "policies are missing: what they protect is open, or no one has access"
	case "EnvoyFilter":
		if ref.Name == "profiles-kfam-people" {
			c.Name, c.Summary = diagnose.PolicyMissing, "the filter is missing by which KFAM tells people about themselves alone: whoever is logged in can ask who works in which namespace"
		}
	case "VirtualService":
		c.Name, c.Summary = diagnose.RouteMissing, "routes are missing: the gateway answers 404 for their paths"
	case "HorizontalPodAutoscaler":
		c.Severity, c.Summary = report.Warning, "autoscalers are missing: nothing adds pods under load"
	case "Profile":
		c.Name, c.Summary = diagnose.ProfileMissing, "the user has no Profile, so no namespace for notebooks"
	}
	return c
}

// checkForbidden: what may not be looked at, and what was not answered, is told once.
func checkForbidden(s *Snapshot) []report.Cause {
	var evidence, unread []string
	places := map[string][]string{}
	for _, r := range s.Reads {
		switch {
		case r.Forbidden:
			kind := Read{Group: r.Group, Kind: r.Kind}.String()
			if places[kind] == nil && len(evidence) == 0 {
				evidence = []string{r.Error} // one is as good as the other
			}
			if where := cmp.Or(r.Namespace, "the whole cluster"); !slices.Contains(places[kind], where) {
				places[kind] = append(places[kind], where)
			}
		case r.Error != "":
			unread = append(unread, r.String()+": "+r.Error)
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(places)) {
		evidence = append(evidence, fmt.Sprintf("cannot read: %s in %s", kind, strings.Join(places[kind], ", ")))
	}
	if n := len(evidence) - maxLines; n > 0 {
		evidence = append(evidence[:maxLines-1], fmt.Sprintf("and %d more kinds", n+1))
	}
	var causes []report.Cause
	if len(evidence) > 0 {
		causes = append(causes, report.Cause{
			Name: diagnose.Forbidden, Severity: report.Warning,
			Summary:  "not everything can be read, so there may be more causes",
			Evidence: evidence,
			Remedy:   "request permission to get and list these resources: kubectl auth can-i --list",
		})
	}
	if len(unread) > 0 {
		causes = append(causes, report.Cause{
			Name: diagnose.Unreadable, Severity: report.Warning,
			Summary:  "the cluster did not answer every request, so there may be more causes",
			Evidence: unread,
			Remedy:   "try again: kubectl jupyter status",
		})
	}
	return causes
}
