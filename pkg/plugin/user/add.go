package user

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/users"
)

// UserAddFlags are what was typed.
type UserAddFlags struct {
	changeFlags
	profileName string
	cpu         string
	memory      string
	gpu         string
	isolate     bool
}

// UserAddOptions are what is meant.
type UserAddOptions struct {
	base   *plugin.Base
	Person users.Person
	// Isolate closes the namespace; nil: as the installation says.
	Isolate       *bool
	PasswordStdin bool
	Timeout       time.Duration
	Format        string
}

func newUserAddCommand(b *plugin.Base) *cobra.Command {
	f := &UserAddFlags{}
	cmd := &cobra.Command{
		Use:   "add EMAIL",
		Short: "Add a user with a password and a namespace",
		Long: `Add a user: a password in Dex, a Profile, and the namespace that belongs to the Profile.

Nothing is restarted, because Dex reads passwords at every login. Without --password-stdin,
a password is generated and printed once to standard error. A user who already has a
password is rejected; an existing Profile of the user is used as it is.

A quota limits the total requests of the notebooks in the namespace. With a quota for CPU
or memory, Kubernetes rejects pods that do not specify a request for it.

--isolate creates a NetworkPolicy in the namespace, see "kubectl jupyter user isolate". By
default, namespaces are isolated if install was run with --isolate-namespaces.`,
		Example: plugin.Examples(`
			# Add a user with a generated password
			kubectl jupyter user add ada@example.com

			# Add a user with a quota, and with a different name for the namespace
			kubectl jupyter user add ada@example.com --cpu 4 --memory 16Gi --gpu 1 --profile-name ada

			# Add a user whose notebooks reach only their own namespace and the internet
			kubectl jupyter user add ada@example.com --isolate

			# Add a user with a password from a file
			kubectl jupyter user add ada@example.com --password-stdin < password.txt`),
		Args: oneEmail,
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.ToOptions(b, args[0], cmd.Flags().Changed)
			return plugin.Run(cmd, o, err)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	fs := cmd.Flags()
	fs.StringVar(&f.profileName, "profile-name", "", "Name of the Profile and its namespace; by default, kubeflow- followed by the e-mail address")
	fs.StringVar(&f.cpu, "cpu", "", "CPU quota of the namespace, such as 4 or 500m")
	fs.StringVar(&f.memory, "memory", "", "Memory quota of the namespace, such as 16Gi")
	fs.StringVar(&f.gpu, "gpu", "", "GPU (nvidia.com/gpu) quota of the namespace")
	fs.BoolVar(&f.isolate, "isolate", false, "If true, isolate the namespace with a NetworkPolicy; by default, as install --isolate-namespaces says")
	f.addPassword(cmd)
	f.addTimeout(cmd, "for the namespace and for Dex")
	return cmd
}

// ToOptions checks what was typed.
func (f *UserAddFlags) ToOptions(b *plugin.Base, email string, given func(string) bool) (*UserAddOptions, error) {
	person := users.Person{Email: email, Profile: f.profileName, Quota: map[string]string{}}
	if err := person.Validate(); err != nil {
		return nil, err
	}
	for _, q := range []struct{ flag, value, resource string }{
		{"cpu", f.cpu, "cpu"}, {"memory", f.memory, "memory"}, {"gpu", f.gpu, "requests.nvidia.com/gpu"},
	} {
		if q.value == "" {
			continue
		}
		amount, err := resource.ParseQuantity(q.value)
		if err != nil || amount.Sign() < 0 {
			return nil, fmt.Errorf("--%s: %q is not a quantity such as 4, 500m or 16Gi", q.flag, q.value)
		}
		if q.flag == "gpu" && amount.MilliValue()%1000 != 0 {
			return nil, fmt.Errorf("--gpu: %q is not a whole number", q.value)
		}
		person.Quota[q.resource] = amount.String()
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	o := &UserAddOptions{base: b, Person: person, PasswordStdin: f.passwordStdin, Timeout: f.timeout, Format: f.output}
	if given("isolate") {
		o.Isolate = &f.isolate
	}
	return o, nil
}

// Run adds the person and sees that they can sign in.
func (o *UserAddOptions) Run(ctx context.Context) error {
	p, err := toChange(ctx, o.base, o.Timeout)
	if err != nil {
		return err
	}
	person := o.Person
	if p.First.Is(person.Email) {
		return fmt.Errorf("%s is the first user, created by the installation: run `kubectl jupyter user set-password %s` to set a new password", person.Email, person.Email)
	}
	closed := p.Settings.IsolateNamespaces
	if o.Isolate != nil {
		closed = *o.Isolate
	}
	if closed {
		if err := p.MayIsolate(ctx); err != nil {
			return err
		}
	}
	password, generated, err := newPassword(ctx, o.base, o.PasswordStdin, person.Email)
	if err != nil {
		return err
	}
	ctx, cancel := rollout.Bounded(ctx, o.Timeout)
	defer cancel()
	w := o.base.ErrOut
	fmt.Fprintf(w, "Adding user %s with namespace %s to %s.\n", person.Email, person.Name(), p.Cluster.Where())
	existed, err := p.Add(ctx, p.Source, person, password)
	if err != nil {
		return err
	}
	// Before anything else can fail: nobody could find the password out later.
	added := changedPerson{Email: person.Email, Profile: person.Name()}
	if generated {
		added.Password = string(password)
	}
	if err := printPerson(o.base, o.Format, added, "added"); err != nil {
		return err
	}
	if existed {
		fmt.Fprintf(w, "Profile %s already exists: it and the contents of its namespace are kept.\n", person.Name())
	}
	if err := p.AwaitHome(ctx, person.Name()); err != nil {
		return fmt.Errorf("%s was added, but the namespace is not ready yet: %w", person.Email, err)
	}
	if secret := p.Settings.PullSecret; secret != "" {
		if err := p.PullWith(ctx, person.Name(), secret); err != nil {
			return fmt.Errorf("%s was added, but the namespace has no image pull secret: %w", person.Email, err)
		}
	}
	if closed {
		if err := isolate(ctx, o.base, p, person.Name()); err != nil {
			return fmt.Errorf("%s was added, but the namespace is not isolated: %w", person.Email, err)
		}
	}
	return verified(ctx, o.base, p, person.Email, password)
}
