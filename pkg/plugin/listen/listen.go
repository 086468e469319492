// Package listen is what commands share that bring something to a port of this machine.
package listen

import (
	"fmt"
	"io"
	"net"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/forward"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// Flags say where a command listens on this machine.
type Flags struct {
	address string
	port    int
}

// Add adds them; usage says more about the port that is taken without --port.
func (f *Flags) Add(cmd *cobra.Command, port int, usage string) {
	fs := cmd.Flags()
	fs.StringVar(&f.address, "address", "127.0.0.1", "IP address of this machine to listen on; localhost is accepted for 127.0.0.1")
	fs.IntVar(&f.port, "port", port, usage)
	plugin.Complete(cmd, "address", func() []string { return []string{"127.0.0.1", "::1", "0.0.0.0"} })
}

// Options checks what was typed.
func (f *Flags) Options() (forward.Options, error) {
	o := forward.Options{Address: f.address, Port: f.port}
	if o.Address == "localhost" {
		o.Address = "127.0.0.1"
	}
	if net.ParseIP(o.Address) == nil {
		return o, fmt.Errorf("--address: %q is not an IP address of this machine, such as 127.0.0.1 or 0.0.0.0", f.address)
	}
	if f.port < 0 || f.port > 65535 {
		return o, fmt.Errorf("--port: %d is not a valid port number: use 0 to 65535", f.port)
	}
	return o, nil
}

// Tell prints what happens to a forward; that a pod refuses connections only once, until
// something else happens: a page that waits for its server asks every second.
func Tell(w io.Writer) func(forward.Notice) {
	var last forward.State
	return func(n forward.Notice) {
		if n.State == forward.Refused && last == forward.Refused {
			return
		}
		last = n.State
		switch n.State {
		case forward.Connected:
			fmt.Fprintf(w, "Connected to Pod %s.\n", n.Pod)
		case forward.Lost:
			fmt.Fprintf(w, "The connection to Pod %s was lost; waiting for a ready pod.\n", n.Pod)
		case forward.Refused:
			fmt.Fprintf(w, "Pod %s refused a connection: %v\n", n.Pod, n.Err)
		}
	}
}

// WarnOpen says so where others than this machine can reach an address that is listened on;
// what is what they reach.
func WarnOpen(w io.Writer, address, what string) {
	if host, _, _ := net.SplitHostPort(address); !net.ParseIP(host).IsLoopback() {
		fmt.Fprintf(w, "warning: listening on %s: anyone who can reach this address can reach %s\n", host, what)
	}
}

// Serve prints what a forward leads to, as a document where a format was asked for and else
// its URL, and waits for the forward to end.
func Serve(f *forward.Forward, w io.Writer, format, url string, document any) error {
	var err error
	if format != "" {
		err = view.Document(w, format, document)
	} else {
		_, err = fmt.Fprintln(w, url)
	}
	if err != nil {
		return err
	}
	return f.Wait()
}
