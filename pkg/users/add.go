package users

import (
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// managedBy marks what this package has made, for people who look.
const managedBy = "app.kubernetes.io/managed-by"

// ErrExists tells that somebody can already log in.
var ErrExists = errors.New("can already log in")

// Person is somebody to add.
type Person struct {
	Email string
	// Profile names the Profile and the namespace.
	Profile string
	// Quota of the namespace, by resource; empty for no bounds.
	Quota map[string]string
}

// options are the choices about manifests that give a person's own objects.
func (p Person) options() components.Options {
	return components.Options{UserEmail: p.Email, UserProfile: p.Profile}
}

// Validate refuses an address or a name that Dex or Kubernetes would not take as it is.
func (p Person) Validate() error {
	if p.Email == "" {
		return errors.New("the e-mail address is empty: it is not an e-mail address of the form name@domain")
	}
	if p.Email != strings.ToLower(p.Email) {
		return fmt.Errorf("%q: write the email address in lower case: Dex compares it in lower case, and the owner of the namespace is compared exactly", p.Email)
	}
	if err := p.options().Validate(); err != nil {
		// The address is an argument here, and no flag.
		return errors.New(strings.TrimPrefix(err.Error(), "--user-email: "))
	}
	return nil
}

// Name is the Profile's name, which follows from the address where none was chosen.
func (p Person) Name() string { return p.options().ProfileName() }

// Add makes what a person needs. A Profile that is theirs already, as after a removal
// that kept it, is taken as it is, and its quota only changed where one is given. It
// tells whether the Profile was there.
func (u *Users) Add(ctx context.Context, source components.Source, p Person, password []byte) (existed bool, err error) {
	a, err := u.Adding(ctx, source)
	if err != nil {
		return false, err
	}
	if has, err := u.HasPassword(ctx, p.Email); err != nil || has {
		if has {
			err = fmt.Errorf("%s %w: `kubectl jupyter user set-password %s` changes the password", p.Email, ErrExists, p.Email)
		}
		return false, err
	}
	home, err := u.home(ctx, a.profiles, p)
	if err != nil {
		return false, err
	}
	hash, err := Hash(password, Cost)
	if err != nil {
		return false, err
	}
	writes, err := a.writes(p, home, hash)
	if err != nil {
		return false, err
	}
	return home != nil, tryAll(ctx, writes)
}

// Adding is what people are added with: found out once, whether one is added or a hundred.
type Adding struct {
	users *Users
	// profile is that of somebody.
	profile *unstructured.Unstructured
	// profiles are those in the version of the manifests, which need not be the one that
	// the server prefers.
	profiles  dynamic.ResourceInterface
	passwords schema.GroupVersionResource
}

// somebody stands in the objects that are rendered, until a person takes their place.
var somebody = Person{Email: "somebody@example.com", Profile: "somebody"}

// Adding renders what belongs to a person.
func (u *Users) Adding(ctx context.Context, source components.Source) (*Adding, error) {
	a := &Adding{users: u}
	var err error
	if a.profile, err = profileOf(ctx, source, somebody); err != nil {
		return nil, err
	}
	if a.passwords, err = u.preferred(passwordKind, dexMakesIt); err != nil {
		return nil, err
	}
	if a.profiles, _, err = u.Cluster.For(a.profile); err != nil {
		return nil, fmt.Errorf("Profiles: %w", err)
	}
	return a, nil
}

// profileFor is a person's own Profile.
func (a *Adding) profileFor(p Person) (*unstructured.Unstructured, error) {
	profile := a.profile.DeepCopy()
	profile.SetName(p.Name())
	if err := unstructured.SetNestedField(profile.Object, p.Email, "spec", "owner", "name"); err != nil || len(p.Quota) == 0 {
		return profile, err
	}
	return profile, unstructured.SetNestedStringMap(profile.Object, p.Quota, "spec", "resourceQuotaSpec", "hard")
}

// writes make what a person lacks: home is the Profile that is there, and without a hash
// there is no password. A Profile that is there is only changed for a quota.
func (a *Adding) writes(p Person, home *unstructured.Unstructured, hash string) ([]func(context.Context, []string) error, error) {
	profile, err := a.profileFor(p)
	if err != nil {
		return nil, err
	}
	var writes []func(context.Context, []string) error
	// One that is there stays as it is, but for a quota.
	if home == nil || len(p.Quota) > 0 {
		writes = append(writes, func(ctx context.Context, dryRun []string) error {
			// Nobody else's fields are touched: a quota that somebody set by hand is a conflict.
			_, err := a.profiles.Apply(ctx, profile.GetName(), profile, metav1.ApplyOptions{FieldManager: FieldManager, DryRun: dryRun})
			if err != nil {
				return fmt.Errorf("Profile %s: %w", profile.GetName(), err)
			}
			return nil
		})
	}
	if hash == "" {
		return writes, nil
	}
	account := passwordObject(a.passwords.GroupVersion().String(), p.Email, hash)
	return append(writes, func(ctx context.Context, dryRun []string) error {
		_, err := a.users.Cluster.Dynamic.Resource(a.passwords).Namespace(dexNamespace).Create(ctx, account, metav1.CreateOptions{FieldManager: FieldManager, DryRun: dryRun})
		if err != nil {
			return fmt.Errorf("the Password of %s: %w", p.Email, err)
		}
		return nil
	}), nil
}

// Try sends as dry runs what adds a person, which shows what somebody may not do.
func (a *Adding) Try(ctx context.Context, p Person, hash string) error {
	writes, err := a.writes(p, nil, hash)
	if err != nil {
		return err
	}
	return try(ctx, writes)
}

// Make makes what the person lacks: the Profile, unless it is theirs already, and a
// password, unless there is no hash. Without a quota the one that is there stays.
func (a *Adding) Make(ctx context.Context, p Person, hash string) error {
	home, err := a.users.home(ctx, a.profiles, p)
	if err != nil {
		return err
	}
	writes, err := a.writes(p, home, hash)
	if err != nil {
		return err
	}
	return inEarnest(ctx, writes)
}

// home returns the Profile that the person has under that name, and refuses one of
// somebody else: their notebooks would be shared.
func (u *Users) home(ctx context.Context, profiles dynamic.ResourceInterface, p Person) (*unstructured.Unstructured, error) {
	live, err := profiles.Get(ctx, p.Name(), metav1.GetOptions{})
	if err == nil {
		if live.GetDeletionTimestamp() != nil {
			return nil, fmt.Errorf("Profile %s is being deleted: wait until it is deleted, or choose another --profile-name", p.Name())
		}
		if owner(live) != p.Email {
			return nil, fmt.Errorf("Profile %s belongs to %s: choose another --profile-name", p.Name(), owner(live))
		}
		return live, nil
	}
	if !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("Profile %s: %w", p.Name(), err)
	}
	_, err = u.Cluster.Metadata.Resource(namespaces).Get(ctx, p.Name(), metav1.GetOptions{})
	if err == nil {
		return nil, fmt.Errorf("Namespace %s exists and does not belong to a Profile: choose another --profile-name", p.Name())
	}
	if !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("Namespace %s: %w", p.Name(), err)
	}
	return nil, nil
}

// profileOf renders the person's Profile out of the manifests of the first user's.
func profileOf(ctx context.Context, source components.Source, p Person) (*unstructured.Unstructured, error) {
	rendered, err := source.Render(ctx, []string{"user-profile"}, p.options())
	if err != nil {
		return nil, err
	}
	for _, r := range rendered {
		for _, object := range r.Objects {
			if object.GetKind() == "Profile" {
				// Without the component's label: the installation does not prune or delete people.
				object.SetLabels(map[string]string{managedBy: FieldManager})
				return object, nil
			}
		}
	}
	return nil, errors.New("the manifests have no Profile for a user")
}
