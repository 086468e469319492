package certmanager

import (
	"slices"
	"testing"
)

func TestArguments(t *testing.T) {
	for name, tc := range map[string]struct {
		part  string
		ofPod []string
		want  []string
	}{
		"the webhook listens where the pod says": {
			"webhook",
			[]string{"--secure-port=10250"},
			[]string{"--secure-port=10250", "--kubeconfig=/k", "--metrics-listen-address=10.244.0.1:9402"},
		},
		"the controller's health has a port of its own": {
			"controller", nil,
			[]string{"--kubeconfig=/k", "--metrics-listen-address=10.244.0.1:9402", "--internal-healthz-listen-address=10.244.0.1:9403"},
		},
		"what the pod says is kept": {
			"cainjector",
			[]string{"--metrics-listen-address=0"},
			[]string{"--metrics-listen-address=0", "--kubeconfig=/k"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Arguments(tc.part, "10.244.0.1", "/k", tc.ofPod); !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
