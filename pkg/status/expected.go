package status

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// expect renders what should be there: with the choices that the inventory recorded,
// or as the default profile has it.
func (s *Snapshot) expect(ctx context.Context, source components.Source, c *cluster.Cluster) error {
	plain := components.Options{Outlines: true}
	plain.ForServer(int(c.Version.Minor()))
	o := plain
	if s.Inventory != nil {
		o = s.Inventory.Settings.Options()
		o.ForServer(int(c.Version.Minor()))
	}
	var names []string
	for _, comp := range s.Release.Components {
		if !slices.Contains(comp.NotIn, o.Profile) {
			names = append(names, comp.Name)
		}
	}
	var err error
	s.Expected, err = source.Render(ctx, names, o)
	if err != nil && ctx.Err() == nil {
		// Another version of the plugin may have recorded what this one does not know.
		s.Expected, err = source.Render(ctx, names, plain)
	}
	if err != nil {
		return err
	}
	for _, r := range s.Expected {
		for _, u := range r.Objects {
			if u.GetKind() == definition && !c.Mapper.Serves(u) {
				s.Unserved = append(s.Unserved, u.GetName())
			}
		}
	}
	return nil
}

// settle drops what the installation was made without: components on demand that
// nobody asked for, and those that --skip or --only left out. An object that a user's
// kustomization removed is none that is missing.
func (s *Snapshot) settle() {
	var applied map[report.Ref]bool
	if s.Inventory != nil {
		// What a run that did not finish was to create is missed as what was created.
		if refs := slices.Concat(s.Inventory.Applied, s.Inventory.LastRun.PendingRefs()); len(refs) > 0 {
			applied = make(map[report.Ref]bool, len(refs))
			for _, ref := range refs {
				applied[ref] = true
			}
		}
	}
	s.Expected = slices.DeleteFunc(s.Expected, func(r components.Rendered) bool {
		if s.Existing(r.Component.Name) {
			return false
		}
		known, there := false, false
		programs := slices.ContainsFunc(r.Objects, func(u *unstructured.Unstructured) bool { return isWorkload(u.GetKind()) })
		for _, u := range r.Objects {
			known = known || applied[cluster.RefOf(u)]
			telling := isWorkload(u.GetKind()) || !programs && u.GetKind() != definition
			there = there || telling && s.live(u) != nil
		}
		switch {
		case known || there:
			return false
		case r.Component.OnDemand:
			return true
		case applied == nil:
			// A Profile is a person's, and only the inventory says whose is expected.
			return r.Component.UserData && s.Installed()
		}
		s.LeftOut = append(s.LeftOut, r.Component.Name)
		return true
	})
	if applied == nil {
		return
	}
	for i := range s.Expected {
		r := &s.Expected[i]
		if s.Existing(r.Component.Name) {
			continue
		}
		r.Objects = slices.DeleteFunc(slices.Clone(r.Objects), func(u *unstructured.Unstructured) bool {
			return components.Generated(u) == nil && !applied[cluster.RefOf(u)] && s.live(u) == nil
		})
	}
}

// suffix is what kustomize's generators append to names.
var suffix = regexp.MustCompile(`^-[a-z0-9]{10}$`)

// live finds the object in the cluster that stands for an expected one: the one of its
// name, or of its name with the suffix that kustomize's generators give to ConfigMaps
// and Secrets.
func (s *Snapshot) live(u *unstructured.Unstructured) *unstructured.Unstructured {
	ref := cluster.RefOf(u)
	if o := s.Object(ref); o != nil {
		return o
	}
	if s.Inventory != nil || ref.Kind != "ConfigMap" && ref.Kind != "Secret" {
		return nil
	}
	for _, o := range s.All(ref.Group, ref.Kind) {
		if rest, ok := strings.CutPrefix(o.GetName(), ref.Name); ok && o.GetNamespace() == ref.Namespace && suffix.MatchString(rest) {
			return o
		}
	}
	return nil
}

// essential are the kinds whose absence is told of an installation that somebody else
// has made: what else it consists of is its own affair.
func essential(kind string) bool {
	switch kind {
	case definition, "Namespace", "Service", "MutatingWebhookConfiguration", "AuthorizationPolicy", "RequestAuthentication", "Gateway":
		return true
	}
	return isWorkload(kind)
}

func producedRef(p components.Produced) report.Ref {
	gv, _ := schema.ParseGroupVersion(p.APIVersion)
	return report.Ref{Group: gv.Group, Kind: p.Kind, Namespace: p.Namespace, Name: p.Name}
}

// member tells whether an object carries the inventory's label.
func member(u *unstructured.Unstructured) bool {
	key, value, _ := strings.Cut(rollout.MemberSelector(), "=")
	return u != nil && u.GetLabels()[key] == value
}
