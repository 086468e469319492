package status

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// checkMissing: what is expected, may be read, and is not there.
func checkMissing(s *Snapshot) []report.Cause {
	var causes []report.Cause
	for _, r := range s.Expected {
		name := r.Component.Name
		if s.Existing(name) {
			continue // its objects may have other names
		}
		for _, u := range r.Objects {
			ref := RefOf(u)
			if s.Inventory == nil && !essential(ref.Kind) {
				continue
			}
			if s.live(u) == nil && s.Presence(ref) == Absent && (ref.Kind != definition || s.Object(ref) == nil) {
				causes = append(causes, missing(name, ref))
			}
		}
		for _, p := range r.Component.Produces {
			if ref := producedRef(p); s.Presence(ref) == Absent {
				causes = append(causes, report.Cause{
					Name: diagnose.ProfileMissing, Severity: report.Error, Component: name, Object: ref,
					Summary:  fmt.Sprintf("the profile controller has not made what notebooks in namespace %s need", p.Namespace),
					Evidence: []string{ref.String() + ": not found"},
					Remedy:   "see what the controller says: kubectl -n kubeflow logs deployment/profiles-deployment -c manager --tail=20",
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
		Remedy:   "kubectl jupyter install brings back what is missing",
	}
	switch ref.Kind {
	case definition:
		c.Name, c.Summary = diagnose.KindMissing, "definitions are missing: objects of their kinds are refused with \"no matches for kind\""
	case "Namespace":
		c.Name, c.Summary = diagnose.NamespaceMissing, "namespaces of the stack do not exist"
	case "AuthorizationPolicy", "RequestAuthentication":
		c.Name, c.Summary = diagnose.PolicyMissing, "policies are missing, and what they guard is not guarded, or nobody gets in"
	case "ClusterRoleBinding":
		if strings.HasPrefix(ref.Name, "jupyter-web-app-namespaces-") {
			c.Name, c.Summary = diagnose.NamespaceListFails, "the person may not see the list of namespaces in the web app"
		}
	case "VirtualService":
		c.Name, c.Summary = diagnose.RouteMissing, "routes are missing: the gateway answers 404 for what they lead to"
	case "Profile":
		c.Name, c.Summary = diagnose.ProfileMissing, "the person has no Profile, and so no namespace for notebooks"
	}
	return c
}

// checkForbidden: what may not be looked at is told once, with everything it concerns.
func checkForbidden(s *Snapshot) []report.Cause {
	var evidence []string
	unread := 0
	for _, r := range s.Reads {
		switch {
		case r.Forbidden && !slices.Contains(evidence, r.Error):
			evidence = append(evidence, r.Error)
		case r.Error != "" && !r.Forbidden:
			unread++
		}
	}
	var causes []report.Cause
	if len(evidence) > 0 {
		causes = append(causes, report.Cause{
			Name: diagnose.Forbidden, Severity: report.Warning,
			Summary:  "not everything may be read, so there may be more causes",
			Evidence: evidence,
			Remedy:   "ask for the right to get and list what is named: kubectl auth can-i --list",
		})
	}
	if unread > 0 {
		c := report.Cause{
			Name: diagnose.Unreadable, Severity: report.Warning,
			Summary: "the cluster did not answer everything that was asked; there may be more causes",
			Remedy:  "ask again: kubectl jupyter status",
		}
		for _, r := range s.Reads {
			if r.Error != "" && !r.Forbidden {
				c.Evidence = append(c.Evidence, r.String()+": "+r.Error)
			}
		}
		causes = append(causes, c)
	}
	return causes
}
