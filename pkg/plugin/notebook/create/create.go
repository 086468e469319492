// Package create is `notebook create`.
package create

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/form"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/people"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// Flags are what was typed.
type Flags struct {
	kind, image          string
	cpu, memory, gpu     string
	volumes              []string
	noVolume, shm        bool
	env, configs         []string
	tolerations, affined string
	fit, wait, open      bool
	user                 people.Credentials
	timeout              time.Duration
	dryRun, output       string
}

// Options are what is meant.
type Options struct {
	base *plugin.Base
	// Request has everything that needs no cluster; GPU and Configs are names that one knows.
	Request form.Request
	GPU     *form.GPURequest
	Configs []string
	// ConfigsGiven tells none from not set.
	ConfigsGiven bool
	Fit          bool
	Wait         bool
	Open         bool
	// User is whom the notebook has to answer through the gateway.
	User    people.Credentials
	Timeout time.Duration
	DryRun  string
	Format  string
}

func New(b *plugin.Base) *cobra.Command {
	f := &Flags{}
	cmd := &cobra.Command{
		Use:     "create NAME",
		GroupID: notebook.GroupManage,
		Short:   "Create a notebook as the form of the web app does, and wait until it answers",
		Long: `Create a notebook as the form of the web app does, and wait until it answers.

Everything that is not specified is as the form of this cluster proposes it. Images have
their short names, such as scipy for .../jupyter-scipy:v1.10.0; any other image needs its
full reference, if the cluster allows custom images.

Before anything is created, the command checks whether the notebook would run: the API
server is asked with dry runs whether quotas, LimitRanges, webhooks and permissions admit
it, and its requests are compared with what the nodes have left. If it would not run, the
causes are printed with the largest size that would; --fit takes that size. What could not
be checked is said, and does not prevent the creation.

The command then waits until the server of the notebook answers, through the API server,
and prints its URL. The gateway requires a login: without one, only its address is tested.
With --user-email and a password, the command logs in before anything is created, and waits
until the notebook answers that user through the gateway.`,
		Example: plugin.Examples(`
			# Create a notebook with the defaults of the form
			kubectl jupyter notebook create lab

			# Create a notebook with one GPU and a new volume of 50Gi, and open it in the browser
			kubectl jupyter notebook create vision --image pytorch-cuda-full --gpu 1 --volume 50Gi --open

			# Create the largest notebook that fits, up to 32 CPUs and 128Gi
			kubectl jupyter notebook create big --cpu 32 --memory 128Gi --fit

			# Mount an existing volume as home, and another one at /data
			kubectl jupyter notebook create lab2 --volume lab-workspace --volume datasets:/data

			# Create a VS Code notebook with environment variables and a PodDefault
			kubectl jupyter notebook create code --type code --env HF_HOME=/data/hf --config access-ml-pipeline

			# Create a notebook, and wait until it answers ada through the gateway
			kubectl jupyter notebook create lab --user-email ada@example.com --password-stdin < password.txt

			# Print what would be created, after a check by the API server
			kubectl jupyter notebook create lab --dry-run=server -o yaml`),
		Args: notebook.OneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.ToOptions(b, args[0], cmd.Flags().Changed)
			return plugin.Run(cmd, o, err)
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&f.image, "image", "", "Image: a short name of the form, or a full reference")
	fs.StringVar(&f.kind, "type", "", "Type of the server. One of: (jupyter, code, rstudio); by default, that of the image")
	fs.StringVar(&f.cpu, "cpu", "", "CPU request, such as 2 or 500m; the limit follows from the form")
	fs.StringVar(&f.memory, "memory", "", "Memory request, such as 8Gi; the limit follows from the form")
	fs.StringVar(&f.gpu, "gpu", "", "Number of GPUs, and their resource if there are several, as in 1 or 2:nvidia.com/mig-1g.10gb; 0 for none")
	fs.StringArrayVar(&f.volumes, "volume", nil, "Volume: `SIZE or CLAIM[:PATH]`, a new volume of a size or an existing PersistentVolumeClaim. Without a path, it is the home; can be repeated")
	fs.BoolVar(&f.noVolume, "no-volume", false, "If true, create the notebook without a home volume: files are lost when it stops")
	fs.BoolVar(&f.shm, "shm", true, "If true, mount shared memory at /dev/shm; by default, as the form proposes")
	fs.StringArrayVar(&f.env, "env", nil, "Environment variable, as `NAME=VALUE`; can be repeated")
	fs.StringArrayVar(&f.configs, "config", nil, "`PodDefault` of the namespace to apply, by its name or its label; can be repeated")
	fs.StringVar(&f.tolerations, "toleration-group", "", "Tolerations of the form, by their key; none for none")
	fs.StringVar(&f.affined, "affinity", "", "Affinity of the form, by its key; none for none")
	fs.BoolVar(&f.fit, "fit", false, "If true, create the largest notebook that fits, if what is requested does not")
	fs.BoolVar(&f.wait, "wait", true, "If true, wait until the notebook answers")
	fs.DurationVar(&f.timeout, "timeout", notebook.DefaultTimeout, "The length of time to wait until the notebook answers; 0 means no timeout")
	f.user.AddFlags(b, cmd, "E-mail address of the user whom the notebook has to answer through the gateway")
	fs.BoolVar(&f.open, "open", false, "If true, open the URL in the browser of this machine")
	fs.StringVar(&f.dryRun, "dry-run", plugin.DryRunNone, "Must be none, client or server. With client, only print the objects; with server, also check them")
	fs.StringVarP(&f.output, "output", "o", "", "Output format. One of: (yaml, json, name); the objects are printed instead of the URL")
	plugin.Complete(cmd, "output", view.ManifestFormats)
	plugin.Complete(cmd, "dry-run", func() []string { return []string{plugin.DryRunNone, plugin.DryRunClient, plugin.DryRunServer} })
	plugin.Complete(cmd, "type", typeNames)
	f.complete(b, cmd)
	return cmd
}

