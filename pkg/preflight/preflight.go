// Package preflight looks at a cluster before an installation and says what would fail,
// what would hurt later, and what is merely good to know.
//
// The work has two halves, as in a diagnosis. Look makes a bounded number of reads and
// dry runs, and writes nothing. Judge is a pure function from what was read to answers
// and causes: a table of checks, each of which knows one theme.
package preflight

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/version"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Result of a check, and of all checks together.
type Result string

const (
	// OK: nothing to say.
	OK Result = "ok"
	// Info: good to know, nothing to do.
	Info Result = "info"
	// Warning: an installation works, and something will go wrong or is not certain.
	Warning Result = "warning"
	// Unknown: it could not be found out.
	Unknown Result = "unknown"
	// Fatal: an installation would fail or be refused.
	Fatal Result = "fatal"
)

// order of results, the least first.
var order = []Result{OK, Info, Warning, Unknown, Fatal}

func worse(a, b Result) Result {
	if slices.Index(order, b) > slices.Index(order, a) {
		return b
	}
	return a
}

// Answer is a row: what one check has found.
type Answer struct {
	Check  string `json:"check"`
	Result Result `json:"result"`
	// Found is one lower-case line without a full stop.
	Found string `json:"found"`
	// Causes by name; they are explained in the report.
	Causes []string `json:"causes,omitempty"`
	// Asks is what the check wants to know.
	Asks string `json:"asks"`
}

// Findings are everything that a look has to say.
type Findings struct {
	Result  Result
	Answers []Answer
	// Causes, the worst first.
	Causes []report.Cause
	// Capacity is set where nodes were looked at.
	Capacity *Capacity
}

// Fatal lists the causes for which an installation must not begin.
func (f *Findings) Fatal() []report.Cause { return f.of(report.Fatal) }

// Warnings lists the causes that an installation goes on with.
func (f *Findings) Warnings() []report.Cause { return f.of(report.Warning) }

func (f *Findings) of(s report.Severity) []report.Cause {
	var out []report.Cause
	for _, c := range f.Causes {
		if c.Severity == s {
			out = append(out, c)
		}
	}
	return out
}

// check knows one theme. find reads the facts only.
type check struct {
	name, asks string
	// reads are the reads it cannot do without.
	reads []string
	find  func(*Facts) (found string, causes []report.Cause)
}

// Names of reads.
const (
	readRights   = "rights"
	readSurvey   = "objects"
	readNodes    = "nodes"
	readPods     = "pods"
	readStorage  = "storage classes"
	readWebhooks = "webhooks"
	readProducts = "existing installations"
	readSpaces   = "namespaces"
	readAddress  = "load balancer"
	readNetwork  = "network"
	readFilters  = "filters of the gateway"
	readLayout   = "the existing Istio"
	// readAdmission was made where notebooks are to start.
	readAdmission = "pod security"
	// readNetworkOf was made when the plan was, as was readDirectories.
	readNetworkOf = "domain and families"
	// readDirectories was made when the plan was.
	readDirectories = "directories of nodes"
)

var checks = []check{
	{"server", "does the release work on this version of Kubernetes", nil, findServer},
	{"platform", "which kind of cluster is it", nil, findPlatform},
	{"cni", "where do the nodes keep CNI plugins", []string{readDirectories}, findDirectories},
	{"network", "which domain do Services have, and which addresses pods", []string{readNetworkOf}, findNetwork},
	{"permissions", "is the user allowed to do all of it", []string{readRights}, findPermissions},
	{"objects", "would the server accept every object", []string{readSurvey}, findRefusals},
	{"owners", "do any of the objects exist with another owner", []string{readSurvey, readProducts}, findOwners},
	{"layout", "is the existing Istio as the stack needs it", []string{readLayout}, findLayout},
	{"nodes", "which nodes accept the pods, and are the images built for them", []string{readNodes}, findNodes},
	{"registry", "are the images in the registry that nodes are to pull from, and for their architecture", []string{readRegistry}, findRegistry},
	{"capacity", "is there enough capacity for the pods, and for a notebook", []string{readNodes, readPods}, findCapacity},
	{"storage", "will notebooks get their volumes", []string{readStorage}, findStorage},
	{"admission", "does the cluster admit notebooks with a sidecar", []string{readAdmission}, findAdmission},
	{"leftovers", "is anything left over that would block or delay the installation", []string{readSurvey, readWebhooks, readSpaces, readFilters}, findLeftovers},
	{"address", "does anything assign LoadBalancer addresses", []string{readAddress}, findAddress},
	{"isolation", "does the network enforce the policies that isolate namespaces", []string{readNetwork}, findIsolation},
}

