package preflight

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/mirror"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// readRegistry was made where images come from a registry that somebody has named.
const readRegistry = "registry"

// Pulled is an image that nodes are going to pull, and what its registry says of it.
type Pulled struct {
	components.Image
	mirror.Answer
}

func (l *looker) startRegistry(ctx context.Context) {
	if l.options.AskImages != nil && l.options.Plan.Settings.Registry != "" {
		l.start(ctx, readRegistry, l.registry)
	}
}

// registry asks for the images of the plan, with the pull secret that nodes would use.
func (l *looker) registry(ctx context.Context) error {
	plan := l.options.Plan
	credentials, err := rollout.ReadPullSecret(ctx, l.cluster, plan.Settings.PullSecret)
	if err != nil {
		return err
	}
	images := components.Images(plan.Rendered, plan.Settings.Options())
	refs := make([]string, len(images))
	for i := range images {
		refs[i] = images[i].Ref
	}
	answers, err := l.options.AskImages(ctx, refs, []byte(credentials))
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range images {
		l.facts.Pulled = append(l.facts.Pulled, Pulled{images[i], answers[i]})
	}
	return nil
}

// onNodes tells whether all open nodes have an image already, as far as they say: a kubelet
// names some of its images only.
func (f *Facts) onNodes(image string) bool {
	for _, n := range f.Open {
		if !slices.ContainsFunc(n.Status.Images, func(i corev1.ContainerImage) bool { return slices.Contains(i.Names, image) }) {
			return false
		}
	}
	return len(f.Open) > 0
}

// findRegistry says whether every image is where the nodes will look for it.
func findRegistry(f *Facts) (string, []report.Cause) {
	arches := map[string]bool{}
	for _, n := range f.Open {
		arches[string(corev1.Linux)+"/"+n.Labels[corev1.LabelArchStable]] = true
	}
	var absent, later, foreign []string
	unsure := map[string][]string{}
	there, local := 0, 0
	for _, p := range f.Pulled {
		switch {
		case f.onNodes(p.Ref):
			local++
		case mirror.Missing(p.Err) && p.OnDemand:
			later = append(later, p.Ref)
		case mirror.Missing(p.Err):
			absent = append(absent, p.Ref)
		case p.Err != nil:
			host := mirror.Registry(p.Ref)
			unsure[host] = append(unsure[host], p.Ref+": "+p.Err.Error())
		default:
			there++
			for _, arch := range slices.Sorted(maps.Keys(arches)) {
				if len(p.Platforms) > 0 && !slices.Contains(p.Platforms, arch) {
					foreign = append(foreign, fmt.Sprintf("%s is for %s, and not for %s", p.Ref, strings.Join(p.Platforms, ", "), arch))
				}
			}
		}
	}
	found := fmt.Sprintf("asked from this machine: the registry has %d of %s, for %s", there, report.Count(len(f.Pulled), "image"), strings.Join(slices.Sorted(maps.Keys(arches)), ", "))
	if local > 0 {
		found += fmt.Sprintf("; %d are on all nodes already", local)
	}
	var causes []report.Cause
	const remedy = "copy them: kubectl jupyter images copy --to HOST/PREFIX"
	if len(absent) > 0 {
		causes = append(causes, report.Cause{
			Name: diagnose.ImagesMissing, Severity: report.Fatal,
			Summary:  fmt.Sprintf("%s not in the registry that the nodes are to pull from", were(len(absent), "image")),
			Evidence: bounded(absent, excludedShown, "image"), Remedy: remedy,
		})
	}
	if len(later) > 0 {
		causes = append(causes, report.Cause{
			Name: diagnose.ImagesMissing, Severity: report.Warning,
			Summary:  fmt.Sprintf("%s not in the registry, of those that notebooks are started with later", were(len(later), "image")),
			Evidence: bounded(later, excludedShown, "image"), Remedy: remedy + "; or leave them out of the form: kubectl jupyter notebook form",
		})
	}
	if len(foreign) > 0 {
		causes = append(causes, report.Cause{
			Name: diagnose.WrongArchitecture, Severity: report.Warning,
			Summary:  "the registry has images that are not built for all nodes: pods that are scheduled on the others fail",
			Evidence: bounded(foreign, excludedShown, "image"),
			Remedy:   "copy all architectures of the images, as `kubectl jupyter images copy` and `skopeo copy --all` do; or keep pods off these nodes",
		})
	}
	for _, host := range slices.Sorted(maps.Keys(unsure)) {
		causes = append(causes, report.Cause{
			Name: diagnose.RegistryUnanswered, Severity: report.Warning,
			Summary:  fmt.Sprintf("registry %s does not tell this machine whether it has %s; nodes may reach it, or have credentials for it", host, report.Count(len(unsure[host]), "image")),
			Evidence: bounded(unsure[host], 2, "image"), Remedy: mirror.Remedy(host, unsure[host][0]),
		})
	}
	return found, causes
}

func were(n int, noun string) string {
	if n == 1 {
		return "1 " + noun + " is"
	}
	return report.Count(n, noun) + " are"
}
