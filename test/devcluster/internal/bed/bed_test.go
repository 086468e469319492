package bed

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/process"
)

func TestValidate(t *testing.T) {
	ok := Config{Nodes: SimulatedNodes, NodeCount: 5, GPUNodes: 2, PodDelay: time.Second}
	for name, tc := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"the default is fine":                         {func(*Config) {}, ""},
		"a real node needs no simulated one":          {func(c *Config) { c.Nodes, c.NodeCount = RealNodes, 0 }, ""},
		"a real node with an older server":            {func(c *Config) { c.Nodes, c.Server = RealNodes, "bin/servers/v1.28" }, "--nodes simulated"},
		"simulated nodes without a node":              {func(c *Config) { c.NodeCount = 0 }, "--node-count 0"},
		"more nodes than addresses":                   {func(c *Config) { c.NodeCount = 1000 }, "1000 simulated nodes"},
		"nodes of an unknown kind":                    {func(c *Config) { c.Nodes = "cloud" }, `--nodes "cloud"`},
		"an unknown level of Pod Security":            {func(c *Config) { c.PodSecurity = "privileged" }, "--pod-security"},
		"an unknown enforcer":                         {func(c *Config) { c.Enforcer = "eks" }, "--enforcer"},
		"an unknown load balancer":                    {func(c *Config) { c.LoadBalancer = "metallb" }, "--load-balancer"},
		"a network without room for the nodes":        {func(c *Config) { c.Network = "192.168.49.0/29" }, "no room"},
		"policies for packets of IPv6":                {func(c *Config) { c.IPFamily, c.NetworkPolicies = "dual", "enforcer" }, "--network-policies"},
		"a delay that ends before it begins":          {func(c *Config) { c.PodDelay = -1 }, "--pod-delay"},
		"fewer GPU nodes than none":                   {func(c *Config) { c.GPUNodes = -1 }, "GPU"},
		"more GPU nodes than nodes means all of them": {func(c *Config) { c.GPUNodes = 9 }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := ok
			tc.change(&c)
			err := c.Validate()
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestADirectoryIsForOneBedAtATime(t *testing.T) {
	d := Dir(t.TempDir())
	if running, err := d.Running(); err != nil || running {
		t.Fatalf("an empty directory: running %t, %v", running, err)
	}
	l, err := d.lock()
	if err != nil {
		t.Fatal(err)
	}
	if running, err := d.Running(); err != nil || !running {
		t.Errorf("a locked directory: running %t, %v", running, err)
	}
	if _, err := d.lock(); !errors.Is(err, errLocked) {
		t.Errorf("locked twice: %v", err)
	}
	var already AlreadyRunning
	err = Up(t.Context(), d, Config{Nodes: SimulatedNodes, NodeCount: 1}, &bytes.Buffer{}, false, func(State) {})
	if !errors.As(err, &already) || !strings.Contains(err.Error(), string(d)) {
		t.Errorf("up beside a running bed: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if running, err := d.Running(); err != nil || running {
		t.Errorf("after its holder ended: running %t, %v", running, err)
	}
}

func TestDownWithoutABedIsNoError(t *testing.T) {
	var out bytes.Buffer
	if err := Down(t.Context(), Dir(filepath.Join(t.TempDir(), "none")), DownOptions{Out: &out}); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out.String(), "no bed in ") {
		t.Errorf("said %q", out.String())
	}
}

// killedBed writes what a bed leaves that was killed.
func killedBed(t *testing.T, d Dir) {
	t.Helper()
	for _, f := range []string{"state.json", "kubeconfig", "pki/ca.crt", "etcd/member/x", "logs/devcluster.log", "lock", "cache/layer"} {
		if err := os.MkdirAll(filepath.Dir(d.Path(f)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(d.Path(f), []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDownRemovesWhatTheBedMadeAndNothingElse(t *testing.T) {
	for name, tc := range map[string]struct {
		options DownOptions
		foreign bool
		left    []string
	}{
		"all of it but the cache":       {left: []string{"cache"}},
		"the cache too, when purged":    {options: DownOptions{Purge: true}},
		"not the logs, when told so":    {options: DownOptions{Purge: true, KeepLogs: true}, left: []string{"logs"}},
		"not what somebody else put in": {options: DownOptions{Purge: true}, foreign: true, left: []string{"mine.txt"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := Dir(filepath.Join(t.TempDir(), "bed"))
			killedBed(t, d)
			if tc.foreign {
				if err := os.WriteFile(d.Path("mine.txt"), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			tc.options.Out = &bytes.Buffer{}
			if err := Down(t.Context(), d, tc.options); err != nil {
				t.Fatal(err)
			}
			entries, err := os.ReadDir(string(d))
			if len(tc.left) == 0 {
				if !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("the directory is still there: %v", entries)
				}
				return
			}
			var left []string
			for _, e := range entries {
				left = append(left, e.Name())
			}
			if strings.Join(left, " ") != strings.Join(tc.left, " ") {
				t.Errorf("left %v, want %v", left, tc.left)
			}
		})
	}
}

func TestDownEndsTheProcessesOfAKilledBedByTheirRecords(t *testing.T) {
	d := Dir(filepath.Join(t.TempDir(), "bed"))
	killedBed(t, d)
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	r, err := process.Of("orphan", cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Book().Add(r); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Down(t.Context(), d, DownOptions{Out: &out}); err != nil {
		t.Fatal(err)
	}
	if r.Alive() {
		t.Error("the orphan still runs")
	}
	if !strings.Contains(out.String(), "ended orphan") {
		t.Errorf("said %q", out.String())
	}
}

func TestAStateIsReadAsItWasWritten(t *testing.T) {
	d := Dir(t.TempDir())
	if _, err := d.ReadState(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a bed: %v", err)
	}
	want := State{Phase: Ready, Nodes: SimulatedNodes, PID: 7, Server: "https://127.0.0.1:1", Parts: []Part{{Name: "istiod", Kind: StandIn}}}
	if err := d.writeState(want); err != nil {
		t.Fatal(err)
	}
	got, err := d.ReadState()
	if err != nil || got.Phase != want.Phase || got.PID != want.PID || len(got.Parts) != 1 || got.Parts[0] != want.Parts[0] {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestTheDefaultDirectoryFollowsTheEnvironment(t *testing.T) {
	t.Setenv("HOME", "/home/x")
	t.Setenv("XDG_STATE_HOME", "")
	t.Setenv("DEVCLUSTER_DIR", "")
	if got := DefaultDir(); got != "/home/x/.local/state/devcluster" {
		t.Errorf("got %s", got)
	}
	t.Setenv("XDG_STATE_HOME", "/state")
	if got := DefaultDir(); got != "/state/devcluster" {
		t.Errorf("got %s", got)
	}
	t.Setenv("DEVCLUSTER_DIR", "/bed")
	if got := DefaultDir(); got != "/bed" {
		t.Errorf("got %s", got)
	}
}