func typeNames() []string {
	var out []string
	for _, t := range notebooks.Types() {
		out = append(out, string(t))
	}
	return out
}

// ToOptions checks what was typed.
func (f *Flags) ToOptions(b *plugin.Base, name string, given func(string) bool) (*Options, error) {
	o := &Options{
		base: b, Configs: f.configs, ConfigsGiven: given("config"), Fit: f.fit, Wait: f.wait, Open: f.open, User: f.user, Timeout: f.timeout, DryRun: f.dryRun, Format: f.output,
		Request: form.Request{Name: name, Type: notebooks.Type(f.kind), Image: f.image, NoVolume: f.noVolume},
	}
	if err := notebooks.CheckName(name); err != nil {
		return nil, err
	}
	if f.kind != "" {
		if err := notebooks.CheckType(o.Request.Type); err != nil {
			return nil, fmt.Errorf("--type: %w", err)
		}
	}
	if err := errors.Join(plugin.CheckTimeout(f.timeout), plugin.CheckDryRun(f.dryRun), f.user.Check()); err != nil {
		return nil, err
	}
	if f.output != "" {
		if err := view.CheckFormat(f.output, view.ManifestFormats()...); err != nil {
			return nil, err
		}
	}
	switch {
	case f.open && (f.dryRun != plugin.DryRunNone || f.output != ""):
		return nil, errors.New("--open cannot be used together with --dry-run or --output")
	case f.user.Email != "" && (f.dryRun != plugin.DryRunNone || !f.wait):
		return nil, errors.New("--user-email cannot be used together with --dry-run or --wait=false: nothing would be asked of the gateway")
	case f.fit && f.dryRun == plugin.DryRunClient:
		return nil, errors.New("--fit cannot be used together with --dry-run=client, which does not look at the cluster's capacity: use --dry-run=server")
	}
	for _, set := range []func(*form.Request) error{f.amounts, f.mounts, f.environment} {
		if err := set(&o.Request); err != nil {
			return nil, err
		}
	}
	if given("shm") {
		o.Request.SHM = &f.shm
	}
	if given("toleration-group") {
		o.Request.Tolerations = &f.tolerations
	}
	if given("affinity") {
		o.Request.Affinity = &f.affined
	}
	var err error
	if given("gpu") {
		o.GPU, err = notebook.ParseGPU(f.gpu)
	}
	return o, err
}

// amounts reads CPU and memory.
func (f *Flags) amounts(r *form.Request) (err error) {
	if r.CPU, err = notebook.ParseAmount("cpu", f.cpu); err != nil {
		return err
	}
	r.Memory, err = notebook.ParseAmount("memory", f.memory)
	return err
}

func (f *Flags) mounts(r *form.Request) error {
	for _, text := range f.volumes {
		v, err := form.ParseVolume(text)
		if err != nil {
			return fmt.Errorf("--%w", err)
		}
		r.Volumes = append(r.Volumes, v)
	}
	return nil
}

func (f *Flags) environment(r *form.Request) error {
	seen := map[string]bool{}
	for _, text := range f.env {
		name, value, ok := strings.Cut(text, "=")
		if !ok || len(validation.IsEnvVarName(name)) > 0 {
			return fmt.Errorf("--env: %q is not NAME=VALUE", text)
		}
		if seen[name] {
			return fmt.Errorf("--env: %s is specified twice", name)
		}
		seen[name] = true
		r.Env = append(r.Env, corev1.EnvVar{Name: name, Value: value})
	}
	return nil
}
