package connect

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/forward"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
)

const (
	// patience with a server that starts: its pod counts as ready before.
	patience = time.Minute
	// answerTime is how long one request may take.
	answerTime = 10 * time.Second
)

// answer is what the server of a notebook said.
type answer struct {
	// token tells that it asks for one of its own.
	token bool
	// elsewhere tells that it does not serve the path.
	elsewhere bool
	err       error
}

// awaitServer asks the server until it answers.
func awaitServer(ctx context.Context, address string, t notebooks.Type) answer {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if t != notebooks.Code && t != notebooks.RStudio {
		// The question is no activity itself.
		address += "api/status?no_track_activity=1"
	}
	client := &http.Client{
		Timeout:       answerTime,
		Transport:     &http.Transport{DisableKeepAlives: true}, // not through a proxy
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	pause := wait.Backoff{Duration: 200 * time.Millisecond, Factor: 1.5, Steps: 1 << 30, Cap: 2 * time.Second}
	for {
		status, err := ask(ctx, client, address)
		if err == nil {
			return judge(status, t)
		}
		// Nothing tells when a program in a container listens.
		timer := time.NewTimer(pause.Step())
		select {
		case <-ctx.Done():
			timer.Stop()
			return answer{err: fmt.Errorf("its server has not answered within %s: %w", patience, err)}
		case <-timer.C:
		}
	}
}

func ask(ctx context.Context, client *http.Client, address string) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, err
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// judge says what a status means.
func judge(status int, t notebooks.Type) answer {
	if t == notebooks.Code || t == notebooks.RStudio {
		return answer{}
	}
	switch status {
	case http.StatusOK:
		return answer{}
	case http.StatusFound, http.StatusUnauthorized, http.StatusForbidden:
		return answer{token: true}
	case http.StatusNotFound:
		return answer{elsewhere: true}
	}
	return answer{err: fmt.Errorf("its server answers with status %d", status)}
}

// urlOf is where programs of this machine find what is below a path, for an address that
// is listened on. It has no name: not all that a name means is listened on.
func urlOf(address, path string) string {
	host, port, _ := net.SplitHostPort(address)
	if ip := net.ParseIP(host); ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip.To4() == nil {
			host = "::1"
		}
	}
	return "http://" + net.JoinHostPort(host, port) + path
}

// notices holds back that a server which starts refuses connections.
type notices struct {
	tell func(forward.Notice)
	mu   sync.Mutex
	all  bool
}

func (n *notices) take(notice forward.Notice) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.all || notice.State != forward.Refused {
		n.tell(notice)
	}
}

func (n *notices) resume() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = true
}

// say tells what there is, and who takes it where.
func (o *Options) say(n *notebooks.Notebook, c connected, server answer) {
	w := o.base.ErrOut
	switch {
	case server.err != nil:
		fmt.Fprintf(w, "warning: %s: %v\n", n.Ref(), server.err)
	case server.elsewhere:
		fmt.Fprintf(w, "warning: %s: its server does not answer below %s: its image may not heed NB_PREFIX\n", n.Ref(), notebooks.Prefix(n.Type, n.Namespace, n.Name))
	case server.token:
		fmt.Fprintf(w, "%s requires its own token or password: add ?token=TOKEN to the URL, or enter it when asked.\n", n.Ref())
	}
	if len(o.Command) > 0 {
		fmt.Fprintf(w, "Ready: %s=%s\n", Variable, c.URL)
		return
	}
	switch n.Type {
	case notebooks.Code, notebooks.RStudio:
		fmt.Fprintf(w, "Ready: open %s in a browser. Press Ctrl-C to stop.\n", c.URL)
	default:
		fmt.Fprintf(w, `Ready: %s
  VS Code             Select Kernel > Existing Jupyter Server, and enter the URL%s
  JetBrains           Settings > Jupyter Servers > Configured Server, and enter the URL
  JupyterLab Desktop  Connect to existing server, and enter the URL
  Programs            %s=%s
Press Ctrl-C to stop.
`, c.URL, map[bool]string{false: "; leave the password empty"}[c.TokenRequired], Variable, c.URL)
	}
}
