// Package report is the one vocabulary of what happened and why: events while a
// command runs, causes when something is wrong, and the report at the end. Engines
// write it, printers read it; it knows neither clients nor terminals.
package report

import (
	"fmt"
	"time"
)

// Ref names an object as people do: kind, namespace, name.
type Ref struct {
	Group     string `json:"group,omitempty"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

// String is KIND NAMESPACE/NAME, or KIND NAME for cluster-scoped objects.
func (r Ref) String() string {
	if r.Namespace == "" {
		return r.Kind + " " + r.Name
	}
	return r.Kind + " " + r.Namespace + "/" + r.Name
}

// State of a component or an object.
type State string

const (
	// Waiting: something it needs is not there yet.
	Waiting State = "Waiting"
	// Applying: its objects are being sent.
	Applying State = "Applying"
	// Progressing: everything is accepted, not everything is ready.
	Progressing State = "Progressing"
	// Ready: every object is Current and every gate has been passed.
	Ready State = "Ready"
	// Accepted: everything is accepted and nobody asked to wait for more.
	Accepted State = "Accepted"
	// Degraded: it works, with fewer replicas than wanted.
	Degraded State = "Degraded"
	// Failed: it cannot become ready without a change.
	Failed State = "Failed"
	// Missing: it is not there.
	Missing State = "Missing"
	// Unknown: it could not be found out.
	Unknown State = "Unknown"
	// Removing: uninstall is deleting it.
	Removing State = "Removing"
	// Removed: uninstall has deleted it.
	Removed State = "Removed"
)

// Severity orders causes: the highest is shown first.
type Severity int

const (
	// Info explains; nothing is wrong.
	Info Severity = iota
	// Warning is worth knowing; it does not fail a command.
	Warning
	// Delay: it may still resolve itself (an image is being pulled, a pod starts).
	Delay
	// Error: it will not resolve itself.
	Error
	// Fatal is worse than not working, such as an unprotected application.
	Fatal
)

var severityNames = [...]string{"info", "warning", "delay", "error", "fatal"}

// String is the lower-case name.
func (s Severity) String() string { return severityNames[s] }

// MarshalText makes JSON show the name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *Severity) UnmarshalText(b []byte) error {
	for i, n := range severityNames {
		if n == string(b) {
			*s = Severity(i)
			return nil
		}
	}
	return fmt.Errorf("unknown severity %q", b)
}

// Cause is a named reason why something does not work, with what proves it and what helps.
type Cause struct {
	// Name is stable and in CamelCase, as in ImagePullBackOff; documentation is found by it.
	Name     string   `json:"name"`
	Severity Severity `json:"severity"`
	// Component concerned; empty for the cluster as a whole.
	Component string `json:"component,omitempty"`
	Object    Ref    `json:"object"`
	// Summary is one lower-case sentence without a full stop.
	Summary string `json:"summary"`
	// Evidence is what the cluster said, verbatim: conditions, events, log lines.
	Evidence []string `json:"evidence,omitempty"`
	// Remedy is what to do; where it is a command, it can be pasted.
	Remedy string `json:"remedy,omitempty"`
	// Also are further objects with the very same cause.
	Also []Ref `json:"also,omitempty"`
	// Docs is the address of the page that tells more; empty where a command gives none.
	Docs string `json:"docs,omitempty"`
}

// EventKind tells what an Event is about.
type EventKind string

const (
	// EventPlan opens a run: the components with their object counts.
	EventPlan EventKind = "plan"
	// EventComponent: a component changed its state or progress.
	EventComponent EventKind = "component"
	// EventObject: an object was sent or deleted.
	EventObject EventKind = "object"
	// EventWait: something is waited for, or retried, and why.
	EventWait EventKind = "wait"
	// EventWarning: the API server or the engine warns.
	EventWarning EventKind = "warning"
	// EventDone closes a run.
	EventDone EventKind = "done"
)

// Action is what happened, or would happen, to an object.
type Action string

const (
	// Created: it was not there.
	Created Action = "created"
	// Configured: it was there and has changed.
	Configured Action = "configured"
	// Replaced: deleted and created, since a field of it cannot be changed.
	Replaced Action = "replaced"
	// Unchanged: it was as it should be.
	Unchanged Action = "unchanged"
	// Pruned: deleted by an installation that no longer has it.
	Pruned Action = "pruned"
	// Deleted: by an uninstallation.
	Deleted Action = "deleted"
	// Kept: an uninstallation leaves it.
	Kept Action = "kept"
)

// Event is one line of a run's story.
type Event struct {
	Time      time.Time `json:"time"`
	Kind      EventKind `json:"kind"`
	Component string    `json:"component,omitempty"`
	State     State     `json:"state,omitempty"`
	// Done of Total objects are accepted (Applying) or ready (Progressing).
	Done    int    `json:"done,omitempty"`
	Total   int    `json:"total,omitempty"`
	Object  *Ref   `json:"object,omitempty"`
	Action  Action `json:"action,omitempty"`
	Message string `json:"message,omitempty"`
	// Components of the plan, in catalogue order (EventPlan only).
	Components []Component `json:"components,omitempty"`
}

// Sink takes events. It must not block for long; engines call it from many goroutines,
// one call at a time.
type Sink func(Event)

// Component is a row of a report.
type Component struct {
	Name    string `json:"name"`
	Title   string `json:"title,omitempty"`
	Version string `json:"version,omitempty"`
	State   State  `json:"state"`
	// Objects of the component; Ready of them are Current.
	Objects int `json:"objects"`
	Ready   int `json:"ready"`
	// Changes counts objects by what happened to them.
	Changes map[Action]int `json:"changes,omitempty"`
	// Elapsed is how long the component took, from its first step, in seconds.
	Elapsed float64 `json:"elapsedSeconds,omitempty"`

	// What follows is told of a running stack.

	// Pods of the component's workloads; nil for one that has none.
	Pods *Pods `json:"pods,omitempty"`
	// Offered is the version that this plugin would install, empty where it is Version.
	Offered string `json:"offeredVersion,omitempty"`
	// Restarts of the containers of the pods that are there now, and when the last one was.
	Restarts    int        `json:"restarts,omitempty"`
	LastRestart *time.Time `json:"lastRestart,omitempty"`
	// Cause is the name of the first cause that concerns the component.
	Cause string `json:"cause,omitempty"`
	// Details are told of components that were asked for by name.
	Details *Details `json:"details,omitempty"`
}

// Details of one component.
type Details struct {
	Pods   []Pod       `json:"pods"`
	Events []Happening `json:"events"`
}

// Pod is one pod of a component.
type Pod struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Ready of Containers are ready; native sidecars count.
	Ready      int `json:"ready"`
	Containers int `json:"containers"`
	// Status is one word, as in kubectl's column: Running, Pending, CrashLoopBackOff.
	Status   string    `json:"status"`
	Restarts int       `json:"restarts"`
	Node     string    `json:"node,omitempty"`
	Created  time.Time `json:"created"`
}

// Happening is a Kubernetes event about an object of a component.
type Happening struct {
	Time    time.Time `json:"time"`
	Type    string    `json:"type"`
	Reason  string    `json:"reason"`
	Object  Ref       `json:"object"`
	Message string    `json:"message"`
	Count   int       `json:"count"`
}

// Pods counts pods: Ready of the Wanted ones take traffic.
type Pods struct {
	Ready  int `json:"ready"`
	Wanted int `json:"wanted"`
}

// WayIn is how a person gets from a browser to the web app.
type WayIn struct {
	// URL to open; empty where there is none yet, and then Missing says why.
	URL string `json:"url,omitempty"`
	// Scheme is http or https.
	Scheme string `json:"scheme,omitempty"`
	// Address is the IP address or host name that the URL leads to, Port its port.
	Address string `json:"address,omitempty"`
	Port    int    `json:"port,omitempty"`
	// Notebooks is the origin that notebooks are served at, such as http://192.0.2.1:8888;
	// * in it stands for the namespace. Empty where it is the URL's own.
	Notebooks string `json:"notebooks,omitempty"`
	// Via is the type of the gateway's Service: LoadBalancer, NodePort or ClusterIP.
	Via string `json:"via,omitempty"`
	// Users can log in there, by e-mail address. Passwords are nobody's business.
	Users []string `json:"users,omitempty"`
	// Missing is why there is no URL, one lower-case sentence without a full stop.
	Missing string `json:"missing,omitempty"`
}

// Target is the cluster a command works on; it is named before anything is changed.
type Target struct {
	Context string `json:"context"`
	Cluster string `json:"cluster"`
	Server  string `json:"server"`
	Version string `json:"serverVersion,omitempty"`
}

// Report is what a command has to say at its end, and the whole of `-o json`.
type Report struct {
	APIVersion string      `json:"apiVersion"`
	Kind       string      `json:"kind"`
	Release    string      `json:"release"`
	Profile    string      `json:"profile"`
	Target     Target      `json:"target"`
	Components []Component `json:"components"`
	Causes     []Cause     `json:"causes,omitempty"`
	// Elapsed is the whole run in seconds.
	Elapsed float64 `json:"elapsedSeconds"`

	// What follows is told of a running stack.

	// State of the whole: Ready, or that of the worst component.
	State State `json:"state,omitempty"`
	// Foreign tells that something is installed, and not by this plugin.
	Foreign bool `json:"foreign,omitempty"`
	// LeftOut names the components that the installation was made without.
	LeftOut []string `json:"leftOut,omitempty"`
	// Newer is the latest release that this plugin has, empty where it is installed.
	Newer string `json:"newerRelease,omitempty"`
	// WayIn is how a person gets to the web app.
	WayIn *WayIn `json:"wayIn,omitempty"`
	// Culling is when notebooks that nobody uses are stopped; nil where that is not known.
	Culling *Culling `json:"culling,omitempty"`
	// People counts what people have, as far as it was looked at.
	People *People `json:"people,omitempty"`
	// NotChecked is what was not looked at, and why: a stack is Ready as far as the rest tells.
	NotChecked []string `json:"notChecked,omitempty"`
}

// People counts what people have beside the stack.
type People struct {
	Profiles  int `json:"profiles"`
	Notebooks int `json:"notebooks"`
	// NotReady are notebooks that should run and do not, Stopped those that nobody wants to.
	NotReady int `json:"notebooksNotReady"`
	Stopped  int `json:"notebooksStopped"`
	Volumes  int `json:"volumes"`
	// Unbound are claims that have no volume.
	Unbound int `json:"volumesUnbound"`
}

// Culling is how the notebook controller treats notebooks that nobody uses.
type Culling struct {
	Enabled bool `json:"enabled"`
	// IdleSeconds without activity of a kernel end a notebook.
	IdleSeconds float64 `json:"idleSeconds,omitempty"`
}

// APIVersion of the machine-readable output. It changes when a field changes its meaning.
const APIVersion = "jupyter.kubectl/v1alpha1"
