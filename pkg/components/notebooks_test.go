package components_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// spawnerForm is the form's configuration as the web app reads it.
func spawnerForm(t *testing.T, objects []*unstructured.Unstructured) map[string]any {
	t.Helper()
	file := text(t, find(t, objects, "ConfigMap", "kubeflow", "jupyter-web-app-config"), "data", "spawner_ui_config.yaml")
	var config map[string]map[string]any
	if err := yaml.UnmarshalStrict([]byte(file), &config); err != nil {
		t.Fatalf("the form's configuration: %v", err)
	}
	form := config["spawnerFormDefaults"]
	if len(form) == 0 {
		t.Fatal("the form's configuration has no spawnerFormDefaults")
	}
	return form
}

func TestTheFormHasEveryFieldThatTheWebAppReads(t *testing.T) {
	forEachVariant(t, func(t *testing.T, objects []*unstructured.Unstructured) {
		form := spawnerForm(t, objects)
		for _, field := range []string{
			"imagePullPolicy", "image", "imageGroupOne", "imageGroupTwo", "cpu", "memory", "gpus", "workspaceVolume",
			"dataVolumes", "affinityConfig", "tolerationGroup", "shm", "configurations", "environment",
		} {
			f, ok := form[field].(map[string]any)
			if !ok {
				t.Errorf("no %s", field)
				continue
			}
			if _, ok := f["value"]; !ok {
				t.Errorf("%s has no value", field)
			}
			if _, ok := f["readOnly"]; !ok && !strings.HasPrefix(field, "image") {
				t.Errorf("%s does not say whether it is read-only", field)
			}
		}
		for _, group := range []string{"image", "imageGroupOne", "imageGroupTwo"} {
			f := form[group].(map[string]any)
			if options := f["options"].([]any); !slices.Contains(options, f["value"]) {
				t.Errorf("%s: the default %v is not among the choices %v", group, f["value"], options)
			}
		}
		for _, field := range []string{"cpu", "memory"} {
			f := form[field].(map[string]any)
			if _, ok := f["value"].(string); !ok {
				t.Errorf("%s is the number %v, the web app wants a string", field, f["value"])
			}
			if _, ok := f["limitFactor"].(string); !ok {
				t.Errorf("limitFactor of %s is the number %v, the web app wants a string", field, f["limitFactor"])
			}
		}
		if memory := form["memory"].(map[string]any)["value"].(string); !strings.HasSuffix(memory, "Gi") {
			t.Errorf("memory is %q, the web app calculates in Gi", memory)
		}
	})
}

func TestTheSlimFormDiffersInSizesOnly(t *testing.T) {
	forEachRelease(t, func(t *testing.T, release string) {
		standard := spawnerForm(t, render(t, release, components.Options{}, "jupyter-web-app"))
		slim := spawnerForm(t, render(t, release, components.Options{Profile: components.ProfileSlim}, "jupyter-web-app"))
		for _, test := range []struct {
			form             map[string]any
			cpu, memory      string
			cpuMax, memoryMx string
		}{
			{standard, "0.5", "1.0Gi", "1.2", "1.2"},
			{slim, "0.25", "0.5Gi", "4.0", "2.0"},
		} {
			want := map[string]any{
				"cpu":    map[string]any{"value": test.cpu, "limitFactor": test.cpuMax, "readOnly": false},
				"memory": map[string]any{"value": test.memory, "limitFactor": test.memoryMx, "readOnly": false},
			}
			got := map[string]any{"cpu": test.form["cpu"], "memory": test.form["memory"]}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("sizes (-want +got):\n%s", diff)
			}
			delete(test.form, "cpu")
			delete(test.form, "memory")
		}
		if diff := cmp.Diff(standard, slim); diff != "" {
			t.Errorf("something else differs (-default +slim):\n%s", diff)
		}
	})
}

func TestTheListOfImagesIsThatOfTheForm(t *testing.T) {
	forEachRelease(t, func(t *testing.T, release string) {
		source, err := components.NewEmbedded(release)
		if err != nil {
			t.Fatal(err)
		}
		component, err := source.Release().Component("jupyter-web-app")
		if err != nil {
			t.Fatal(err)
		}
		for _, profile := range components.Profiles() {
			form := spawnerForm(t, render(t, release, components.Options{Profile: profile}, "jupyter-web-app"))
			var offered []string
			for _, group := range []string{"image", "imageGroupOne", "imageGroupTwo"} {
				for _, o := range form[group].(map[string]any)["options"].([]any) {
					offered = append(offered, o.(string))
				}
			}
			if diff := cmp.Diff(offered, component.ConfigImages); diff != "" {
				t.Errorf("%s: (-form +catalogue):\n%s", profile, diff)
			}
		}
	})
}

func TestAMirrorReachesTheForm(t *testing.T) {
	forEachRelease(t, func(t *testing.T, release string) {
		form := spawnerForm(t, render(t, release, components.Options{Registry: "mirror.lan:5000/hub"}, "jupyter-web-app"))
		for _, group := range []string{"image", "imageGroupOne", "imageGroupTwo"} {
			f := form[group].(map[string]any)
			for _, ref := range append([]any{f["value"]}, f["options"].([]any)...) {
				if !strings.HasPrefix(ref.(string), "mirror.lan:5000/hub/kubeflow/") {
					t.Errorf("%s: a notebook would be pulled from %v", group, ref)
				}
			}
		}
	})
}

