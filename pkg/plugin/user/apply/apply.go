// Package apply is the command that makes the users of a cluster what a list says.
package apply

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/people"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/users"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/users/roster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// defaultTimeout bounds a run with many people.
const defaultTimeout = 10 * time.Minute

// maxFile is far more than the lists of the largest companies.
const maxFile = 16 << 20

// UserApplyOptions are what is meant.
type UserApplyOptions struct {
	base             *plugin.Base
	Filename         string
	PasswordsFile    string
	Diff, Prune, Yes bool
	Timeout          time.Duration
	Format           string
}

// New is the command.
func New(b *plugin.Base) *cobra.Command {
	o := &UserApplyOptions{base: b}
	cmd := &cobra.Command{
		Use:   "apply -f FILENAME",
		Short: "Add and change the users of a list",
		Long: `Add and change the users of a list in YAML, JSON or CSV. The command can be run again at any
time: it changes only what differs.

In CSV, the first line names the columns, in any order: email, profile, password, isolate, edit,
view, cpu, memory, gpu, and quota:RESOURCE for any other resource that a ResourceQuota counts. edit
and view are e-mail addresses of people to share the namespace with, separated by spaces. An empty
cell changes nothing. In YAML, "users" has the same fields, with "quota" and "contributors", and
"defaults" those of all users.

Users without a password get a generated one, unless password is false: they log in through an
identity provider. The generated passwords are written to --passwords-file, which is created with
mode 0600 and must not exist. They are never printed.

Users and contributors that the list does not name are left alone. With --prune, the command removes
the passwords of users who are not in the list, and contributors that the list does not name from
namespaces whose contributors it does name, after a confirmation. Profiles, namespaces, notebooks
and volumes are never deleted.`,
		Example: plugin.Examples(`
			# Print what a list would change
			kubectl jupyter user apply -f people.yaml --diff

			# Add the users of a list, and write their passwords to a file
			kubectl jupyter user apply -f people.csv --passwords-file passwords.csv

			# Also remove the passwords of users who are no longer in the list
			kubectl jupyter user apply -f people.yaml --prune --passwords-file new.csv`),
		Args: plugin.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return plugin.Run(cmd, o, o.check()) },
	}
	fs := cmd.Flags()
	fs.StringVarP(&o.Filename, "filename", "f", "", "File with the list in YAML, JSON or CSV, or - for standard input")
	fs.StringVar(&o.PasswordsFile, "passwords-file", "", "File to create for the generated passwords, in CSV and with mode 0600")
	fs.BoolVar(&o.Diff, "diff", false, "If true, print the changes and change nothing")
	fs.BoolVar(&o.Prune, "prune", false, "If true, remove the passwords of users, and the contributors, that the list does not name")
	fs.BoolVarP(&o.Yes, "yes", "y", false, "If true, prune without a prompt for confirmation")
	fs.DurationVar(&o.Timeout, "timeout", defaultTimeout, "The length of time to wait for all namespaces; 0 means no timeout")
	fs.StringVarP(&o.Format, "output", "o", "", "Output format. One of: (json, yaml, jsonpath=TEMPLATE)")
	plugin.Complete(cmd, "output", func() []string { return []string{view.JSON, view.YAML, view.JSONPath + "="} })
	return cmd
}

// check refuses what makes no sense.
func (o *UserApplyOptions) check() error {
	switch {
	case o.Filename == "":
		return errors.New("specify the list of users with -f FILENAME")
	case o.Filename == "-" && o.Prune && !o.Yes && !o.Diff:
		return errors.New("--prune cannot ask while the list comes from standard input: add --yes, or name a file")
	case o.Yes && !o.Prune:
		return errors.New("--yes confirms --prune, which is not set")
	case o.Format != "":
		if err := view.CheckOutput(o.Format); err != nil {
			return err
		}
	}
	return plugin.CheckTimeout(o.Timeout)
}

