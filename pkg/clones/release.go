package clones

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/version"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// tested are the minor versions of Kubernetes (1.x) that a minor version of Istio (1.x) was
// tested with by its makers, as Istio's page of supported releases lists them.
var tested = map[int][2]int{
	22: {27, 30}, 23: {27, 30}, 24: {28, 31}, 25: {29, 32}, 26: {29, 33}, 27: {29, 33}, 28: {30, 34}, 29: {31, 35}, 30: {32, 36},
}

// laterThan is the version of a clone of which only that is known.
const laterThan = "later-than-"

// nameVersion says of a clone without a tag whose programs are newer than those of the last
// version with its layout that it is a later one.
func (c *clone) nameVersion() {
	if c.tagged {
		return
	}
	for name, known := range c.layout.programs {
		has, err := version.ParseGeneric(c.versionOf(name))
		if err == nil && version.MustParseGeneric(known).LessThan(version.MajorMinor(has.Major(), has.Minor())) {
			c.about.Version = laterThan + c.layout.version
			return
		}
	}
}

// source makes the release.
func (c *clone) source() (*components.Files, error) {
	c.nameVersion()
	newest := c.embedded.Release()
	release := &components.Release{
		Name:      "clone-" + c.about.Version,
		ServedMax: newest.ServedMax,
		Clone:     c.about,
	}
	minor, _ := c.istioMinor()
	known := slices.Sorted(maps.Keys(tested))
	// Of one that is not known, the nearest one before it, or the first.
	at, found := slices.BinarySearch(known, minor)
	if !found {
		at = max(at-1, 0)
	}
	release.TestedMin, release.TestedMax = tested[known[at]][0], tested[known[at]][1]
	release.ServedMin = max(release.TestedMin, components.NativeSidecarsSince-1)
	for _, name := range c.names() {
		release.Components = append(release.Components, c.component(name))
	}
	release.Components = append(release.Components, components.OwnComponents()...)
	c.compareVersions(release)
	return components.NewGiven(release, components.Given{Objects: c.objects, Secrets: c.recorded})
}

// component is the entry of the release that fits the clone's objects: needs, gates and what
// is left behind are the same from version to version but for names.
func (c *clone) component(name string) components.Component {
	var out components.Component
	for _, r := range slices.Backward(components.Releases()) {
		entry, err := r.Component(name)
		if err != nil {
			continue
		}
		if out.Name == "" {
			out = *entry
			out.Gates = nil
		}
		if c.fits(entry) {
			out = *entry
			break
		}
	}
	if len(out.Gates) == 0 && slices.ContainsFunc(components.Releases(), func(r *components.Release) bool {
		entry, err := r.Component(name)
		return err == nil && len(entry.Gates) > 0
	}) {
		c.warn("component %s has other webhooks than any known version: the installation goes on when its programs are ready, without a test of their answers", name)
	}
	out.Values, out.NotIn = nil, nil
	if name == "istio" && c.cni {
		out.Values = map[string]string{components.CNIValue: "true"}
	}
	out.Version = c.versionOf(name)
	out.ConfigImages = c.configImages(name, out.ConfigImages)
	for _, u := range c.objects[name] {
		if ns := u.GetNamespace(); ns != "" && !slices.Contains(out.Namespaces, ns) {
			out.Namespaces = append(slices.Clip(out.Namespaces), ns)
		}
	}
	return out
}

// fits tells whether an entry's gates are about objects that the clone has.
func (c *clone) fits(entry *components.Component) bool {
	for _, gate := range entry.Gates {
		for kind, at := range map[string]string{"Deployment": gate.Workload, "DaemonSet": gate.Agent} {
			namespace, name, _ := strings.Cut(at, "/")
			if at != "" && c.find(entry.Name, kind, namespace, name) == nil {
				return false
			}
		}
		for _, w := range gate.Webhooks {
			if c.find(entry.Name, w.Kind, "", w.Name) == nil {
				return false
			}
		}
	}
	return true
}

