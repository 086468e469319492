package listen

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/forward"
)

func TestThatAPodRefusesIsToldOnceUntilSomethingElseHappens(t *testing.T) {
	var out bytes.Buffer
	tell := Tell(&out)
	refused := forward.Notice{State: forward.Refused, Pod: "ns/a", Err: errors.New("nobody listens")}
	for _, n := range []forward.Notice{{State: forward.Connected, Pod: "ns/a"}, refused, refused, {State: forward.Lost, Pod: "ns/a"}, {State: forward.Connected, Pod: "ns/b"}, refused} {
		tell(n)
	}
	want := `Connected to Pod ns/a.
Pod ns/a refused a connection: nobody listens
The connection to Pod ns/a was lost; waiting for a ready pod.
Connected to Pod ns/b.
Pod ns/a refused a connection: nobody listens
`
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Errorf("want (-), got (+):\n%s", d)
	}
}