// read returns the people of the list.
func (o *UserApplyOptions) read(ctx context.Context) ([]roster.Entry, error) {
	name, in := o.Filename, io.Reader(o.base.In)
	if name == "-" {
		name = "standard input"
	} else {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("-f: %w", err)
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	text, err := plugin.Answer(ctx, func() ([]byte, error) { return io.ReadAll(io.LimitReader(in, maxFile+1)) })
	if err != nil {
		return nil, fmt.Errorf("-f %s: %w", name, err)
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("-f %s: the list has more than %s", name, view.Bytes(maxFile))
	}
	list, err := roster.Read(text)
	if err != nil {
		return nil, fmt.Errorf("-f %s: %w", name, err)
	}
	return list, nil
}

// Run makes the users what the list says.
func (o *UserApplyOptions) Run(ctx context.Context) error {
	list, err := o.read(ctx)
	if err != nil {
		return err
	}
	p, err := people.Open(ctx, o.base, o.Timeout)
	if err != nil {
		return err
	}
	if err := p.ToChange(); err != nil {
		return err
	}
	plan, err := roster.Compare(ctx, p, list, o.Prune)
	if err != nil {
		return fmt.Errorf("nothing was changed: %w", err)
	}
	if o.Diff {
		return o.print(plan, planned(plan))
	}
	if len(plan.Changes)+len(plan.Pruned) == 0 {
		fmt.Fprintf(o.base.ErrOut, "Nothing to change: the users of %s are those of the list.\n", p.Cluster.Where())
		if o.Format != "" {
			return o.print(plan, nil)
		}
		return nil
	}
	passwords := 0
	for i := range plan.Changes {
		if plan.Changes[i].Password {
			passwords++
		}
	}
	if passwords > 0 && o.PasswordsFile == "" {
		return fmt.Errorf("%s: name a file for them with --passwords-file, or set password to false for users of an identity provider; nothing was changed",
			report.Count(passwords, "generated password"))
	}
	fmt.Fprintf(o.base.ErrOut, "Changing %s in %s; %d unchanged.\n", report.Count(len(plan.Changes), "user"), p.Cluster.Where(), plan.Unchanged)
	if err := o.confirm(ctx, plan); err != nil {
		return err
	}
	return o.apply(ctx, p, plan)
}

// confirm asks before anything is taken from anybody.
func (o *UserApplyOptions) confirm(ctx context.Context, plan *roster.Plan) error {
	lines := pruned(plan)
	if len(lines) == 0 {
		return nil
	}
	fmt.Fprintln(o.base.ErrOut, "What the list does not name will be removed; namespaces, notebooks and volumes are kept:")
	for _, l := range lines {
		fmt.Fprintln(o.base.ErrOut, "  "+l)
	}
	if o.Yes {
		return nil
	}
	return o.base.Confirm(ctx, "--yes to prune")
}

func (o *UserApplyOptions) apply(ctx context.Context, p *users.Installation, plan *roster.Plan) error {
	ctx, cancel := rollout.Bounded(ctx, o.Timeout)
	defer cancel()
	started, file := time.Now(), &passwordsFile{name: o.PasswordsFile}
	meter := view.NewCounter(o.base.ErrOut, time.Now)
	outcomes, failed := plan.Apply(ctx, p, roster.Options{
		Keep:     file.write,
		Progress: func(doing string, done, total int) { meter.Show(doing, int64(done), int64(total)) },
	})
	meter.Close()
	if err := file.keepOnly(outcomes); err != nil {
		failed = errors.Join(failed, err)
	}
	if outcomes == nil {
		return failed
	}
	if err := o.print(plan, outcomes); err != nil {
		return errors.Join(failed, err)
	}
	took := time.Since(started)
	fmt.Fprintf(o.base.ErrOut, "Took %s for %s.\n", took.Round(100*time.Millisecond), report.Count(len(outcomes), "user"))
	if file.written > 0 {
		fmt.Fprintf(o.base.ErrOut, "%s in %s. Hand them out and delete the file: the cluster keeps hashes only.\n", report.Count(file.written, "generated password"), file.name)
	}
	for i := range plan.Changes {
		if to := plan.Changes[i].Isolate; to != nil && *to {
			people.WarnUnenforced(ctx, o.base, p.Cluster)
			break
		}
	}
	if failed != nil && errors.Is(ctx.Err(), context.Canceled) {
		stood := 0
		for _, one := range outcomes {
			if one.Error == "" {
				stood++
			}
		}
		return &rollout.Failure{Err: rollout.ErrInterrupted, Stood: fmt.Sprintf("%d of %s are as the list says; run the command again to complete it", stood, report.Count(len(outcomes), "user"))}
	}
	return failed
}
