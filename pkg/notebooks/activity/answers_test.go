package activity

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
)

func TestWhetherAServerAnswers(t *testing.T) {
	noWay := func(context.Context, Target) (getter, func(), error) { return nil, nil, errors.New("no way there") }
	for name, tc := range map[string]struct {
		kind    notebooks.Type
		dial    dialFunc
		says    string
		unasked bool
	}{
		"a page":                                     {notebooks.Jupyter, server(t, map[string]string{"/notebook/ns/n/": "hello"}), "", false},
		"a login of its own is an answer":            {notebooks.Jupyter, server(t, map[string]string{"/notebook/ns/n/": "!403"}), "", false},
		"nothing at that path is an answer":          {notebooks.RStudio, server(t, nil), "", false},
		"VS Code, without the gateway's prefix":      {notebooks.Code, server(t, map[string]string{"/": "!200"}), "", false},
		"a server that fails":                        {notebooks.Jupyter, server(t, map[string]string{"/notebook/ns/n/": "!502"}), "502", false},
		"the way to it is closed, and nothing known": {notebooks.Jupyter, noWay, "no way there", true},
	} {
		t.Run(name, func(t *testing.T) {
			err := answers(t.Context(), Target{Namespace: "ns", Name: "n", Type: tc.kind}, tc.dial)
			if (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) || IsUnasked(err) != tc.unasked {
				t.Errorf("%v, want %q", err, tc.says)
			}
		})
	}
}
