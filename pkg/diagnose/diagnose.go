// Package diagnose says why something is not ready: it reads what the cluster knows
// about it, and turns pods, conditions, events, webhooks and endpoints into named
// causes with their evidence and a remedy.
//
// The work has two halves. Collect makes a bounded number of reads into a Snapshot.
// Classify is a pure function from a Snapshot to causes: a table of detectors, each
// of which knows one theme. What a cluster said can thus be recorded, and every
// detector tested, without a cluster.
package diagnose

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// budget bounds Explain. A person who has just waited for a time-out does not wait
// again as long to be told why.
const budget = 10 * time.Second

// Subject is an object that is not as it should be, as last seen.
type Subject struct {
	Component string     `json:"component,omitempty"`
	Ref       report.Ref `json:"ref"`
	// Message is what kstatus or the API server said. Of an object that has not been
	// sent, since something else has to come first, it begins with "waits for ".
	Message string `json:"message,omitempty"`
}

// waits tells that the subject is held up by others and is nobody's fault itself.
func (sub Subject) waits() bool { return strings.HasPrefix(sub.Message, "waits for ") }

// absent tells that the subject should be there, as far as its message goes. Anything
// else that was said of it, such as a dry run's answer, says more than its absence.
func (sub Subject) absent() bool {
	return sub.Message == "" || strings.Contains(sub.Message, "not found") || strings.Contains(sub.Message, "does not exist")
}

// Explain says why the subjects are not ready: every cause once, with all objects
// that share it, worst first. It takes ten seconds at most, and a number of requests
// that is bounded by the namespaces and subjects, not by the size of the cluster.
// The context must be alive: a run that has timed out passes a fresh one.
//
// Explain has no error. What it may not read, or cannot read in time, is a cause of
// its own, and a subject that nothing explains is returned as NotReady with what is
// known about it.
func Explain(ctx context.Context, c *cluster.Cluster, subjects []Subject) []report.Cause {
	if len(subjects) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	return Classify(Collect(ctx, c, subjects), subjects)
}

// detector finds the causes of one theme for one subject. It reads the snapshot only.
type detector struct {
	name string
	find func(*Snapshot, Subject) []report.Cause
}

// detectors look for what is wrong by itself.
var detectors = []detector{
	{"message", findInMessage},
	{"missing", findMissing},
	{"namespace", findNamespace},
	{"crd", findCRD},
	{"scheduling", eachPod(findUnschedulable)},
	{"node", eachPod(findNode)},
	{"image", eachPod(findImage)},
	{"crash", eachPod(findCrash)},
	{"container", eachPod(findContainerConfig)},
	{"mount", eachPod(findMount)},
	{"sandbox", eachPod(findSandbox)},
	{"probe", eachPod(findProbe)},
	{"sidecar", eachPod(findSidecar)},
	{"terminating", eachPod(findTerminatingPod)},
	{"eviction", eachPod(findEvicted)},
	{"controller", findRefusedPods},
	{"volume", findVolume},
	{"webhook", findWebhookConfiguration},
	{"certificate", findCertificate},
	{"service", findService},
	{"deletion", findDeletion},
}

// fallbacks say what is left to say about a subject that no detector explains. The
// first that finds something is the last.
var fallbacks = []detector{
	{"starting", eachPod(findStarting)},
	{"deadline", findDeadline},
	{"condition", findCondition},
	{"not ready", findNotReady},
}

// Classify names the causes that a snapshot proves. It is pure: the same snapshot
// gives the same causes, whenever it is asked.
func Classify(snapshot *Snapshot, subjects []Subject) []report.Cause {
	s := snapshot.indexed(subjects)
	unread := findUnreadable(s)
	var causes, waiting []report.Cause
	for _, sub := range subjects {
		if sub.waits() {
			waiting = append(waiting, waits(sub))
			continue
		}
		var found []report.Cause
		for _, d := range detectors {
			found = append(found, d.run(s, sub)...)
		}
		for _, d := range fallbacks {
			if len(found) > 0 {
				break
			}
			found = d.run(s, sub)
		}
		causes = append(causes, found...)
	}
	// What waits for others is told only when nothing is known of the others.
	if len(causes) == 0 {
		causes = waiting
	}
	return Rank(append(unread, causes...))
}

// run keeps a detector that meets an object it did not expect from taking the report
// of a failed installation down with it.
func (d detector) run(s *Snapshot, sub Subject) (causes []report.Cause) {
	defer func() {
		if r := recover(); r != nil {
			causes = []report.Cause{{
				Name: DiagnosisFailed, Severity: report.Warning, Component: sub.Component, Object: sub.Ref,
				Summary:  fmt.Sprintf("the detector %q failed on unexpected data", d.name),
				Evidence: []string{fmt.Sprint(r)},
				Remedy:   "please report it; meanwhile: " + describe(sub.Ref),
			}}
		}
	}()
	return d.find(s, sub)
}
