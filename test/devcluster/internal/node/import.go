package node

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/images"
)

// importer puts image archives into containerd. Those that it has put there
// are kept over a restart of the bed, by stamps beside containerd's files.
type importer struct {
	ctr, socket, stamps string
}

// importAll imports what has changed and returns how many that were.
func (i importer) importAll(ctx context.Context, archives []images.Archive) (int, error) {
	if err := os.MkdirAll(i.stamps, 0o700); err != nil {
		return 0, err
	}
	count := 0
	for _, a := range archives {
		stamp := filepath.Join(i.stamps, strings.NewReplacer("/", "_", ":", "_").Replace(a.Name))
		if b, err := os.ReadFile(stamp); err == nil && string(b) == a.Digest {
			continue
		}
		cmd := exec.CommandContext(ctx, i.ctr, "--address", i.socket, "--namespace", "k8s.io", "images", "import", a.File)
		if out, err := cmd.CombinedOutput(); err != nil {
			return count, fmt.Errorf("import image %s from %s into containerd: %w: %s", a.Name, a.File, err, bytes.TrimSpace(out))
		}
		if err := os.WriteFile(stamp, []byte(a.Digest), 0o600); err != nil {
			return count, err
		}
		count++
	}
	return count, nil
}
