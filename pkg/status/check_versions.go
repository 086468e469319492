package status

import (
	"fmt"
	"path"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// checkServer: a server that the release does not work on, or was not tested on.
func checkServer(s *Snapshot) []report.Cause {
	if s.Server == nil {
		return nil
	}
	minor := int(s.Server.Minor())
	c := report.Cause{Evidence: []string{"server: " + s.Server.String()}}
	switch r := s.Release; {
	case minor < r.ServedMin || minor > r.ServedMax:
		c.Name, c.Severity = diagnose.ServerUnsupported, report.Error
		c.Summary = fmt.Sprintf("release %s supports Kubernetes 1.%d to 1.%d", r.Name, r.ServedMin, r.ServedMax)
		c.Remedy = "use a server of these versions, or a version of this plugin whose release supports the server"
	case minor < r.TestedMin || minor > r.TestedMax:
		c.Name, c.Severity = diagnose.ServerUntested, report.Info
		c.Summary = fmt.Sprintf("the Istio version of release %s is tested with Kubernetes 1.%d to 1.%d", r.Name, r.TestedMin, r.TestedMax)
		c.Remedy = "nothing, as long as everything is Ready"
	default:
		return nil
	}
	return []report.Cause{c}
}

// image of a container: where it comes from and which one it is.
type image struct{ repository, tag string }

func parseImage(ref string) image {
	return image{components.Repository(ref), components.Tag(ref)}
}

// program is the name that an image keeps in every registry.
func (i image) program() string { return path.Base(i.repository) }

// images of a workload's own containers. What istiod fills in ("auto") is none of them.
func images(u *unstructured.Unstructured) []image {
	if u == nil {
		return nil
	}
	// By hand: to decode a whole pod template takes longer than all the rest of a check.
	at := u.Object
	for _, field := range []string{"spec", "template", "spec"} {
		at, _ = at[field].(map[string]any)
	}
	containers, _ := at["containers"].([]any)
	var out []image
	for _, c := range containers {
		c, _ := c.(map[string]any)
		if ref, _ := c["image"].(string); ref != "" && ref != "auto" {
			out = append(out, parseImage(ref))
		}
	}
	return out
}

// versions of a component: the one that runs, and the one that this plugin would
// install, empty where both are the same. They are read from images, and where there
// are none, taken from the catalogue if this plugin has installed the component.
func (s *Snapshot) versions(r *components.Rendered) (running, offered string) {
	for _, pair := range s.running(r) {
		if running == "" {
			running = pair.running.tag
		}
		if pair.running.tag != pair.wanted.tag {
			return pair.running.tag, pair.wanted.tag
		}
	}
	if running == "" && s.Inventory != nil && !s.Existing(r.Component.Name) {
		running = r.Component.Version
		if s.Inventory.Settings.Release != s.Release.Name {
			return "", r.Component.Version
		}
	}
	return running, ""
}

type runningImage struct {
	workload        report.Ref
	running, wanted image
}

// running pairs the images of a component's workloads with those that are wanted, by program.
func (s *Snapshot) running(r *components.Rendered) []runningImage {
	var out []runningImage
	for _, u := range r.Objects {
		if !isWorkload(u.GetKind()) {
			continue
		}
		there := images(s.Object(cluster.RefOf(u)))
		for _, want := range images(u) {
			if i := slices.IndexFunc(there, func(i image) bool { return i.program() == want.program() }); i >= 0 {
				out = append(out, runningImage{cluster.RefOf(u), there[i], want})
			}
		}
	}
	return out
}

// checkVersions: parts of one component that do not belong together.
func checkVersions(s *Snapshot) []report.Cause {
	var causes []report.Cause
	for i := range s.Expected {
		r := &s.Expected[i]
		var evidence []string
		tags := map[string]bool{}
		wanted := map[string]bool{}
		for _, pair := range s.running(r) {
			tags[pair.running.tag], wanted[pair.wanted.tag] = true, true
			evidence = append(evidence, fmt.Sprintf("%s: %s %s", pair.workload, pair.running.program(), pair.running.tag))
		}
		if len(tags) <= len(wanted) {
			continue
		}
		causes = append(causes, report.Cause{
			Name: diagnose.VersionSkew, Severity: report.Warning, Component: r.Component.Name,
			Summary:  "its parts have different versions",
			Evidence: evidence,
			Remedy:   "update all of them to one version: kubectl jupyter install",
		})
	}
	return causes
}
