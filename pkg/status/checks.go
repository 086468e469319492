package status

import (
	"fmt"
	"strings"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// check finds the causes of one theme. It reads the snapshot only.
type check struct {
	name string
	find func(*Snapshot) []report.Cause
	// complete is set of a check that takes for granted that every object was applied:
	// after an install that did not finish it would name effects as causes.
	complete bool
}

// checks look for what is wrong without an object being unready, which is found by Subjects.
var checks = []check{
	{name: "forbidden", find: checkForbidden},
	{name: "lastRun", find: checkLastRun},
	{name: "missing", find: checkMissing, complete: true},
	{name: "scaled", find: checkScaled},
	{name: "server", find: checkServer},
	{name: "versions", find: checkVersions},
	{name: "proofs", find: checkProofs, complete: true},
	{name: "caBundles", find: checkCABundles, complete: true},
	{name: "certificates", find: checkCertificates},
	{name: "meshRoot", find: checkMeshRoot},
	{name: "mesh", find: checkMesh, complete: true},
	{name: "networkPolicies", find: checkNetworkPolicies, complete: true},
	{name: "storage", find: checkStorage},
	{name: "drift", find: checkDrift, complete: true},
	{name: "login", find: checkLogin, complete: true},
	{name: "credentials", find: checkCredentials, complete: true},
	{name: "notebook origin", find: checkOrigin, complete: true},
	{name: "filters", find: checkFilters},
	{name: "restarts", find: checkRestarts},
	{name: "namespaces", find: checkNamespaces, complete: true},
	{name: "profiles", find: checkProfiles, complete: true},
	{name: "owners", find: checkOwners, complete: true},
	{name: "form", find: checkForm, complete: true},
	{name: "sidecars", find: checkSidecars, complete: true},
	{name: "logs", find: checkLogs},
	{name: "silent", find: checkSilent},
}

// Check runs every check on a snapshot of a stack. It is pure: the same snapshot gives
// the same causes. Where nothing is installed nothing
// is wrong, but it may be that nothing could be read.
func Check(s *Snapshot) []report.Cause {
	if !s.Installed() {
		return checkForbidden(s)
	}
	var causes []report.Cause
	incomplete := s.incomplete()
	for _, c := range checks {
		if !c.complete || !incomplete {
			causes = append(causes, c.run(s)...)
		}
	}
	return causes
}

// run keeps a check that meets an object it did not expect from taking the report down.
func (c check) run(s *Snapshot) (causes []report.Cause) {
	defer func() {
		if r := recover(); r != nil {
			causes = []report.Cause{{
				Name: diagnose.DiagnosisFailed, Severity: report.Warning,
				Summary:  fmt.Sprintf("the check %q failed on unexpected data", c.name),
				Evidence: []string{fmt.Sprint(r)},
				Remedy:   "please report it, with the output of kubectl jupyter status -o short",
			}}
		}
	}()
	return c.find(s)
}

// command is a kubectl command about an object, to be pasted.
func command(verb string, r report.Ref, more ...string) string {
	kind := strings.ToLower(r.Kind)
	if strings.Contains(r.Group, ".") && !strings.HasSuffix(r.Group, ".k8s.io") {
		kind += "." + r.Group
	}
	words := []string{"kubectl"}
	if r.Namespace != "" {
		words = append(words, "-n", r.Namespace)
	}
	return strings.Join(append(append(words, verb, kind, r.Name), more...), " ")
}
