package cli

import (
	"errors"
	"slices"
	"testing"
)

func TestKubectlArgs(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		dir  string
		rest []string
		err  bool
	}{
		"the directory comes first":               {args: []string{"--dir", "d", "get", "pods"}, dir: "d", rest: []string{"get", "pods"}},
		"the directory after an equals":           {args: []string{"--dir=d", "--", "get"}, dir: "d", rest: []string{"get"}},
		"what follows two dashes is kubectl's":    {args: []string{"--", "--dir", "x"}, rest: []string{"--dir", "x"}},
		"two dashes of kubectl's own are kept":    {args: []string{"exec", "p", "--", "ls"}, rest: []string{"exec", "p", "--", "ls"}},
		"nothing is nothing":                      {},
		"a directory that is missing is an error": {args: []string{"--dir"}, err: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir, rest, err := kubectlArgs(tc.args)
			if dir != tc.dir || !slices.Equal(rest, tc.rest) || (err != nil) != tc.err {
				t.Errorf("got %q, %q, %v", dir, rest, err)
			}
		})
	}
}

func TestExitCode(t *testing.T) {
	for want, err := range map[int]error{0: nil, 7: exitError(7), 1: errors.New("x")} {
		if got := exitCode(err); got != want {
			t.Errorf("%v: %d, want %d", err, got, want)
		}
	}
}

func TestExecSetsTheBedsKubeconfigOnce(t *testing.T) {
	got := withKubeconfig([]string{"A=1", "KUBECONFIG=/old", "B=2"}, "/new")
	if want := []string{"A=1", "B=2", "KUBECONFIG=/new"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
