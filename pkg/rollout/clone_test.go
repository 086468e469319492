package rollout

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// cloneOf is a source of somebody's clone with that version of Istio.
func cloneOf(t *testing.T, version, istio string) *components.Files {
	t.Helper()
	object := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "istio-system"}}}
	release := &components.Release{
		Name: "clone-" + version, Components: []components.Component{{Name: "istio", Version: istio}},
		Clone: &components.Clone{Path: "/clones/" + version, Version: version},
	}
	source, err := components.NewGiven(release, components.Given{Objects: map[string][]*unstructured.Unstructured{"istio": {object}}})
	if err != nil {
		t.Fatal(err)
	}
	return source
}

// settingsOfSource are what a finished run with the source records.
func settingsOfSource(t *testing.T, source components.Source) *Settings {
	t.Helper()
	s := &Settings{Release: source.Release().Name, Profile: components.ProfileDefault}
	if err := s.record(source, nil); err != nil {
		t.Fatal(err)
	}
	return s
}

func embedded(t *testing.T, release string) *components.Files {
	t.Helper()
	source, err := components.NewEmbedded(release)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func TestAnInstallationFromACloneKeepsItOrIsUpgraded(t *testing.T) {
	old, newer := cloneOf(t, "v1.10.1", "1.24.3"), cloneOf(t, "v1.11.0", "1.28.0")
	for _, test := range []struct {
		name             string
		installed, asked *components.Files
		upgrade          bool
		given            []string
		from             string
		wrong            []string
	}{
		{"the same clone again", old, old, false, nil, "", nil},
		{"without a clone", old, embedded(t, "26.03"), false, nil, "", []string{"installed from a clone of kubeflow/manifests (/clones/v1.10.1, version v1.10.1)", "--manifests DIR"}},
		{"a newer clone", old, newer, false, nil, "", []string{"--manifests: release clone-v1.10.1 is installed, nothing was changed", "`kubectl jupyter upgrade --manifests /clones/v1.11.0`"}},
		{"an upgrade to a newer clone", old, newer, true, nil, "clone-v1.10.1", nil},
		{"an older clone", newer, old, true, nil, "", []string{"an older one (clone-v1.10.1) cannot replace it", "sidecars that are newer"}},
		{"a release", old, embedded(t, "26.03"), false, []string{"release"}, "", []string{"`kubectl jupyter upgrade --to 26.03`"}},
		{"an upgrade to a release", old, embedded(t, "26.03"), true, nil, "clone-v1.10.1", nil},
		{"an upgrade to a release with the same Istio", old, embedded(t, "1.10"), true, []string{"to"}, "clone-v1.10.1", nil},
		{"an upgrade to an older release", newer, embedded(t, "1.10"), true, []string{"to"}, "", []string{"--to: release clone-v1.11.0 is installed, and an older one (1.10) cannot replace it"}},
		{"a clone instead of a release", embedded(t, "1.10"), newer, true, nil, "", []string{"a clone (clone-v1.11.0) cannot replace a release", "uninstall"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			intent := &Intent{Source: test.asked, Upgrade: test.upgrade, Given: func(flag string) bool { return slices.Contains(test.given, flag) }}
			err := intent.Keep(settingsOfSource(t, test.installed))
			if len(test.wrong) > 0 {
				for _, w := range test.wrong {
					if err == nil || !strings.Contains(err.Error(), w) {
						t.Errorf("got %v, want an error with %q", err, w)
					}
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := intent.Source.Release().Name; got != test.asked.Release().Name {
				t.Errorf("%s would be installed, want %s", got, test.asked.Release().Name)
			}
			var from string
			if intent.from != nil {
				from = intent.from.Name
			}
			if from != test.from {
				t.Errorf("it replaces %q, want %q", from, test.from)
			}
		})
	}
}

func TestTheInventoryHasTheCloneAndWhileAnUpgradeLastsTheOneBefore(t *testing.T) {
	old, newer := cloneOf(t, "v1.10.1", "1.24.3"), cloneOf(t, "v1.11.0", "1.28.0")
	before := settingsOfSource(t, old)
	during := Settings{Release: newer.Release().Name, From: old.Release().Name, Profile: components.ProfileDefault}
	if err := during.record(newer, before.copied); err != nil {
		t.Fatal(err)
	}
	read := func(s Settings) *Settings {
		parent, err := parentFor(&Plan{Release: newer.Release(), Settings: s}, nil, "test")
		if err != nil {
			t.Fatal(err)
		}
		out, err := settingsOf(parent)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	got := read(during)
	if source, err := got.Source(); err != nil || source.Release().Name != "clone-v1.11.0" {
		t.Errorf("the source is %v (%v)", source, err)
	}
	if source, err := got.sourceBefore(); err != nil || source.Release().Name != "clone-v1.10.1" {
		t.Errorf("the source before is %v (%v)", source, err)
	}
	// What completes it needs the clone again.
	resumed := &Intent{Source: embedded(t, "26.03"), Given: func(string) bool { return false }}
	if err := resumed.Keep(got); err == nil || !strings.Contains(err.Error(), "--manifests DIR") {
		t.Errorf("got %v, want an error with --manifests", err)
	}
	resumed.Source = newer
	if err := resumed.Keep(got); err != nil || resumed.from.Name != "clone-v1.10.1" || resumed.Source.Release().Name != "clone-v1.11.0" {
		t.Errorf("from %v to %s: %v", resumed.from, resumed.Source.Release().Name, err)
	}
	during.From = ""
	if ended := read(during); ended.before != nil {
		t.Error("after the upgrade the copy before is still there")
	}
}

func TestACopyThatIsGoneIsNamed(t *testing.T) {
	s := Settings{Release: "clone-v1.10.1", Clone: &components.Clone{Path: "/clones/mine"}}
	if _, err := s.Source(); err == nil || !strings.Contains(err.Error(), "install again with --manifests /clones/mine") {
		t.Errorf("got %v", err)
	}
}
