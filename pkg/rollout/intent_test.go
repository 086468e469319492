package rollout

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

func TestNeededFollowsTheEdgesThroughWhatIsInTheCluster(t *testing.T) {
	release := components.Releases()[0]
	all := release.Names()
	for _, test := range []struct {
		name             string
		chosen, existing []string
		want             []string
	}{
		{"everything is chosen: nothing else is needed", all, nil, nil},
		{"the gateway needs its namespace and the CRDs", []string{"kubeflow-gateway"}, all, []string{"istio-crds", "kubeflow-namespace"}},
		{"istio brings what it needs itself", []string{"jupyter-web-app"}, all, []string{"istio", "istio-crds", "kubeflow-namespace"}},
		{"what is not in the cluster cannot be proven there", []string{"kubeflow-gateway"}, []string{"istio-crds"}, []string{"istio-crds"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := needed(release, test.chosen, test.existing)
			slices.Sort(got)
			if !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestAnInstallationKeepsItsRelease(t *testing.T) {
	intent := func(release string, given ...string) *Intent {
		source, err := components.NewEmbedded(release)
		if err != nil {
			t.Fatal(err)
		}
		return &Intent{Source: source, Given: func(flag string) bool { return slices.Contains(given, flag) }}
	}
	for _, test := range []struct {
		name      string
		intent    *Intent
		installed string
		want      string
		wrong     string
	}{
		{"nothing is installed", intent("26.03", "release"), "", "26.03", ""},
		{"nothing was typed", intent("1.10"), "26.03", "26.03", ""},
		{"the same was typed", intent("26.03", "release"), "26.03", "26.03", ""},
		{"a later one was typed", intent("26.03", "release"), "1.10", "", "nothing was changed: to replace it with release 26.03, run `kubectl jupyter upgrade --to 26.03`"},
		{"an earlier one was typed", intent("1.10", "release"), "26.03", "", "--release: release 26.03 is installed, and an older one (1.10) cannot replace it, nothing was changed: "},
		{"one that is none of ours", intent("1.10"), "99.9", "", "release 99.9 is installed, which this version of the plugin does not have"},
	} {
		t.Run(test.name, func(t *testing.T) {
			settings := &Settings{Release: test.installed, Profile: components.ProfileDefault}
			if test.installed == "" {
				settings = nil
			}
			err := test.intent.Keep(settings)
			if test.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), test.wrong) {
					t.Errorf("got %v, want an error with %q", err, test.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := test.intent.Source.Release().Name; got != test.want {
				t.Errorf("release %s would be installed, want %s", got, test.want)
			}
		})
	}
}

func TestWhenNotebooksAreStoppedIsRemembered(t *testing.T) {
	for _, test := range []struct {
		name  string
		typed string // nothing: the flag was not given
		given bool
		last  components.Culling
		want  components.Culling
	}{
		{"nothing was typed", "", false, "8h", "8h"},
		{"another time was typed", "4h", true, "8h", "4h"},
		{"it was switched off", "off", true, "8h", components.CullingOff},
		{"off is remembered too", "", false, components.CullingOff, components.CullingOff},
		{"the profile's own is back", "", true, "8h", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			source, err := components.NewEmbedded(components.DefaultRelease)
			if err != nil {
				t.Fatal(err)
			}
			intent := &Intent{Source: source, Given: func(flag string) bool { return flag == "cull-idle" && test.given }}
			intent.Manifests.Culling = components.Culling(test.typed)
			if err := intent.Keep(&Settings{Release: components.DefaultRelease, Profile: components.ProfileDefault, Culling: test.last}); err != nil {
				t.Fatal(err)
			}
			settings := intent.settings(nil)
			if settings.Culling != test.want || settings.Options().Culling != test.want {
				t.Errorf("recorded is %q, of which status expects %q; want %q", settings.Culling, settings.Options().Culling, test.want)
			}
		})
	}
}

func TestConflictsAreListedWithTheChoices(t *testing.T) {
	var conflicts []Conflict
	for i := range 25 {
		conflicts = append(conflicts, Conflict{
			Ref:       report.Ref{Kind: "Service", Namespace: "cert-manager", Name: fmt.Sprint("s", i)},
			Component: "cert-manager", Managers: []string{"helm"},
		})
	}
	conflicts[24].Component = "istio"
	can := func([]string) bool { return true }
	text := conflictError(conflicts, can).Error()
	for _, want := range []string{
		"25 objects belong to another owner, nothing was changed:\n", "Service cert-manager/s0 (component cert-manager) belongs to helm",
		"and 5 more", "--use-existing cert-manager,istio", "--adopt", "--skip cert-manager,istio",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if conflictError(nil, can) != nil {
		t.Error("no conflicts are an error")
	}
	needed := conflictError(conflicts, func([]string) bool { return false }).Error()
	if strings.Contains(needed, "--skip") {
		t.Errorf("leaving out what others need is offered:\n%s", needed)
	}
}
