package components_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

func TestTheTimeUntilANotebookIsStoppedIsHeldToWhatTheControllerTakes(t *testing.T) {
	for text, tc := range map[string]struct {
		want components.Culling
		idle time.Duration
		says string
	}{
		"":        {},
		"off":     {want: components.CullingOff},
		"8h":      {want: "8h", idle: 8 * time.Hour},
		"90m":     {want: "90m", idle: 90 * time.Minute},
		"7d":      {want: "7d", idle: 168 * time.Hour},
		"10m":     {want: "10m", idle: 10 * time.Minute},
		"365d":    {want: "365d", idle: 365 * 24 * time.Hour},
		"9m":      {says: "9m is too short, the shortest is 10m"},
		"0":       {says: "0 is too short"},
		"366d":    {says: "the longest is 365d"},
		"10m30s":  {says: "whole minutes"},
		"-8h":     {says: "neither off nor a duration"},
		"8":       {says: "neither off nor a duration"},
		"1.5h":    {says: "neither off nor a duration"},
		"never":   {says: "neither off nor a duration"},
		"999999y": {says: "neither off nor a duration"},
	} {
		got, err := components.ParseCulling(text)
		if got != tc.want || got.Idle() != tc.idle || (err == nil) != (tc.says == "") {
			t.Errorf("%q: %q, %s, %v", text, got, got.Idle(), err)
		}
		if err != nil && (!strings.Contains(err.Error(), tc.says) || !strings.HasPrefix(err.Error(), "--cull-idle: ")) {
			t.Errorf("%q: %v, want %q", text, err, tc.says)
		}
		// What is remembered is read again by a later run.
		if again, err := components.ParseCulling(string(got)); err != nil || again != got {
			t.Errorf("%q is remembered as %q, which is read as %q, %v", text, got, again, err)
		}
	}
}

func TestTheControllerIsToldWhenToStopNotebooks(t *testing.T) {
	forEachRelease(t, func(t *testing.T, release string) {
		hashes := map[string]bool{}
		for _, tc := range []struct {
			profile string
			culling components.Culling
			enabled string
			minutes string
			reads   components.Culling
		}{
			{components.ProfileDefault, "", "false", "1440", components.CullingOff},
			{components.ProfileSlim, "", "true", "240", "4h"},
			{components.ProfileDefault, "8h", "true", "480", "8h"},
			{components.ProfileSlim, "90m", "true", "90", "90m"},
			{components.ProfileSlim, components.CullingOff, "false", "240", components.CullingOff},
		} {
			objects := render(t, release, components.Options{Profile: tc.profile, Culling: tc.culling}, "notebook-controller")
			controller := find(t, objects, "Deployment", "kubeflow", "notebook-controller-deployment")
			if got := env(t, objects, controller, "ENABLE_CULLING"); got != tc.enabled {
				t.Errorf("%s, %q: ENABLE_CULLING=%s, want %s", tc.profile, tc.culling, got, tc.enabled)
			}
			if got := env(t, objects, controller, "CULL_IDLE_TIME"); got != tc.minutes {
				t.Errorf("%s, %q: CULL_IDLE_TIME=%s, want %s", tc.profile, tc.culling, got, tc.minutes)
			}
			data, _, err := unstructured.NestedStringMap(find(t, objects, "ConfigMap", components.CullingNamespace, components.CullingConfigMap).Object, "data")
			if err != nil || components.CullingOf(data) != tc.reads {
				t.Errorf("%s, %q is read as %q, %v", tc.profile, tc.culling, components.CullingOf(data), err)
			}
			// It reads its settings once: other ones have to make its pod anew.
			hash := text(t, controller, "spec", "template", "metadata", "annotations", components.ConfigHashAnnotation)
			if hash == "" || hashes[hash] {
				t.Errorf("%s, %q: the pod keeps the settings that it has read (hash %q)", tc.profile, tc.culling, hash)
			}
			hashes[hash] = true
		}
	})
}

// The controller asks each notebook for its kernels, and stops one that it cannot ask. What
// it needs for that are a sidecar, whose identity the policies of people's namespaces admit.
func TestTheControllerReachesNotebooksInPeoplesNamespaces(t *testing.T) {
	forEachVariant(t, func(t *testing.T, objects []*unstructured.Unstructured) {
		controller := find(t, objects, "Deployment", "kubeflow", "notebook-controller-deployment")
		labels, _, _ := unstructured.NestedStringMap(controller.Object, "spec", "template", "metadata", "labels")
		namespace := find(t, objects, "Namespace", "", "kubeflow")
		if namespace.GetLabels()["istio-injection"] != "enabled" || labels["sidecar.istio.io/inject"] == "false" {
			t.Error("the controller has no sidecar: no policy can tell who it is")
		}
		principal := "cluster.local/ns/kubeflow/sa/" + pod(t, controller).Spec.ServiceAccountName
		if got := text(t, find(t, objects, "ConfigMap", "kubeflow", "profiles-config"), "data", "NOTEBOOK_CONTROLLER_PRINCIPAL"); got != principal {
			t.Errorf("the policies of people's namespaces admit %q, the controller is %q", got, principal)
		}
		// Where sidecars know only some services, its own has to know those of all namespaces:
		// a call to an unknown one is not encrypted, and has no identity.
		if !slices.ContainsFunc(ofKind(objects, "Sidecar"), func(u *unstructured.Unstructured) bool { return u.GetNamespace() == "istio-system" }) {
			return
		}
		knows := slices.ContainsFunc(ofKind(objects, "Sidecar"), func(u *unstructured.Unstructured) bool {
			selects, _, _ := unstructured.NestedStringMap(u.Object, "spec", "workloadSelector", "labels")
			egress, _, _ := unstructured.NestedSlice(u.Object, "spec", "egress")
			for key, value := range selects {
				if labels[key] != value {
					return false
				}
			}
			if u.GetNamespace() != "kubeflow" || len(selects) == 0 || len(egress) != 1 {
				return false
			}
			hosts, _, _ := unstructured.NestedStringSlice(egress[0].(map[string]any), "hosts")
			return slices.Contains(hosts, "*/*")
		})
		if !knows {
			t.Error("the controller's sidecar does not know the Services of notebooks")
		}
	})
}