// Judge answers every check. It is pure: the same facts give the same findings.
func Judge(f *Facts) *Findings {
	out := &Findings{Result: OK, Capacity: f.Capacity}
	for _, c := range checks {
		a := Answer{Check: c.name, Asks: c.asks, Result: OK}
		var causes []report.Cause
		if err := f.unread(c.reads); errors.Is(err, errBlocked) {
			a.Result, a.Found = Unknown, err.Error()
		} else if err != nil {
			causes = []report.Cause{unreadable(c, err)}
			a.Result, a.Found = Unknown, "could not be checked: "+firstLine(err)
		} else if !f.asked(c.reads) {
			continue
		} else {
			a.Found, causes = c.find(f)
		}
		for i, cause := range causes {
			causes[i].Docs = diagnose.Docs(cause.Name)
			a.Result = worse(a.Result, resultOf(cause))
			if !slices.Contains(a.Causes, cause.Name) {
				a.Causes = append(a.Causes, cause.Name)
			}
		}
		out.Result = worse(out.Result, a.Result)
		out.Answers = append(out.Answers, a)
		out.Causes = append(out.Causes, causes...)
		// What else is asked of a server that is too old says nothing.
		if c.name == "server" && a.Result == Fatal {
			break
		}
	}
	slices.SortStableFunc(out.Causes, func(a, b report.Cause) int { return int(b.Severity) - int(a.Severity) })
	return out
}

func resultOf(c report.Cause) Result {
	switch {
	case c.Severity >= report.Delay:
		return Fatal
	case c.Name == diagnose.Unreadable || c.Name == diagnose.Forbidden:
		return Unknown
	case c.Severity == report.Warning:
		return Warning
	}
	return Info
}

func unreadable(c check, err error) report.Cause {
	cause := report.Cause{
		Name: diagnose.Unreadable, Severity: report.Warning,
		Summary:  fmt.Sprintf("the check %q could not run", c.name),
		Evidence: []string{err.Error()},
		Remedy:   "try again: kubectl jupyter preflight",
	}
	if apierrors.IsForbidden(err) {
		cause.Name, cause.Remedy = diagnose.Forbidden, "request read permission, or choose another --context, --user or --as"
	}
	return cause
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// findServer holds the server's version against the release's ranges.
func findServer(f *Facts) (string, []report.Cause) {
	r, minor := f.Release, int(f.Version.Minor())
	if err := CheckVersion(r, f.Version); err != nil {
		remedy := "choose another cluster with --context, or upgrade this one"
		if other := fitting(f.Version); other != nil {
			remedy = fmt.Sprintf("install the release that supports this server: --release %s; or %s", other.Name, remedy)
		}
		return err.Error(), []report.Cause{{
			Name: diagnose.ServerUnsupported, Severity: report.Fatal,
			Summary:  err.Error(),
			Evidence: []string{fmt.Sprintf("%s: %s", f.Target.Server, f.Target.Version)},
			Remedy:   remedy,
		}}
	}
	if minor < r.TestedMin || minor > r.TestedMax {
		said := fmt.Sprintf("the Istio version of release %s is tested with Kubernetes 1.%d to 1.%d; this server runs %s", r.Name, r.TestedMin, r.TestedMax, f.Target.Version)
		return said, []report.Cause{{
			Name: diagnose.ServerUntested, Severity: report.Warning,
			Summary:  said,
			Evidence: []string{fmt.Sprintf("release %s supports Kubernetes 1.%d to 1.%d", r.Name, r.ServedMin, r.ServedMax)},
			Remedy:   "none needed; if support by the Istio project matters, use a version in its range",
		}}
	}
	return fmt.Sprintf("%s, which the release is tested with", f.Target.Version), nil
}

// CheckVersion refuses versions of Kubernetes that the release does not work on.
func CheckVersion(r *components.Release, v *version.Version) error {
	if supports(r, v) {
		return nil
	}
	err := fmt.Errorf("release %s supports Kubernetes 1.%d to 1.%d, not %s", r.Name, r.ServedMin, r.ServedMax, v)
	if other := fitting(v); other != nil {
		return fmt.Errorf("%w; release %s does", err, other.Name)
	}
	return err
}

// fitting is the newest release that works on that version of Kubernetes, nil where none does.
func fitting(v *version.Version) *components.Release {
	for _, r := range slices.Backward(components.Releases()) {
		if supports(r, v) {
			return r
		}
	}
	return nil
}

func supports(r *components.Release, v *version.Version) bool {
	minor := int(v.Minor())
	return v.Major() == 1 && minor >= r.ServedMin && minor <= r.ServedMax
}

// some joins the first lines and counts the rest.
func some(lines []string, most int) string {
	if len(lines) <= most {
		return strings.Join(lines, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(lines[:most], ", "), len(lines)-most)
}

// bounded cuts evidence to so many lines and counts the rest.
func bounded(lines []string, most int, noun string) []string {
	if len(lines) <= most {
		return lines
	}
	return append(slices.Clip(lines[:most]), fmt.Sprintf("and %s more", report.Count(len(lines)-most, noun)))
}
