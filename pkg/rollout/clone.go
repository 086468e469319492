package rollout

import (
	"encoding/base64"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// copyKey is where the inventory's parent holds the copy of a release that is not part of
// the plugin. Those of upstream's versions have 50 kB.
const (
	copyKey = "manifests.json.gz"
	// beforeKey is where the copy is of the release that an upgrade replaces.
	beforeKey = "manifests-before.json.gz"
)

// maxCopy is the largest copy that is recorded, in bytes: a ConfigMap holds a mebibyte, of
// which the inventory's other keys need less than a tenth, and there may be two.
const maxCopy = 400 << 10

// copier is a source whose release the inventory has to hold a copy of.
type copier interface {
	Copy() ([]byte, error)
}

// record notes where the manifests come from that the settings are about. Before is the copy
// of the release that an upgrade replaces.
func (s *Settings) record(source components.Source, before []byte) error {
	s.Clone, s.before = source.Release().Clone, before
	if c, ok := source.(copier); ok && s.Clone != nil {
		var err error
		if s.copied, err = c.Copy(); err != nil {
			return fmt.Errorf("clone %s: %w", s.Clone.Path, err)
		}
		if len(s.copied) > maxCopy {
			return fmt.Errorf("clone %s: its manifests are too large to be recorded in the cluster (%d bytes compressed, at most %d)", s.Clone.Path, len(s.copied), maxCopy)
		}
	}
	return nil
}

// readCopies reads the copies from the inventory's parent. One that cannot be read is missed
// where it is needed.
func (s *Settings) readCopies(parent *unstructured.Unstructured) {
	for key, into := range map[string]*[]byte{copyKey: &s.copied, beforeKey: &s.before} {
		text, _, _ := unstructured.NestedString(parent.Object, "binaryData", key)
		if data, err := base64.StdEncoding.DecodeString(text); err == nil && len(data) > 0 {
			*into = data
		}
	}
}

// writeCopies writes the copies into the inventory's parent.
func (s *Settings) writeCopies(parent *unstructured.Unstructured) {
	data := map[string]any{}
	if s.copied != nil {
		data[copyKey] = base64.StdEncoding.EncodeToString(s.copied)
	}
	if s.before != nil && s.From != "" {
		data[beforeKey] = base64.StdEncoding.EncodeToString(s.before)
	}
	if len(data) > 0 {
		parent.Object["binaryData"] = data
	}
}

// cloneSource is the source of an installation from a clone, as the inventory has it.
func (s *Settings) cloneSource() (components.Source, error) {
	source, err := components.FromCopy(s.copied)
	if err != nil {
		return nil, fmt.Errorf("inventory ConfigMap %s/%s: %s: %w: install again with --manifests %s", InventoryNamespace, InventoryName, copyKey, err, s.Clone.Path)
	}
	return source, nil
}

// sourceBefore is where the manifests come from of the release that an upgrade replaces.
func (s *Settings) sourceBefore() (components.Source, error) {
	if s.before != nil {
		return components.FromCopy(s.before)
	}
	return (&Settings{Release: s.From}).Source()
}

// needsClone is the error of a run that goes on with an installation from a clone, of which
// the inventory does not have all that is needed.
func (s *Settings) needsClone() error {
	return fmt.Errorf("the stack is installed from a clone of kubeflow/manifests (%s, version %s): specify it again: --manifests DIR", s.Clone.Path, s.Clone.Version)
}

// reopen takes the choices about a clone that were made in the last run and not in this one.
func (i *Intent) reopen(s *Settings) error {
	if s.Clone == nil || i.Reopen == nil {
		return nil
	}
	var err error
	i.Source, err = i.Reopen(s.Clone)
	return err
}
