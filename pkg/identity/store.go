package identity

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/users"
)

// Stored is a connector as the cluster has it.
type Stored struct {
	Connector
	Since time.Time
	// Broken is why its configuration cannot be read; nil where it can.
	Broken error

	version string
}

// Store is what Dex reads connectors from.
type Store struct{ Cluster *cluster.Cluster }

// ErrMissing tells that there is no connector with an ID.
var ErrMissing = errors.New("there is no identity provider")

func (s *Store) objects() (dynamic.ResourceInterface, string, error) {
	r, err := s.Cluster.Mapper.Preferred(Kind)
	if meta.IsNoMatchError(err) {
		return nil, "", fmt.Errorf("%s has no kind %s: Dex creates it on its first start; `kubectl jupyter status` shows what is missing", s.Cluster.Where(), Kind.Kind)
	}
	if err != nil {
		return nil, "", err
	}
	return s.Cluster.Dynamic.Resource(r.GroupVersionResource).Namespace(Namespace), r.GroupVersionResource.GroupVersion().String(), nil
}

// List returns all connectors, by ID. Without the kind there are none.
func (s *Store) List(ctx context.Context) ([]Stored, error) {
	if _, err := s.Cluster.Mapper.Preferred(Kind); meta.IsNoMatchError(err) {
		return nil, nil
	}
	objects, _, err := s.objects()
	if err != nil {
		return nil, err
	}
	list, err := objects.List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("connectors in namespace %s: %w", Namespace, err)
	}
	out := make([]Stored, 0, len(list.Items))
	for i := range list.Items {
		out = append(out, storedOf(&list.Items[i]))
	}
	slices.SortFunc(out, func(a, b Stored) int { return cmp.Compare(a.ID, b.ID) })
	return out, nil
}

// Get returns the connector with that ID; the error is ErrMissing where there is none.
func (s *Store) Get(ctx context.Context, id string) (*Stored, error) {
	objects, _, err := s.objects()
	if err != nil {
		return nil, err
	}
	u, err := objects.Get(ctx, id, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("%w %q in %s: `kubectl jupyter identity list` shows those that there are", ErrMissing, id, s.Cluster.Where())
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Ref(id), err)
	}
	out := storedOf(u)
	return &out, nil
}

func storedOf(u *unstructured.Unstructured) Stored {
	out := Stored{Since: u.GetCreationTimestamp().Time, version: u.GetResourceVersion()}
	field := func(name string) string {
		v, _, _ := unstructured.NestedString(u.Object, name)
		return v
	}
	out.ID, out.Type, out.Name = cmp.Or(field("id"), u.GetName()), field("type"), field("name")
	data, err := base64.StdEncoding.DecodeString(field("config"))
	if err == nil {
		err = json.Unmarshal(data, &out.Config)
	}
	if err != nil {
		out.Broken = fmt.Errorf("%s: its configuration cannot be read, not by Dex either: %w", Ref(u.GetName()), err)
	}
	return out
}

// object is what Dex reads: the ID is the name, the configuration JSON.
func object(apiVersion string, c *Connector) (*unstructured.Unstructured, error) {
	config, err := json.Marshal(c.Config)
	if err != nil {
		return nil, err
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": apiVersion, "kind": Kind.Kind,
		"metadata": map[string]any{
			"name": c.ID, "namespace": Namespace,
			"labels": map[string]any{"app.kubernetes.io/managed-by": users.FieldManager},
		},
		"id": c.ID, "type": c.Type, "name": c.Name, "config": base64.StdEncoding.EncodeToString(config),
	}}, nil
}

// Put creates a connector, or replaces one that was read before. The server is asked first
// whether it would take it; with dryRun that is all.
func (s *Store) Put(ctx context.Context, c *Connector, before *Stored, dryRun bool) error {
	objects, apiVersion, err := s.objects()
	if err != nil {
		return err
	}
	u, err := object(apiVersion, c)
	if err != nil {
		return err
	}
	var patch []byte
	if before != nil {
		u.SetResourceVersion(before.version)
		if patch, err = u.MarshalJSON(); err != nil {
			return err
		}
	}
	send := func(dry []string) error {
		var err error
		if before == nil {
			_, err = objects.Create(ctx, u.DeepCopy(), metav1.CreateOptions{FieldManager: users.FieldManager, DryRun: dry})
		} else {
			// Somebody else's change since is not lost.
			_, err = objects.Patch(ctx, c.ID, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: users.FieldManager, DryRun: dry})
		}
		if err != nil {
			return fmt.Errorf("%s: %w", Ref(c.ID), err)
		}
		return nil
	}
	if err := send([]string{metav1.DryRunAll}); err != nil || dryRun {
		return err
	}
	return send(nil)
}

// Restore puts a connector back as it was before Put, or removes it where there was none.
func (s *Store) Restore(ctx context.Context, id string, before *Stored) error {
	if before == nil {
		return s.Remove(ctx, id)
	}
	now, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	return s.Put(ctx, &before.Connector, now, false)
}

// Remove deletes a connector: from then on nobody logs in by it.
func (s *Store) Remove(ctx context.Context, id string) error {
	objects, _, err := s.objects()
	if err != nil {
		return err
	}
	if err := objects.Delete(ctx, id, metav1.DeleteOptions{}); err != nil {
		return fmt.Errorf("%s: %w", Ref(id), err)
	}
	return nil
}
