package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/status"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/version"
)

// Values of --dry-run.
const (
	dryRunNone   = "none"
	dryRunClient = "client"
	dryRunServer = "server"
)

// defaultTimeout leaves room for slow image pulls: the stack is some gigabytes.
const defaultTimeout = 15 * time.Minute

// Formats of tables, beside those of documents.
const (
	formatTable = "table"
	formatWide  = "wide"
	formatCSV   = "csv"
)

func checkTimeout(d time.Duration) error {
	if d < 0 {
		return fmt.Errorf("--timeout: %s is negative: give a duration such as 90s or 20m, or 0 for no bound", d)
	}
	return nil
}

func checkDryRun(mode string) error {
	if !slices.Contains([]string{dryRunNone, dryRunClient, dryRunServer}, mode) {
		return fmt.Errorf("--dry-run: unknown value %q: choose none, client or server", mode)
	}
	return nil
}

// look connects and reads what the last run has recorded, within the time that the whole
// run may take.
func (b *base) look(ctx context.Context, timeout time.Duration, w io.Writer) (*cluster.Cluster, *rollout.Settings, error) {
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	c, err := b.connect(ctx, w)
	if err != nil {
		return nil, nil, err
	}
	settings, err := rollout.ReadSettings(ctx, c)
	return c, settings, err
}

// beforeWriting says of a run that ended while it was still reading that the
// cluster is as it was.
func beforeWriting(ctx context.Context, timeout time.Duration, err error) error {
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("--timeout: %s were not enough to look at what is in the cluster, nothing was changed: %w", timeout, err)
	}
	return err
}

// documented leads from causes to their pages.
func documented(causes []report.Cause) []report.Cause {
	for i := range causes {
		causes[i].Docs = status.Docs + diagnose.Page(causes[i].Name)
	}
	return causes
}

func objectsOf(rendered []components.Rendered) []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, r := range rendered {
		out = slices.Concat(out, r.Objects)
	}
	return out
}

// versions is the machine-readable form.
type versions struct {
	Client version.Info   `json:"client"`
	Server *report.Target `json:"server,omitempty"`
	// Installed is what the inventory in the cluster says, absent where there is none.
	Installed *rollout.Settings `json:"installed,omitempty"`
}
