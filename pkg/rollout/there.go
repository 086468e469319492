package rollout

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// SourceThere is where the manifests come from that a stack is compared with whose release
// nobody has recorded: somebody else has made it, or the inventory is lost. It is the
// release that alone has a webhook's Deployment of this name, and the default one where no
// such Deployment is there or may be read.
func SourceThere(ctx context.Context, c *cluster.Cluster) (components.Source, error) {
	for _, release := range components.Releases() {
		if release.Name == components.DefaultRelease {
			continue
		}
		for _, workload := range onlyIn(release) {
			namespace, name, _ := strings.Cut(workload, "/")
			_, err := c.Metadata.Resource(deployments).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
			switch {
			case err == nil:
				return components.NewEmbedded(release.Name)
			case !apierrors.IsNotFound(err) && !apierrors.IsForbidden(err):
				return nil, fmt.Errorf("Deployment %s: %w", workload, err)
			}
		}
	}
	return components.NewEmbedded(components.DefaultRelease)
}

// KeepThere takes the release that SourceThere names, where no run has recorded one: not
// all objects of a release can become those of another in place.
func (i *Intent) KeepThere(ctx context.Context, c *cluster.Cluster) error {
	if i.Source.Release().Clone != nil {
		return nil // chosen
	}
	there, err := SourceThere(ctx, c)
	if err != nil {
		return err
	}
	is, asked := there.Release().Name, i.Source.Release().Name
	if is == components.DefaultRelease || is == asked {
		return nil
	}
	if i.Given("release") {
		return fmt.Errorf("--release: release %s is installed, although the cluster has no record of it, nothing was changed: install without the flag, which records it, and then run `kubectl jupyter upgrade --to %s`", is, asked)
	}
	i.Source = there
	return nil
}

var deployments = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}

// onlyIn lists the Deployments, NAMESPACE/NAME, of the release's webhooks that no other
// release has under this name.
func onlyIn(release *components.Release) []string {
	others := map[string]bool{}
	for _, r := range components.Releases() {
		if r.Name != release.Name {
			for _, w := range gated(r) {
				others[w] = true
			}
		}
	}
	var out []string
	for _, w := range gated(release) {
		if !others[w] {
			out = append(out, w)
		}
	}
	return out
}

func gated(release *components.Release) []string {
	var out []string
	for _, c := range release.Components {
		for _, g := range c.Gates {
			out = append(out, g.Workload)
		}
	}
	return out
}
