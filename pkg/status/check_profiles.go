package status

import (
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// checkProfiles: people without a namespace, and namespaces without what notebooks need.
func checkProfiles(s *Snapshot) []report.Cause {
	if s.Component("profiles") == nil {
		return nil
	}
	profiles := s.All("kubeflow.org", "Profile")
	if len(profiles) == 0 {
		// An object of no name is absent as soon as the list was read. The first user's own
		// Profile, where one was installed, is among the missing objects.
		if s.Presence(report.Ref{Group: "kubeflow.org", Kind: "Profile"}) != Absent || s.Component("user-profile") != nil {
			return nil
		}
		return []report.Cause{{
			Name: diagnose.ProfileMissing, Severity: report.Error, Component: "profiles",
			Summary:  "there is no Profile, so no user has a namespace for notebooks",
			Evidence: []string{"Profiles: 0"},
			Remedy:   "kubectl jupyter user add EMAIL",
		}}
	}
	c := report.Cause{Name: diagnose.ProfileMissing, Severity: report.Delay, Component: "profiles"}
	complete := false
	for _, p := range profiles {
		ref := report.Ref{Kind: "ServiceAccount", Namespace: p.GetName(), Name: editor}
		if p.GetDeletionTimestamp() != nil {
			continue
		}
		if s.Presence(ref) != Absent || s.produced(ref) {
			complete = complete || s.Presence(ref) == Present
			continue
		}
		if c.Object.Kind == "" {
			c.Object = cluster.RefOf(p)
		} else {
			c.Also = append(c.Also, cluster.RefOf(p))
		}
		if age := s.Time.Sub(p.GetCreationTimestamp().Time); age >= settling {
			c.Severity = report.Error
		}
		_, said := conditionsOf(p)
		c.Evidence = append(append(c.Evidence, ref.String()+": not found"), said...)
	}
	if c.Object.Kind == "" {
		return nil
	}
	c.Summary = fmt.Sprintf("the profile controller has not created what notebooks in namespace %s need", c.Object.Name)
	if n := len(c.Also); n > 0 {
		c.Summary = fmt.Sprintf("the profile controller has not created what notebooks need in the namespaces of %d of %d Profiles", n+1, len(profiles))
	}
	c.Remedy = "kubectl describe profile " + c.Object.Name + "\nkubectl -n kubeflow logs deployment/profiles-deployment -c manager --tail=20"
	// A controller that has done it for others works: something is odd about these.
	if complete && c.Severity == report.Error {
		c.Severity = report.Warning
	}
	return []report.Cause{c}
}

// conditionsOf are a Profile's messages; failed where one of them reports an error.
func conditionsOf(p *unstructured.Unstructured) (failed bool, said []string) {
	conditions, _, _ := unstructured.NestedSlice(p.Object, "status", "conditions")
	for _, item := range conditions {
		condition, _ := item.(map[string]any)
		failed = failed || condition["type"] == "Failed"
		if message, _ := condition["message"].(string); message != "" {
			said = append(said, fmt.Sprintf("Profile %s: %v: %s", p.GetName(), condition["type"], message))
		}
	}
	return failed, said
}

// checkOwners: Profiles whose owner has no access, although the namespace is complete. The
// stack is in order, so each is a warning; many Profiles are one cause.
func checkOwners(s *Snapshot) []report.Cause {
	var causes []report.Cause
	for _, p := range s.All("kubeflow.org", "Profile") {
		if p.GetDeletionTimestamp() != nil || s.Presence(report.Ref{Kind: "ServiceAccount", Namespace: p.GetName(), Name: editor}) == Absent {
			continue // checkProfiles
		}
		add := func(name, summary, remedy string, evidence ...string) {
			causes = append(causes, report.Cause{
				Name: name, Severity: report.Warning, Component: "profiles", Object: cluster.RefOf(p),
				Summary: summary, Evidence: evidence, Remedy: remedy,
			})
		}
		kind, _, _ := unstructured.NestedString(p.Object, "spec", "owner", "kind")
		owner, _, _ := unstructured.NestedString(p.Object, "spec", "owner", "name")
		failed, said := conditionsOf(p)
		i := slices.IndexFunc(s.Passwords, func(email string) bool { return strings.EqualFold(email, owner) })
		switch {
		case !slices.Contains([]string{rbacv1.UserKind, rbacv1.GroupKind, rbacv1.ServiceAccountKind}, kind):
			add(diagnose.ProfileOwnerInvalid, "Profiles whose owner is of a kind that RBAC does not have: their owners have no access",
				"set spec.owner.kind to User: kubectl edit profile NAME", fmt.Sprintf("Profile %s: spec.owner is %s %s", p.GetName(), kind, owner))
		case failed:
			add(diagnose.ProfileFailed, "the profile controller reports an error for Profiles: their owners may have no access",
				"if the owner was changed, the annotation `owner` of the namespace has to name the same address: kubectl annotate namespace NAME --overwrite owner=EMAIL", said...)
		case kind == rbacv1.UserKind && i >= 0 && !slices.Contains(s.Passwords, owner):
			add(diagnose.OwnerCaseDiffers, "Profiles whose owner is written with other capital letters than the login: their owners see no namespace",
				"write the owner as the login does: kubectl edit profile NAME", fmt.Sprintf("Profile %s: owner %s, login %s", p.GetName(), owner, s.Passwords[i]))
		}
	}
	return causes
}

// produced tells of an object that its absence is told with the missing ones.
func (s *Snapshot) produced(ref report.Ref) bool {
	for _, r := range s.Expected {
		for _, p := range r.Component.Produces {
			if producedRef(p) == ref {
				return true
			}
		}
	}
	return false
}
