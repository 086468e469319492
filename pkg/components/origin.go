package components

import (
	"fmt"
	"net"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// NotebookPort is the port of the gateway's Service, and of Envoy, where notebooks are served
// when they have a port of their own.
const NotebookPort = 8888

// NotebookOrigin is where notebooks are served: at an origin of their own, so that browsers
// keep the scripts of their pages from the web app. The zero value is the web app's origin.
type NotebookOrigin struct {
	// Port: at NotebookPort of the web app's host.
	Port bool `json:"port,omitempty"`
	// Host: at a host name that is one label below the web app's. With * as that label, each
	// namespace has a host of its own.
	Host string `json:"host,omitempty"`
	// AppNodePort and NodePort are the node ports of the web app's port and of NotebookPort,
	// where people come in through node ports; 0 elsewhere.
	AppNodePort int32 `json:"appNodePort,omitempty"`
	NodePort    int32 `json:"nodePort,omitempty"`
}

// On tells whether notebooks have an origin of their own.
func (n NotebookOrigin) On() bool { return n.Port || n.Host != "" }

// AppHost is the web app's host name that belongs to Host; empty without one.
func (n NotebookOrigin) AppHost() string {
	_, parent, _ := strings.Cut(n.Host, ".")
	return parent
}

// ParseNotebookOrigin reads port, host=NAME or shared.
func ParseNotebookOrigin(text string) (NotebookOrigin, error) {
	var n NotebookOrigin
	host, isHost := strings.CutPrefix(text, "host=")
	switch {
	case text == "port":
		n.Port = true
	case isHost && host != "":
		n.Host = host
	case text != "shared":
		return n, fmt.Errorf("--notebook-origin: unknown value %q: must be port, host=NAME or shared", text)
	}
	return n, n.validate()
}

// String is what ParseNotebookOrigin reads.
func (n NotebookOrigin) String() string {
	switch {
	case n.Host != "":
		return "host=" + n.Host
	case n.Port:
		return "port"
	}
	return "shared"
}

func (n NotebookOrigin) validate() error {
	if n.Host == "" {
		return nil
	}
	if n.Port {
		return fmt.Errorf("--notebook-origin: either port or host=%s", n.Host)
	}
	// The web app's host has to be a name of several labels too: browsers take no cookie for
	// a whole top-level domain.
	if len(validation.IsDNS1123Subdomain(strings.TrimPrefix(n.Host, "*."))) > 0 || strings.Count(n.Host, ".") < 2 || net.ParseIP(n.Host) != nil {
		return fmt.Errorf("--notebook-origin: host=%s must be a host name one label below that of the web app, such as notebooks.jupyter.example.com for jupyter.example.com, or *.jupyter.example.com for a host for each namespace", n.Host)
	}
	return nil
}

// enabled lists the options of manifests, as those of Options.
func (n NotebookOrigin) enabled(https bool) []string {
	switch {
	case !n.On():
		return nil
	case !n.Port:
		return []string{"notebook-origin"}
	case https:
		return []string{"notebook-origin", "notebook-port", "notebook-https"}
	}
	return []string{"notebook-origin", "notebook-port", "notebook-http"}
}

// Tokens of it in manifests.
const (
	notebookHostToken = "$(NOTEBOOK_HOST)"
	nodePortsToken    = "$(NODE_PORTS)"
)

func (n NotebookOrigin) nodePorts() string {
	if n.AppNodePort == 0 || n.NodePort == 0 {
		return ""
	}
	return fmt.Sprintf("%d=%d", n.AppNodePort, n.NodePort)
}
