package plugin

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/users"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

func newUserCommand(b *base) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "user",
		GroupID: groupAccess,
		Short:   "List, add and remove people, and change their passwords",
		Long: `List, add and remove people, and change their passwords.

A person is an e-mail address with a password at Dex, and a Profile: a namespace of
their own for their notebooks.`,
		Example: examples(`
			# Who can sign in, and what they have
			kubectl jupyter user list

			# A person, with a generated password and at most 4 CPUs
			kubectl jupyter user add ada@example.com --cpu 4 --memory 16Gi

			# Another password, typed in
			kubectl jupyter user set-password ada@example.com --password-stdin

			# Nobody signs in with it any more; notebooks and volumes stay
			kubectl jupyter user remove ada@example.com`),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return unknownCommand(cmd, args[0])
		},
	}
	cmd.AddCommand(newUserListCommand(b), newUserAddCommand(b), newUserSetPasswordCommand(b), newUserRemoveCommand(b))
	return cmd
}

// people is an installation with its users.
type people struct {
	*users.Users
	cluster  *cluster.Cluster
	source   *components.Embedded
	settings *rollout.Settings
}

// people connects and finds out who the first user is, within the time that the command
// has for whatever it waits for.
func (b *base) people(ctx context.Context, timeout time.Duration) (*people, error) {
	ctx, cancel := someTime(ctx, timeout)
	defer cancel()
	c, err := b.connect(ctx, b.ErrOut)
	if err != nil {
		return nil, err
	}
	source, err := b.source()
	if err != nil {
		return nil, err
	}
	p := &people{cluster: c, source: source, Users: &users.Users{Cluster: c}}
	if p.settings, err = rollout.ReadSettings(ctx, c); err != nil {
		return nil, fmt.Errorf("%s: %w", where(c), err)
	}
	if p.settings == nil {
		return p, nil
	}
	p.First.Email = p.settings.UserEmail
	dex, err := source.Render(ctx, []string{passwordKeeper}, p.settings.Options())
	if err != nil {
		return nil, err
	}
	p.First.Locked, err = rollout.PasswordLocked(ctx, c, dex)
	return p, err
}

// toChange refuses what is not ours to change.
func (p *people) toChange() error {
	if p.settings == nil {
		return fmt.Errorf("nothing is installed in %s: `kubectl jupyter install` comes first", where(p.cluster))
	}
	for _, name := range p.settings.UseExisting {
		if name == passwordKeeper {
			return fmt.Errorf("the Dex of %s is somebody else's (--use-existing %s): its people are changed where it is configured", where(p.cluster), name)
		}
	}
	return nil
}

// oneEmail takes the address that a command is about.
func oneEmail(cmd *cobra.Command, args []string) error {
	switch len(args) {
	case 1:
		return nil
	case 0:
		return usageError(cmd, fmt.Errorf("%s needs an e-mail address", cmd.CommandPath()))
	}
	return usageError(cmd, fmt.Errorf("%s takes one e-mail address, got %q as well", cmd.CommandPath(), args[1]))
}

// completionTime is how long somebody waits for a completion.
const completionTime = 3 * time.Second

// completeUsers offers the addresses that the cluster knows.
func (b *base) completeUsers(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
	defer cancel()
	p, err := b.people(ctx, 0)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	all, err := p.List(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var emails []string
	for _, u := range all {
		emails = append(emails, u.Email)
	}
	return emails, cobra.ShellCompDirectiveNoFileComp
}

// verified says what Dex said about a password; that it could not be asked is no failure
// of what was done.
func (p *people) verified(ctx context.Context, b *base, email string, password []byte) error {
	err := p.Verify(ctx, email, password, true)
	switch {
	case err == nil:
		fmt.Fprintf(b.ErrOut, "Dex takes the password of %s.\n", email)
		return nil
	case users.IsUnverified(err):
		fmt.Fprintf(b.ErrOut, "warning: the password of %s is set, and whether Dex takes it could not be seen: %v\n", email, err)
		return nil
	}
	return err
}

// someTime bounds a command that waits; zero means no bound.
func someTime(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, timeout, fmt.Errorf("%w after %s", rollout.ErrTimeout, timeout))
}

// newPassword reads the password or makes one.
func (b *base) newPassword(ctx context.Context, fromStdin bool, whose string) (password []byte, generated bool, err error) {
	if fromStdin {
		password, err = readPassword(ctx, b.IOStreams, whose)
		return password, false, err
	}
	return users.GeneratePassword(), true, nil
}

// changedPerson is the machine-readable form of who was added or has a new password.
type changedPerson struct {
	Email   string `json:"email"`
	Profile string `json:"profile,omitempty"`
	// Password only where it was generated.
	Password string `json:"password,omitempty"`
}

// printPerson says what has become of a person, and shows the password if there is one
// to show: in the document, or once on standard error.
func (b *base) printPerson(format string, person changedPerson, what string) error {
	if view.IsDocument(format) {
		return view.Document(b.Out, format, person)
	}
	if person.Password != "" {
		style := styleFor(b.ErrOut)
		fmt.Fprintf(b.ErrOut, "\nUser:      %s\nPassword:  %s\n           It is shown this once: the cluster keeps only a hash.\n\n",
			style.Bold(person.Email), style.Bold(person.Password))
	}
	line := person.Email + " " + what
	if format == view.Name {
		line = person.Email
	}
	_, err := fmt.Fprintln(b.Out, line)
	return err
}
