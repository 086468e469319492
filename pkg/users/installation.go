package users

import (
	"context"
	"fmt"
	"slices"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// Installation is what is in a cluster, with its users.
type Installation struct {
	*Users
	Source components.Source
	// Settings of the last run; nil where nothing is installed.
	Settings *rollout.Settings
}

// Open finds out who the first user is.
func Open(ctx context.Context, c *cluster.Cluster) (*Installation, error) {
	i := &Installation{Users: &Users{Cluster: c}}
	var err error
	if i.Settings, err = rollout.ReadSettings(ctx, c); err != nil {
		return nil, fmt.Errorf("%s: %w", c.Where(), err)
	}
	if i.Source, err = i.Settings.Source(); i.Settings == nil || err != nil {
		return i, err
	}
	i.First.Email = i.Settings.UserEmail
	dex, err := i.Source.Render(ctx, []string{components.PasswordComponent}, i.Settings.Options())
	if err != nil {
		return nil, err
	}
	i.First.Locked, err = rollout.PasswordLocked(ctx, c, dex)
	return i, err
}

// ToChange refuses what is not ours to change.
func (i *Installation) ToChange() error {
	if i.Settings == nil {
		return fmt.Errorf("nothing is installed in %s: run `kubectl jupyter install` first", i.Cluster.Where())
	}
	if slices.Contains(i.Settings.UseExisting, components.PasswordComponent) {
		return fmt.Errorf("Dex in %s is not managed by kubectl jupyter (--use-existing %s): change its users where it is configured", i.Cluster.Where(), components.PasswordComponent)
	}
	return nil
}

// ReplaceFirst changes the first user's password and has Dex read it. Written is called
// as soon as the cluster has the new password and not the old one. Kustomization is named
// again where the installation was made with one.
func (i *Installation) ReplaceFirst(ctx context.Context, engine *rollout.Engine, kustomization string, password []byte, locked bool, written func() error) error {
	part := rollout.Part{Cluster: i.Cluster, Source: i.Source, Settings: *i.Settings, Kustomization: kustomization}
	plan, err := part.Plan(ctx, components.PasswordComponent)
	if err != nil {
		return err
	}
	if err := engine.Allowed(ctx, plan); err != nil {
		return err
	}
	// What would keep Dex from being changed is found before the password is.
	if _, err := engine.Unopposed(ctx, plan); err != nil {
		return err
	}
	hash, err := Hash(password, Cost)
	if err != nil {
		return err
	}
	if err := engine.ReplacePassword(ctx, plan, hash, locked); err != nil {
		return err
	}
	if err := written(); err != nil {
		return err
	}
	_, err = engine.Change(ctx, plan)
	return err
}
