package install

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

var update = flag.Bool("update", false, "write golden files anew")

func TestAnUpgradeIsDescribedBeforeItBegins(t *testing.T) {
	deployment := func(namespace, name string) report.Ref {
		return report.Ref{Group: "apps", Kind: "Deployment", Namespace: namespace, Name: name}
	}
	for name, test := range map[string]struct {
		preview  rollout.Preview
		settings rollout.Settings
		restart  string
	}{
		"upgrade.txt": {
			preview: rollout.Preview{
				From: "99.1", To: "99.2",
				Versions:    []rollout.VersionChange{{Title: "Things", From: "v1", To: "v2"}, {Title: "server of Things", To: "v3"}},
				Restarted:   []report.Ref{deployment("things", "things")},
				Replaced:    []report.Ref{deployment("server", "server")},
				Deleted:     []report.Ref{{Kind: "Service", Namespace: "server", Name: "old-hook"}, {Kind: "Secret", Namespace: "server", Name: "old-certs"}},
				Created:     []report.Ref{{Kind: "Service", Namespace: "server", Name: "hook"}, {Kind: "ConfigMap", Namespace: "a", Name: "b"}, {Kind: "ConfigMap", Namespace: "a", Name: "c"}},
				Configured:  []report.Ref{{Kind: "ClusterRole", Name: "server"}},
				Unchanged:   1,
				Restricting: []report.Ref{{Kind: "NetworkPolicy", Namespace: "a", Name: "b"}},
				Without:     []string{"client"},
				Kept:        map[string]int{"Profile": 2, "Notebook": 1},
			},
			settings: rollout.Settings{
				Profile: "slim", Registry: "registry.example.com", Images: map[string]string{"b": "c:v1", "a": "b:v1"},
				UseExisting: []string{"cert-manager"}, Kustomization: "./mine", Culling: "8h",
			},
			restart: restartIdle,
		},
		"upgrade-of-little.txt": {
			preview:  rollout.Preview{From: "99.1", To: "99.2", Versions: []rollout.VersionChange{{Title: "Things", From: "v1", To: "v2"}}, Kept: map[string]int{"Profile": 1}},
			settings: rollout.Settings{Profile: "default"},
			restart:  restartNever,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			describe(&got, &test.preview, test.settings, test.restart)
			file := filepath.Join("testdata", name)
			if *update {
				if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got.String()); d != "" {
				t.Errorf("%s: want (-), got (+):\n%s", file, d)
			}
		})
	}
}
