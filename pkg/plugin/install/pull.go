package install

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/pulls"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// Values of --pull.
const (
	pullAuto = "auto"
	pullAll  = "all-nodes"
	pullOff  = "off"
)

var pullModes = []string{pullAuto, pullAll, pullOff}

// checkPull refuses choices that contradict others.
func (o *InstallOptions) checkPull(given func(string) bool) error {
	switch {
	case !slices.Contains(pullModes, o.Pull):
		return fmt.Errorf("--pull: %q is none of %s", o.Pull, strings.Join(pullModes, ", "))
	case o.Pull == pullOff && given("notebook-images"):
		return fmt.Errorf("--notebook-images cannot be used with --pull=%s: nothing is pulled", pullOff)
	case o.Pull == pullAll && !o.Wait:
		return fmt.Errorf("--pull=%s cannot be used with --wait=false: the pulls are waited for", pullAll)
	}
	return nil
}

// ahead is the pull of images beside an installation.
type ahead struct {
	puller *pulls.Puller
	// waited: the installation is complete when all images are there.
	waited bool
	// asked tells that images of notebooks were asked for, and are no mere offer.
	asked bool
	stop  context.CancelFunc
	done  chan error
}

// pullAhead begins to pull what the run will need, where it creates or changes anything
// that has images. Nil where there is nothing to pull.
func (o *InstallOptions) pullAhead(ctx context.Context, a *attempt) (*ahead, error) {
	if o.Pull == "" || o.Pull == pullOff || !o.Wait {
		return nil, nil
	}
	lacking, err := o.lacking(a)
	if err != nil || len(lacking.early)+len(lacking.late)+len(lacking.offered) == 0 {
		return nil, err
	}
	h := &ahead{
		puller: pulls.New(a.cluster, pulls.Options{Events: a.progress.Event, Secret: a.plan.Settings.PullSecret}), waited: o.Pull == pullAll, asked: o.Intent.Given("notebook-images"), done: make(chan error, 1),
	}
	ctx, h.stop = plugin.Within(ctx, o.Timeout)
	go func() { h.done <- h.run(ctx, a.cluster, lacking) }()
	return h, nil
}

// images that nodes may lack: of workloads that wait for none of the others, and of those that
// do, and what is offered for notebooks.
type images struct{ early, late, offered []string }

// lacking are the images of workloads that the run creates or changes, and those of
// notebooks where it brings the form that offers them, or where they were asked for.
func (o *InstallOptions) lacking(a *attempt) (out images, err error) {
	changes := map[report.Ref]rollout.Change{}
	for _, c := range a.survey.Changes() {
		changes[c.Ref] = c
	}
	changed := func(u *unstructured.Unstructured) (rollout.Change, bool) {
		c, ok := changes[cluster.RefOf(u)]
		return c, ok && c.Action != report.Unchanged
	}
	out.early, out.late, err = components.Needed(a.plan.Rendered, o.Intent.Manifests, func(u *unstructured.Unstructured, image string) bool {
		c, ok := changed(u)
		return ok && (c.Live == nil || !components.Uses(c.Live, image))
	})
	if err != nil {
		return out, err
	}
	form := slices.ContainsFunc(components.ObjectsOf(a.plan.Rendered), func(u *unstructured.Unstructured) bool {
		_, ok := changed(u)
		return ok && components.IsForm(u)
	})
	if form || o.Intent.Given("notebook-images") {
		out.offered, err = pulls.NotebookImages(a.plan.Rendered, o.NotebookImages)
	}
	return out, err
}

// run chooses the nodes, and pulls. Where there are several, nobody knows on which of them the
// scheduler will put a pod, and an image that is pulled elsewhere as well would only take
// from the wire: so the images of the stack are left to the pods, and that of a notebook,
// which then starts where it is, to the end.
func (h *ahead) run(ctx context.Context, c *cluster.Cluster, lacking images) error {
	most := 0
	if !h.waited {
		most = 2
	}
	nodes, err := pulls.Nodes(ctx, c, labels.Everything(), false, most)
	switch {
	case err != nil || len(nodes) == 0:
		return err
	case h.waited:
		h.puller.Add(nodes, slices.Concat(lacking.early, lacking.late, lacking.offered))
	case len(nodes) == 1:
		h.puller.AddBeside(nodes[0], lacking.early, lacking.late)
		h.puller.AddAlone(nodes, lacking.offered)
	default:
		h.puller.Anywhere(lacking.offered)
		return nil
	}
	return h.puller.Run(ctx)
}

// end ends the pulls with the installation, which has failed or not. What it says is never an
// error: the pods pull for themselves.
func (h *ahead) end(ctx context.Context, messages *plugin.Messages, failed error) {
	if h == nil {
		return
	}
	if !h.waited || failed != nil {
		h.stop()
	}
	err := <-h.done
	h.stop()
	if !h.waited && failed == nil && err == nil {
		h.puller.Arrived() // all programs run, on the only node
		if err = h.puller.Alone(ctx); apierrors.IsForbidden(err) && !h.asked {
			err = nil
		}
	}
	if err != nil && ctx.Err() == nil {
		fmt.Fprintf(messages, "warning: images are not pulled ahead: %v\n", err)
	}
	for _, i := range h.puller.Left() {
		fmt.Fprintf(messages, "Image %s, for notebooks, is still being pulled on node %s; this goes on without the command.\n", i.Ref, i.Node)
	}
}
