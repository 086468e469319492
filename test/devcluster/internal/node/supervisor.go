package node

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/grpclog"
	"k8s.io/apimachinery/pkg/util/wait"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// RunCommand is the hidden subcommand that Up starts: the node's first
// process, in a process and a mount namespace of its own. Whatever ends it,
// the kernel ends all processes of the node with it and drops its mounts.
const RunCommand = "run-node"

// Plan is what the supervisor starts; Up writes it, Supervise reads it.
type Plan struct {
	Keep      []string  `json:"keep"`
	Socket    string    `json:"socket"`
	Processes []Program `json:"processes"`
	// CNI are directories of the bed by the paths at which the node has them.
	CNI map[string]string `json:"cni,omitempty"`
	// Hosts is the node's /etc/hosts; the machine's when empty.
	Hosts string `json:"hosts,omitempty"`
	// Disk is a small disk of the node; none when its size is 0.
	Disk Disk `json:"disk,omitzero"`
}

// Disk is a file system in memory that ends at its size in bytes.
type Disk struct {
	Path string `json:"path"`
	Size int64  `json:"size"`
}

// Program is one process of the node.
type Program struct {
	Name string   `json:"name"`
	Path string   `json:"path"`
	Args []string `json:"args"`
	Log  string   `json:"log"`
	// NeedsRuntime tells that it cannot start before containerd answers.
	NeedsRuntime bool `json:"needsRuntime,omitempty"`
}

const runtimeTimeout = 30 * time.Second

// Supervise starts the programs of a plan and waits for ctx or for the first
// of them to end, which is an error. It must be process 1 of its process namespace.
func Supervise(ctx context.Context, plan Plan) error {
	if os.Getpid() != 1 {
		return fmt.Errorf("%s is internal; use `devcluster up --nodes real`", RunCommand)
	}
	// Not to be there yet is what containerd is waited for: not worth a warning each time.
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard))
	if err := isolate(plan.Keep...); err != nil {
		return err
	}
	if err := provideDirs(plan.CNI); err != nil {
		return err
	}
	if err := provideFiles(plan.Hosts, plan.Disk); err != nil {
		return err
	}
	if err := os.Setenv("PATH", os.Getenv("PATH")+string(filepath.ListSeparator)+systemPath); err != nil {
		return err
	}
	f := newFamily()
	go f.reap()
	for _, p := range plan.Processes {
		if p.NeedsRuntime {
			if err := waitRuntime(ctx, plan.Socket, f.ended); err != nil {
				return err
			}
		}
		if err := f.start(p); err != nil {
			return err
		}
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-f.ended:
		return err
	}
}

// waitRuntime waits until containerd answers as a container runtime. Its
// socket is there, and answers other questions, some time before that; a
// kubelet that finds it so gives up.
func waitRuntime(ctx context.Context, socket string, ended <-chan error) error {
	conn, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.2, MaxDelay: 100 * time.Millisecond}}))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	runtime := runtimeapi.NewRuntimeServiceClient(conn)
	ctx, cancel := context.WithTimeout(ctx, runtimeTimeout)
	defer cancel()
	var last error
	err = wait.PollUntilContextCancel(ctx, 20*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		select {
		case err := <-ended:
			return false, err
		default:
		}
		_, last = runtime.Version(ctx, &runtimeapi.VersionRequest{}, grpc.WaitForReady(false))
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("containerd at %s does not answer as a container runtime: %w (%v)", socket, err, last)
	}
	return nil
}

// family is the processes of a namespace as its process 1 sees them: its own
// children, and the orphans that the kernel hands to it, such as the shims
// of containers.
type family struct {
	mu    sync.Mutex
	own   map[int]Program
	ended chan error
	// born wakes the reaper when there had been nobody to wait for.
	born chan struct{}
}

func newFamily() *family {
	return &family{own: map[int]Program{}, ended: make(chan error, 8), born: make(chan struct{}, 1)}
}

func (f *family) start(p Program) error {
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer func() { _ = null.Close() }()
	// The reaper must not see a process end before it knows whose it was.
	f.mu.Lock()
	defer f.mu.Unlock()
	child, err := os.StartProcess(p.Path, append([]string{p.Name}, p.Args...), &os.ProcAttr{
		Dir: "/", Env: os.Environ(), Files: []*os.File{null, log, log},
	})
	if err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	f.own[child.Pid] = p
	select {
	case f.born <- struct{}{}:
	default:
	}
	return nil
}

// reap waits for every process that ends. A zombie would keep its place in
// the process table, and a container's shim waits for its children by it.
func (f *family) reap() {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch err {
		case nil:
		case unix.ECHILD:
			<-f.born
			continue
		default:
			continue
		}
		f.mu.Lock()
		p, ok := f.own[pid]
		delete(f.own, pid)
		f.mu.Unlock()
		if ok {
			f.ended <- fmt.Errorf("%s ended (%s); see %s", p.Name, describe(status), p.Log)
		}
	}
}

func describe(s unix.WaitStatus) string {
	if s.Signaled() {
		return "signal " + s.Signal().String()
	}
	return fmt.Sprintf("exit code %d", s.ExitStatus())
}
