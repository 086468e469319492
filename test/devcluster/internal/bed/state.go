package bed

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Phase is where a bed is in its life.
type Phase string

// The phases of a bed. There is no phase for a bed that is gone.
const (
	Starting Phase = "starting"
	Ready    Phase = "ready"
	Stopping Phase = "stopping"
	Failed   Phase = "failed"
)

// Kind says how true a part of the bed is.
type Kind string

// Real is the software itself, Simulated pretends that something runs,
// StandIn answers in the place of software that does not run here, Missing
// could not be had.
const (
	Real      Kind = "real"
	Simulated Kind = "simulated"
	StandIn   Kind = "stand-in"
	Missing   Kind = "missing"
)

// Part is one piece of the bed as it is told to people.
type Part struct {
	Name    string `json:"name"`
	Kind    Kind   `json:"kind"`
	Version string `json:"version,omitempty"`
	Note    string `json:"note,omitempty"`
}

// State is what a bed says about itself, in state.json.
type State struct {
	Phase      Phase     `json:"phase"`
	Error      string    `json:"error,omitempty"`
	Nodes      NodesMode `json:"nodes"`
	Started    time.Time `json:"started"`
	ReadyAfter string    `json:"readyAfter,omitempty"`
	PID        int       `json:"pid"`
	Kubeconfig string    `json:"kubeconfig"`
	Server     string    `json:"server"`
	// Proxy is the URL of an HTTP proxy into the bed's network.
	Proxy string `json:"proxy"`
	// Registry is the one that a real node pulls from, if it does.
	Registry *RegistryState `json:"registry,omitempty"`
	Parts    []Part         `json:"parts,omitempty"`
}

// RegistryState says where the registry of a bed is. Its names exist on the node and for the
// bed's HTTP proxy, to which those of the registries of the world exist, too.
type RegistryState struct {
	// URL has the images of all registries, each below its registry's name; images can be
	// pushed to Mirror.
	URL    string `json:"url"`
	Mirror string `json:"mirror"`
	// CA is the file with the certificate of the authority of both.
	CA string `json:"ca"`
	// Faults are names that fail in a known way, with that way.
	Faults map[string]string `json:"faults"`
}

func (d Dir) writeState(s State) error { return writeJSON(d.stateFile(), s) }

// ReadState reads what the bed last said about itself; the error is
// fs.ErrNotExist when there has been none.
func (d Dir) ReadState() (State, error) {
	var s State
	err := readJSON(d.stateFile(), &s)
	return s, err
}

func writeJSON(file string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	tmp := file + ".tmp"
	if err := os.WriteFile(tmp, append(data, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, file)
}

func readJSON(file string, v any) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// errLocked says that a bed runs, or is being started or stopped, in a directory.
var errLocked = errors.New("the directory is in use")

// lock takes the directory for one bed. The lock lives as long as one
// process holds the file open, so a killed bed leaves none.
func (d Dir) lock() (*os.File, error) {
	f, err := os.OpenFile(d.lockFile(), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errLocked
		}
		return nil, fmt.Errorf("lock %s: %w", d.lockFile(), err)
	}
	// Whoever held it before may have removed the file with the directory:
	// then this is a lock on a file that nobody else can find.
	var held, named unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &held); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := unix.Stat(d.lockFile(), &named); err != nil || held.Ino != named.Ino {
		return nil, errors.Join(errLocked, f.Close())
	}
	return f, nil
}

// Running tells whether a bed runs in the directory, by its lock.
func (d Dir) Running() (bool, error) {
	if _, err := os.Stat(d.lockFile()); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	f, err := d.lock()
	if errors.Is(err, errLocked) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, f.Close()
}
