package notebook

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/edits"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/fit"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/form"
)

// ParseAmount reads what a flag says of CPU or memory; nil where it says nothing.
func ParseAmount(flag, text string) (*resource.Quantity, error) {
	if text == "" {
		return nil, nil
	}
	example := "2 or 500m"
	if flag == "memory" {
		example = "8Gi"
	}
	q, err := resource.ParseQuantity(text)
	if err != nil || q.Sign() <= 0 {
		return nil, fmt.Errorf("--%s: %q is not a positive quantity, such as %s", flag, text, example)
	}
	const least = 16 << 20
	if flag == "memory" && q.Value() < least {
		return nil, fmt.Errorf("--memory: %q is less than 16Mi: write it with a unit, such as 8Gi", text)
	}
	return &q, nil
}

// ParseGPU reads N[:RESOURCE]. Whether there is such a resource the cluster knows.
func ParseGPU(text string) (*form.GPURequest, error) {
	number, kind, named := strings.Cut(text, ":")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || named && kind == "" {
		return nil, fmt.Errorf("--gpu: %q is not a number of GPUs, such as 1, or 1:RESOURCE, such as 1:nvidia.com/gpu", text)
	}
	return &form.GPURequest{Count: n, Resource: kind}, nil
}

// ChangeFlags say what is to be different from a notebook that is there.
type ChangeFlags struct {
	image, cpu, memory, gpu string
	env                     []string
}

// Add adds the flags.
func (f *ChangeFlags) Add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.image, "image", "", "Image: a short name of the form, or a full reference")
	fs.StringVar(&f.cpu, "cpu", "", "CPU request, such as 2 or 500m; the limit changes in proportion")
	fs.StringVar(&f.memory, "memory", "", "Memory request, such as 8Gi; the limit changes in proportion")
	fs.StringVar(&f.gpu, "gpu", "", "Number of GPUs, and their resource if there are several, as in 1 or 2:nvidia.com/mig-1g.10gb; 0 for none")
	fs.StringArrayVar(&f.env, "env", nil, "Environment variable to set, as `KEY=VALUE`, or to remove, as KEY-; can be repeated")
}

// Change is what was typed. The cluster knows what the names of images and GPUs in it mean.
func (f *ChangeFlags) Change() (edits.Change, error) {
	c := edits.Change{Image: f.image}
	var err error
	if c.CPU, err = ParseAmount("cpu", f.cpu); err != nil {
		return c, err
	}
	if c.Memory, err = ParseAmount("memory", f.memory); err != nil {
		return c, err
	}
	if f.gpu != "" {
		if c.GPU, err = ParseGPU(f.gpu); err != nil {
			return c, err
		}
	}
	seen := map[string]bool{}
	for _, text := range f.env {
		e, err := edits.ParseEnv(text)
		if err != nil {
			return c, err
		}
		if seen[e.Name] {
			return c, fmt.Errorf("--env: %s is specified twice", e.Name)
		}
		seen[e.Name] = true
		c.Env = append(c.Env, e)
	}
	return c, nil
}

// Resolve finds in the cluster what the names in a change mean. The form is read only where
// there are names.
func (p *Place) Resolve(ctx context.Context, c *edits.Change, facts *fit.Facts) error {
	names := c.GPU != nil && c.GPU.Count > 0
	if c.Image == "" && !names {
		return nil
	}
	spawner, _, err := form.Read(ctx, p.Cluster)
	if err != nil {
		return err
	}
	if c.Image != "" {
		if c.Image, err = spawner.ImageNamed(c.Image); err != nil {
			return fmt.Errorf("--%w", err)
		}
	}
	c.GPU, err = ResolveGPU(c.GPU, spawner, facts)
	return err
}

// ResolveGPU finds the resource that a request for GPUs means; one for none means none.
func ResolveGPU(r *form.GPURequest, spawner *form.Form, facts *fit.Facts) (*form.GPURequest, error) {
	if r == nil || r.Count == 0 {
		return r, nil
	}
	found, err := spawner.GPUResource(r.Resource, facts.Devices())
	if err != nil {
		return nil, fmt.Errorf("--%w", err)
	}
	return &form.GPURequest{Count: r.Count, Resource: found}, nil
}
