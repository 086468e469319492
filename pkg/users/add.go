package users

import (
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
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
	profile, binding, err := objectsOf(ctx, source, p)
	if err != nil {
		return false, err
	}
	passwordGVR, err := u.preferred(passwordKind, dexMakesIt)
	if err != nil {
		return false, err
	}
	// In the version of the manifests, which need not be the one that the server prefers.
	profiles, _, err := u.Cluster.For(profile)
	if err != nil {
		return false, fmt.Errorf("Profile %s: %w", p.Name(), err)
	}
	if has, err := u.HasPassword(ctx, p.Email); err != nil || has {
		if has {
			err = fmt.Errorf("%s %w: `kubectl jupyter user set-password %s` changes the password", p.Email, ErrExists, p.Email)
		}
		return false, err
	}
	live, err := u.home(ctx, profiles, p)
	if err != nil {
		return false, err
	}
	if existed = live != nil; existed && len(p.Quota) == 0 {
		profile = nil // as it is
	}
	hash, err := Hash(password)
	if err != nil {
		return false, err
	}
	account := passwordObject(passwordGVR.GroupVersion().String(), p.Email, hash)
	home := live
	writes := []func(context.Context, []string) error{
		func(ctx context.Context, dryRun []string) error {
			if profile == nil {
				return nil
			}
			// Nobody else's fields are touched: a quota that somebody set by hand is a conflict.
			now, err := profiles.Apply(ctx, profile.GetName(), profile, metav1.ApplyOptions{FieldManager: FieldManager, DryRun: dryRun})
			if err != nil {
				return fmt.Errorf("Profile %s: %w", profile.GetName(), err)
			}
			if dryRun == nil {
				home = now
			}
			return nil
		},
		func(ctx context.Context, dryRun []string) error {
			// Goes with the Profile, and only with it.
			if home != nil {
				binding.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: home.GetAPIVersion(), Kind: home.GetKind(), Name: home.GetName(), UID: home.GetUID()}})
			}
			// One that an earlier Profile of that name has left is on its way out: with the new
			// owner it stays.
			_, err := u.Cluster.Dynamic.Resource(bindings).Apply(ctx, binding.GetName(), binding, metav1.ApplyOptions{FieldManager: FieldManager, DryRun: dryRun})
			if err != nil {
				return fmt.Errorf("ClusterRoleBinding %s: %w", binding.GetName(), err)
			}
			return nil
		},
		func(ctx context.Context, dryRun []string) error {
			_, err := u.Cluster.Dynamic.Resource(passwordGVR).Namespace(dexNamespace).Create(ctx, account, metav1.CreateOptions{FieldManager: FieldManager, DryRun: dryRun})
			if err != nil {
				return fmt.Errorf("the Password of %s: %w", p.Email, err)
			}
			return nil
		},
	}
	return existed, tryAll(ctx, writes)
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

// objectsOf renders the person's own objects out of the manifests of the first user's.
func objectsOf(ctx context.Context, source components.Source, p Person) (profile, binding *unstructured.Unstructured, err error) {
	rendered, err := source.Render(ctx, []string{"user-profile", "jupyter-web-app"}, p.options())
	if err != nil {
		return nil, nil, err
	}
	for _, r := range rendered {
		for _, object := range r.Objects {
			switch {
			case object.GetKind() == "Profile":
				profile = object
			case object.GetKind() == "ClusterRoleBinding" && strings.HasSuffix(object.GetName(), "-"+p.Name()):
				binding = object
			}
		}
	}
	if profile == nil || binding == nil {
		return nil, nil, errors.New("the manifests have no Profile, or no permission to list namespaces, for a user")
	}
	for _, object := range []*unstructured.Unstructured{profile, binding} {
		// Without the component's label: the installation does not prune or delete people.
		object.SetLabels(map[string]string{managedBy: FieldManager})
	}
	if len(p.Quota) > 0 {
		if err := unstructured.SetNestedStringMap(profile.Object, p.Quota, "spec", "resourceQuotaSpec", "hard"); err != nil {
			return nil, nil, err
		}
	}
	return profile, binding, nil
}