func TestTheWebAppsPicturesAreAllThere(t *testing.T) {
	forEachRelease(t, func(t *testing.T, release string) {
		objects := render(t, release, components.Options{}, "jupyter-web-app")
		logos := find(t, objects, "ConfigMap", "kubeflow", "jupyter-web-app-logos")
		for _, name := range []string{
			"jupyter-icon.svg", "jupyterlab-logo.svg", "group-one-icon.svg", "group-one-logo.svg", "group-two-icon.svg", "group-two-logo.svg",
		} {
			if svg := text(t, logos, "data", name); !strings.HasPrefix(svg, "<svg ") || !strings.HasSuffix(svg, "</svg>\n") {
				t.Errorf("%s is no picture that can be put into a page: %.40q", name, svg)
			}
		}
	})
}

func TestUnusedNotebooksAreStoppedWhereTheyFillTheCluster(t *testing.T) {
	forEachRelease(t, func(t *testing.T, release string) {
		for profile, culling := range map[string]string{components.ProfileDefault: "false", components.ProfileSlim: "true"} {
			objects := render(t, release, components.Options{Profile: profile}, "notebook-controller")
			if got := env(t, objects, find(t, objects, "Deployment", "kubeflow", "notebook-controller-deployment"), "ENABLE_CULLING"); got != culling {
				t.Errorf("%s: ENABLE_CULLING=%s, want %s", profile, got, culling)
			}
		}
	})
}

func TestPodsOfProfilesReachThePodDefaultsWebhook(t *testing.T) {
	forEachVariant(t, func(t *testing.T, objects []*unstructured.Unstructured) {
		labels := namespaceLabels(t, objects)
		webhook := find(t, objects, "MutatingWebhookConfiguration", "", prefixOfPodDefaults(t, objects)+"mutating-webhook-configuration")
		webhooks, _, _ := unstructured.NestedSlice(webhook.Object, "webhooks")
		if len(webhooks) != 1 {
			t.Fatalf("%d webhooks", len(webhooks))
		}
		selected, _, _ := unstructured.NestedStringMap(webhooks[0].(map[string]any), "namespaceSelector", "matchLabels")
		if len(selected) == 0 {
			t.Fatal("the webhook sees every pod of the cluster: while it is down nothing could start")
		}
		for key, value := range selected {
			if labels[key] != value {
				t.Errorf("the webhook looks for %s=%s, profiles get %q", key, value, labels[key])
			}
		}
		inject := webhook.GetAnnotations()["cert-manager.io/inject-ca-from"]
		namespace, name, _ := strings.Cut(inject, "/")
		certificate := find(t, objects, "Certificate", namespace, name)
		service, _, _ := unstructured.NestedMap(webhooks[0].(map[string]any), "clientConfig", "service")
		host := service["name"].(string) + "." + service["namespace"].(string) + ".svc"
		if names, _, _ := unstructured.NestedStringSlice(certificate.Object, "spec", "dnsNames"); !slices.Contains(names, host) {
			t.Errorf("the API server calls %s, the certificate is for %v", host, names)
		}
		mounted := slices.Contains(references(pod(t, find(t, objects, "Deployment", namespace, prefixOfPodDefaults(t, objects)+"deployment")), namespace),
			"Secret "+namespace+"/"+text(t, certificate, "spec", "secretName"))
		if !mounted {
			t.Error("the webhook does not mount the Secret that its certificate goes into")
		}
	})
}

// namespaceLabels are those that the profile controller gives to people's namespaces.
func namespaceLabels(t *testing.T, objects []*unstructured.Unstructured) map[string]string {
	t.Helper()
	controller := find(t, objects, "Deployment", "kubeflow", "profiles-deployment")
	for _, v := range pod(t, controller).Spec.Volumes {
		if v.Name != "namespace-labels" {
			continue
		}
		file := text(t, find(t, objects, "ConfigMap", "kubeflow", v.ConfigMap.Name), "data", "namespace-labels.yaml")
		var labels map[string]string
		if err := yaml.UnmarshalStrict([]byte(file), &labels); err != nil {
			t.Fatal(err)
		}
		return labels
	}
	t.Fatal("the profile controller mounts no labels")
	return nil
}

// prefixOfPodDefaults is what the objects of the PodDefaults webhook are named after.
func prefixOfPodDefaults(t *testing.T, objects []*unstructured.Unstructured) string {
	t.Helper()
	for _, u := range ofKind(objects, "Deployment") {
		if u.GetLabels()[components.ComponentLabel] == "poddefaults" {
			return strings.TrimSuffix(u.GetName(), "deployment")
		}
	}
	t.Fatal("no Deployment of the PodDefaults webhook was rendered")
	return ""
}

func TestReleasesGiveNamespacesTheSameLabelsButForPodSecurity(t *testing.T) {
	labels := map[string]map[string]string{}
	for _, release := range components.ReleaseNames() {
		labels[release] = namespaceLabels(t, render(t, release, components.Options{}, "profiles"))
	}
	if got := labels["26.03"]["pod-security.kubernetes.io/enforce"]; got != "baseline" {
		t.Errorf("people's pods of 26.03 are held to %q, want baseline", got)
	}
	delete(labels["26.03"], "pod-security.kubernetes.io/enforce")
	if diff := cmp.Diff(labels["1.10"], labels["26.03"]); diff != "" {
		t.Errorf("labels of people's namespaces (-1.10 +26.03):\n%s", diff)
	}
}
