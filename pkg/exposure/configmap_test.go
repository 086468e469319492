package exposure

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func ranges(t *testing.T, all ...string) []Range {
	t.Helper()
	var out []Range
	for _, s := range all {
		r, err := ParseRange(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

func TestOnlyOurPoolIsEditedInMetalLBsConfigMap(t *testing.T) {
	const theirs = `# our own network, ask Ada before you change it
peers: []
address-pools:
# printers live here
- name: office # second floor
  protocol: layer2
  addresses:
  - 10.1.0.10-10.1.0.20 # as agreed
`
	for name, c := range map[string]struct {
		before string
		ranges []string
		want   string
	}{
		"ours is added behind the others, whose comments stay": {theirs, []string{"10.1.0.30-10.1.0.40"}, theirs + `- addresses:
  - 10.1.0.30-10.1.0.40
  name: kubectl-jupyter
  protocol: layer2
`},
		"ours changes and stays where it is": {
			"address-pools:\n- name: kubectl-jupyter\n  protocol: layer2\n  addresses: [10.1.0.1-10.1.0.2]\n- name: b\n  protocol: bgp\n  addresses: [10.2.0.0/24]\n",
			[]string{"10.1.0.30-10.1.0.40"},
			"address-pools:\n- addresses:\n  - 10.1.0.30-10.1.0.40\n  name: kubectl-jupyter\n  protocol: layer2\n- name: b\n  protocol: bgp\n  addresses: [10.2.0.0/24]\n",
		},
		"minikube's pool without addresses gives way": {
			minikubeEmpty,
			[]string{"192.168.49.240-192.168.49.250"},
			"address-pools:\n- addresses:\n  - 192.168.49.240-192.168.49.250\n  name: kubectl-jupyter\n  protocol: layer2\n",
		},
		"the same, as minikube's template leaves it when it is quoted": {
			"address-pools:\n- name: default\n  protocol: layer2\n  addresses:\n  - \" - \"\n",
			[]string{"192.168.49.240-192.168.49.250"},
			"address-pools:\n- addresses:\n  - 192.168.49.240-192.168.49.250\n  name: kubectl-jupyter\n  protocol: layer2\n",
		},
		"an empty text becomes one with our pool": {
			"",
			[]string{"10.1.0.30-10.1.0.40"},
			"address-pools:\n- addresses:\n  - 10.1.0.30-10.1.0.40\n  name: kubectl-jupyter\n  protocol: layer2\n",
		},
		"an address that ends in 255 is avoided": {
			"",
			[]string{"10.1.0.0/24"},
			"address-pools:\n- addresses:\n  - 10.1.0.0/24\n  avoid-buggy-ips: true\n  name: kubectl-jupyter\n  protocol: layer2\n",
		},
		"ours is taken out, and the rest stays": {theirs + "- name: kubectl-jupyter\n  protocol: layer2\n  addresses: [10.1.0.1-10.1.0.2]\n", nil, theirs},
		"the last pool leaves an empty list":    {"address-pools:\n- name: kubectl-jupyter\n  addresses: [10.1.0.1-10.1.0.2]\n", nil, "address-pools: []\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var r []Range
			if c.ranges != nil {
				r = ranges(t, c.ranges...)
			}
			got, err := editConfig(c.before, r)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			again, err := editConfig(got, r)
			if err != nil || again != got {
				t.Errorf("a second time changes it: %v\n%s", err, cmp.Diff(got, again))
			}
		})
	}
}

func TestAConfigMapThatCannotBeReadIsNotWritten(t *testing.T) {
	for text, says := range map[string]string{
		"address-pools: [": "not valid YAML", "- a\n": "not a map", "address-pools: none\n": "address-pools",
	} {
		if got, err := editConfig(text, ranges(t, "10.0.0.1-10.0.0.9")); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("editConfig(%q) = %q, %v, want an error that says %q", text, got, err, says)
		}
	}
}