// versionOf is what the images of a component say; of one without images, what its
// definitions say, or the clone's version.
func (c *clone) versionOf(name string) string {
	var version string
	var named bool
	for _, u := range c.objects[name] {
		images := imagesOf(u)
		if len(images) == 0 || named || version != "" && !strings.Contains(u.GetName(), name) {
			continue
		}
		version, named = components.Tag(images[0]), strings.Contains(u.GetName(), name)
	}
	if version != "" {
		return version
	}
	for _, u := range c.objects[name] {
		if v := u.GetLabels()["app.kubernetes.io/version"]; v != "" && u.GetKind() == "CustomResourceDefinition" {
			return v
		}
	}
	if name == "istio-crds" {
		return c.versionOf("istio") // those of older versions do not say
	}
	return c.about.Version
}

// imagesOf the containers of a workload, without those that the injector chooses.
func imagesOf(u *unstructured.Unstructured) []string {
	containers, _, _ := unstructured.NestedSlice(u.Object, "spec", "template", "spec", "containers")
	var out []string
	for _, c := range containers {
		c, _ := c.(map[string]any)
		if ref, _ := c["image"].(string); ref != "" && ref != "auto" {
			out = append(out, ref)
		}
	}
	return out
}

// configImages are the images in configuration: the sidecar's, those of the spawner's form,
// and those that an entry names, in the clone's version.
func (c *clone) configImages(name string, of []string) []string {
	var out []string
	add := func(ref string) {
		if ref != "" && !slices.Contains(out, ref) {
			out = append(out, ref)
		}
	}
	switch name {
	case webApp:
		for _, ref := range c.notebookImages() {
			add(ref)
		}
		return out
	case "istio":
		if config := c.find(name, "ConfigMap", istioNamespace, injector); config != nil {
			text, _, _ := unstructured.NestedString(config.Object, "data", "values")
			var values struct {
				Global struct {
					Proxy     struct{ Image string } `json:"proxy"`
					ProxyInit struct{ Image string } `json:"proxy_init"`
				} `json:"global"`
			}
			if yaml.Unmarshal([]byte(text), &values) == nil && strings.Contains(values.Global.Proxy.Image, "/") {
				add(values.Global.Proxy.Image)
				add(values.Global.ProxyInit.Image)
			}
		}
		return out
	}
	for _, ref := range of {
		same := regexp.MustCompile(regexp.QuoteMeta(components.Repository(ref)) + `[:@][A-Za-z0-9_.:-]+`)
		for _, u := range c.objects[name] {
			components.MapStrings(u.Object, func(s string) string {
				for _, found := range same.FindAllString(s, -1) {
					add(found)
				}
				return s
			})
		}
	}
	return out
}

// notebookImages are those that the spawner's form offers.
func (c *clone) notebookImages() []string {
	config := c.find(webApp, "ConfigMap", kubeflow, "jupyter-web-app-config")
	if config == nil {
		return nil
	}
	text, _, _ := unstructured.NestedString(config.Object, "data", "spawner_ui_config.yaml")
	type choice struct {
		Value   string   `json:"value"`
		Options []string `json:"options"`
	}
	var form struct {
		Defaults struct {
			Image  choice `json:"image"`
			GroupA choice `json:"imageGroupOne"`
			GroupB choice `json:"imageGroupTwo"`
		} `json:"spawnerFormDefaults"`
	}
	if yaml.Unmarshal([]byte(text), &form) != nil {
		return nil // the web app will say what is wrong with it
	}
	var out []string
	for _, group := range []choice{form.Defaults.Image, form.Defaults.GroupA, form.Defaults.GroupB} {
		out = append(append(out, group.Value), group.Options...)
	}
	return out
}

// istioMinor is the minor version of Istio's programs.
func (c *clone) istioMinor() (int, bool) {
	parts := strings.Split(strings.TrimPrefix(c.versionOf("istio"), "v"), ".")
	if len(parts) < 2 {
		return 0, false
	}
	minor, err := strconv.Atoi(parts[1])
	return minor, err == nil && parts[0] == "1"
}

// compareVersions tells of parts of Istio that are of other versions than its control plane.
func (c *clone) compareVersions(release *components.Release) {
	definitions, err := release.Component("istio-crds")
	programs, err2 := release.Component("istio")
	if cmp.Or(err, err2) != nil {
		return
	}
	if definitions.Version != programs.Version {
		c.warn("Istio's definitions are of version %s, and its control plane of %s", definitions.Version, programs.Version)
	}
	for _, ref := range programs.ConfigImages {
		if v := components.Tag(ref); v != "" && v != programs.Version {
			c.warn("Istio's sidecars are of version %s, and its control plane of %s", v, programs.Version)
		}
	}
}
