package connect

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/forward"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
)

func TestTheURLIsWherePeopleReachTheServer(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1:8888": "http://127.0.0.1:8888/notebook/ada/lab/",
		"0.0.0.0:8888":   "http://127.0.0.1:8888/notebook/ada/lab/",
		"[::1]:9000":     "http://[::1]:9000/notebook/ada/lab/",
		"[::]:9000":      "http://[::1]:9000/notebook/ada/lab/",
		"10.1.2.3:1":     "http://10.1.2.3:1/notebook/ada/lab/",
	} {
		if got := urlOf(address, notebooks.Prefix(notebooks.Jupyter, "ada", "lab")); got != want {
			t.Errorf("%s is %s, want %s", address, got, want)
		}
	}
}

func TestWhatTheServerAnswersIsUnderstood(t *testing.T) {
	for name, c := range map[string]struct {
		kind notebooks.Type
		code int
		want answer
	}{
		"it answers":                               {notebooks.Jupyter, http.StatusOK, answer{}},
		"it wants a token":                         {notebooks.Jupyter, http.StatusForbidden, answer{token: true}},
		"it leads to its own login":                {notebooks.Jupyter, http.StatusFound, answer{token: true}},
		"it does not know the path":                {notebooks.Jupyter, http.StatusNotFound, answer{elsewhere: true}},
		"one that is no Jupyter answers as it may": {notebooks.Code, http.StatusFound, answer{}},
	} {
		t.Run(name, func(t *testing.T) {
			var asked string
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = r.URL.String()
				w.WriteHeader(c.code)
			}))
			defer s.Close()
			if got := awaitServer(t.Context(), s.URL+"/p/", c.kind); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if want := map[bool]string{true: "/p/api/status?no_track_activity=1", false: "/p/"}[c.kind == notebooks.Jupyter]; asked != want {
				t.Errorf("asked for %s, want %s", asked, want)
			}
		})
	}
	t.Run("it fails", func(t *testing.T) {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
		defer s.Close()
		if got := awaitServer(t.Context(), s.URL+"/", notebooks.Jupyter); got.err == nil || !strings.Contains(got.err.Error(), "502") {
			t.Errorf("got %+v", got)
		}
	})
}

func TestAServerThatStartsIsAwaited(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := make(chan struct{})
	go func() {
		for range 2 {
			if conn, err := l.Accept(); err == nil {
				_ = conn.Close() // as a forward does whose port nobody listens on
			}
		}
		close(refused)
		_ = http.Serve(l, http.NotFoundHandler())
	}()
	defer func() { _ = l.Close() }()
	if got := awaitServer(t.Context(), "http://"+l.Addr().String()+"/", notebooks.Jupyter); got.err != nil || !got.elsewhere {
		t.Errorf("got %+v, want the answer of the server", got)
	}
	select {
	case <-refused:
	default:
		t.Error("it was not refused before")
	}
}

func TestRefusalsOfAServerThatStartsAreNotTold(t *testing.T) {
	var told []forward.State
	n := &notices{tell: func(f forward.Notice) { told = append(told, f.State) }}
	n.take(forward.Notice{State: forward.Connected})
	n.take(forward.Notice{State: forward.Refused})
	n.resume()
	n.take(forward.Notice{State: forward.Refused})
	if len(told) != 2 || told[0] != forward.Connected || told[1] != forward.Refused {
		t.Errorf("told %v, want Connected, and Refused once", told)
	}
}

func TestACommandHasTheURLAndGivesItsExitCode(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip(err)
	}
	code := func(err error) int {
		streams := genericiooptions.NewTestIOStreamsDiscard()
		cmd := plugin.NewCommand(streams)
		cmd.RunE = func(*cobra.Command, []string) error { return err }
		return plugin.Execute(context.Background(), cmd, nil, streams)
	}
	run := func(ctx context.Context, script string) (string, error) {
		streams, _, out, _ := genericiooptions.NewTestIOStreams()
		o := &Options{base: &plugin.Base{IOStreams: streams}, Command: []string{sh, "-c", script}}
		err := o.command(ctx, "http://127.0.0.1:1/x/")
		return out.String(), err
	}
	if out, err := run(t.Context(), `printf %s "$JUPYTER_SERVER"`); err != nil || out != "http://127.0.0.1:1/x/" {
		t.Errorf("it says %q, %v", out, err)
	}
	if _, err := run(t.Context(), "exit 5"); code(err) != 5 {
		t.Errorf("exit code %d, want 5", code(err))
	}
	if _, err := run(t.Context(), "kill -TERM $$"); code(err) != 143 {
		t.Errorf("exit code %d after a signal, want 143", code(err))
	}
	t.Run("a signal is passed on, and what the command does about it awaited", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		out, err := run(ctx, `trap 'echo cleaned up; exit 3' INT; i=0; while [ $i -lt 300 ]; do sleep 0.1; i=$((i+1)); done`)
		if code(err) != 3 || out != "cleaned up\n" {
			t.Errorf("exit code %d, output %q", code(err), out)
		}
	})
	t.Run("a program that cannot be started is an error of its own", func(t *testing.T) {
		o := &Options{base: &plugin.Base{IOStreams: genericiooptions.IOStreams{In: &bytes.Buffer{}}}, Command: []string{t.TempDir()}}
		if err := o.command(t.Context(), ""); err == nil || !strings.HasPrefix(err.Error(), "--exec: ") || errors.Is(err, context.Canceled) {
			t.Errorf("error = %v", err)
		}
	})
}
