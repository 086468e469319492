// Package standin has programs that act in the place of Kubeflow's own, which
// are in no module registry: the profile controller, KFAM, the notebook
// controller, the PodDefaults webhook, the Jupyter web app, a notebook server
// and, without Envoy, Istio's proxy. Each is a function on a Pod, so that it
// runs in the bed's process for a simulated pod and as the main of an image
// on a real node. They do what installing and using a stack needs, no more,
// and are called stand-ins wherever they appear.
package standin

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"

	"k8s.io/client-go/rest"
)

// Pod is what a program knows of where it runs.
type Pod struct {
	// Config is a client's configuration with the rights of the pod's
	// ServiceAccount. Programs that do not speak to the API server need none.
	Config *rest.Config
	// Host is the address to listen on, empty for all.
	Host string
	// Args are the container's arguments, without the command.
	Args []string
	// Getenv reads the container's environment, ReadFile its files.
	Getenv   func(name string) string
	ReadFile func(ctx context.Context, file string) ([]byte, error)
	// Log takes what the program says.
	Log io.Writer
}

// Process is the Pod of an ordinary process.
func Process(args []string) Pod {
	return Pod{
		Args: args, Getenv: os.Getenv, Log: os.Stderr,
		ReadFile: func(_ context.Context, file string) ([]byte, error) { return os.ReadFile(file) },
	}
}

// Part is one program.
type Part struct {
	Name string
	// NeedsAPI tells that it speaks to the API server.
	NeedsAPI bool
	Run      func(ctx context.Context, p Pod) error
}

// Parts are all programs, by the names that images are given.
func Parts() []Part {
	return []Part{
		{"profile-controller", true, Profiles},
		{"kfam", true, KFAM},
		{"notebook-controller", true, Notebooks},
		{"poddefaults-webhook", true, PodDefaults},
		{"jupyter-web-app", true, WebApp},
		{"notebook", false, NotebookServer},
		{"pilot-agent", false, Proxy},
	}
}

func (p Pod) address(port int) string { return net.JoinHostPort(p.Host, strconv.Itoa(port)) }

// say writes one line to the log, marked as a stand-in's.
func (p Pod) say(format string, args ...any) {
	if p.Log != nil {
		fmt.Fprintf(p.Log, "[stand-in] "+format+"\n", args...)
	}
}
