package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/version"
)

// Look connects and reads what the last run has recorded, within the time that the whole
// run may take.
func (b *Base) Look(ctx context.Context, timeout time.Duration, w io.Writer) (*cluster.Cluster, *rollout.Settings, error) {
	ctx, cancel := Within(ctx, timeout)
	defer cancel()
	c, err := b.Connect(ctx, w)
	if err != nil {
		return nil, nil, err
	}
	settings, err := rollout.ReadSettings(ctx, c)
	return c, settings, err
}

// Installed is where the manifests of the installed release come from, with what the last run
// has recorded. Where that is nothing, or may not be read, the settings are nil, and the
// release is the one that is nearest to what is there.
func (b *Base) Installed(ctx context.Context, c *cluster.Cluster) (components.Source, *rollout.Settings, error) {
	settings, err := rollout.ReadSettings(ctx, c)
	if err != nil && !apierrors.IsForbidden(err) {
		return nil, nil, err
	}
	if settings == nil {
		source, err := rollout.SourceThere(ctx, c)
		return source, nil, err
	}
	source, err := settings.Source()
	return source, settings, err
}

// BeforeWriting says of a run that ended while it was still reading that the
// cluster is as it was.
func BeforeWriting(ctx context.Context, timeout time.Duration, err error) error {
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("--timeout: the cluster could not be read within %s, nothing was changed: %w", timeout, err)
	}
	return err
}

// Versions is the machine-readable form.
type Versions struct {
	Client version.Info   `json:"client"`
	Server *report.Target `json:"server,omitempty"`
	// Installed is what the inventory in the cluster says, absent where there is none.
	Installed *rollout.Settings `json:"installed,omitempty"`
	// Newer is the latest release that this plugin has, empty where it is installed.
	Newer string `json:"newerRelease,omitempty"`
}
