package report

// Link is one object on the way from a browser to the web app.
type Link struct {
	// Depth is how far it stands behind the hop that it belongs to.
	Depth  int `json:"depth"`
	Object Ref `json:"object"`
	// State is Ready, Degraded, Failed, Missing or Unknown (it could not be read).
	State State `json:"state"`
	// Says is what matters of it: addresses, ports, paths, endpoints.
	Says string `json:"says,omitempty"`
	// Problem is what is wrong with it, one lower-case sentence.
	Problem string `json:"problem,omitempty"`
}

// Outcome of a probe.
type Outcome string

const (
	// ProbePassed: what came is what was expected.
	ProbePassed Outcome = "Passed"
	// ProbeFailed: it is not.
	ProbeFailed Outcome = "Failed"
	// ProbeSkipped: it was not tried, since it would have proven nothing.
	ProbeSkipped Outcome = "Skipped"
)

// Probe is one step of a check of the way in.
type Probe struct {
	// Step counts from 1.
	Step int `json:"step"`
	// Hop that it proves.
	Hop      string  `json:"hop"`
	Request  string  `json:"request,omitempty"`
	Expected string  `json:"expected"`
	Came     string  `json:"came"`
	Outcome  Outcome `json:"outcome"`
	// Cause is the name of the first cause that explains a failure.
	Cause string `json:"cause,omitempty"`
	// Elapsed is how long the answers took, in seconds.
	Elapsed float64 `json:"elapsedSeconds,omitempty"`
}
