package plugin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/klog/v2"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

func TestExitCodes(t *testing.T) {
	interrupted, cancel := context.WithCancelCause(context.Background())
	cancel(ErrInterrupted)
	for _, test := range []struct {
		name string
		ctx  context.Context
		err  error
		code int
		says string
	}{
		{"nothing went wrong", context.Background(), nil, 0, ""},
		{"a refusal is said once", context.Background(), errors.New("no"), 1, "error: no\n"},
		{"a signal before the first write", interrupted, fmt.Errorf("get: %w", context.Canceled), 130, "error: interrupted before anything was changed\n"},
		{"a signal in the middle says where the run stood", interrupted, &rollout.Failure{Err: rollout.ErrInterrupted, Stood: "3 of 14 components are ready"}, 130, "error: interrupted\n3 of 14 components are ready\n"},
		{"a signal that came too late changes nothing", interrupted, nil, 0, ""},
		{"a program that was run has said everything", context.Background(), fmt.Errorf("exec: %w", Exited(7)), 7, ""},
		{"its success is one", interrupted, Exited(0), 0, ""},
		{
			"a failure shows its causes", context.Background(),
			&rollout.Failure{Err: errors.New("timed out"), Causes: []report.Cause{{Name: "ImagePullBackOff", Severity: report.Error, Object: report.Ref{Kind: "Pod", Name: "x"}, Summary: "no image"}}}, 1,
			"\nerror: ImagePullBackOff: Pod x\n  no image\n\nerror: timed out\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			if code := finish(test.ctx, test.err, &out); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			if d := cmp.Diff(test.says, out.String()); d != "" {
				t.Errorf("want (-), got (+):\n%s", d)
			}
		})
	}
}

func TestQuoteMakesWordsSafeForAShell(t *testing.T) {
	for in, want := range map[string]string{
		"minikube":                "minikube",
		"arn:aws:eks/x@y":         "arn:aws:eks/x@y",
		"two words":               "'two words'",
		"it's":                    `'it'\''s'`,
		"$(rm -rf ~)":             "'$(rm -rf ~)'",
		"https://127.0.0.1:6443/": "https://127.0.0.1:6443/",
	} {
		if got := Quote(in); got != want {
			t.Errorf("Quote(%q) is %s, want %s", in, got, want)
		}
	}
}

func TestCompletionOffersWhatIsNotNamedYet(t *testing.T) {
	names, _ := CompleteComponents(nil, []string{"dex", "istio"}, "")
	if slices.Contains(names, "dex") || slices.Contains(names, "istio") || !slices.Contains(names, "cert-manager") {
		t.Errorf("offers %v", names)
	}
}

// From level 8 on client-go logs bodies, and with them Secrets.
func TestNoVerbosityShowsBodies(t *testing.T) {
	t.Cleanup(func() {
		var quiet klog.Level
		if err := quiet.Set("0"); err != nil {
			t.Error(err)
		}
	})
	if err := setVerbosity(99); err != nil {
		t.Fatal(err)
	}
	if !klog.V(6).Enabled() || klog.V(8).Enabled() {
		t.Errorf("-v=99 shows requests: %t, bodies: %t; want true and false", klog.V(6).Enabled(), klog.V(8).Enabled())
	}
}

func TestCtrlCEndsAQuestion(t *testing.T) {
	// A pipe that nobody writes to: whoever reads it waits for ever.
	in, out := io.Pipe()
	t.Cleanup(func() { _ = out.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	streams, _, _, _ := genericiooptions.NewTestIOStreams()
	streams.In = in
	if _, err := ReadPassword(ctx, streams, "ada"); !errors.Is(err, context.Canceled) {
		t.Errorf("readPassword returns %v, want that it was cancelled", err)
	}
}
