package rollout

import (
	"context"
	"encoding/json"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// profileFinalizer is what the profile controller puts on every Profile, and takes off
// again when it has undone the Profile's plugins.
const profileFinalizer = "profile-finalizer"

// profileController is the Deployment that does so.
var profileController = key{"apps", "Deployment", "kubeflow", "profiles-deployment"}

// releaseProfiles takes the controller's finalizer off Profiles when the controller is
// gone, as after an uninstall that kept people's data: nobody else ever would, and
// their deletion would not end.
func (e *Engine) releaseProfiles(ctx context.Context, profiles []member) error {
	_, err := e.cluster.Dynamic.Resource(deployments).Namespace(profileController.namespace).Get(ctx, profileController.name, metav1.GetOptions{})
	if err == nil {
		return nil
	}
	if !apierrors.IsNotFound(err) {
		return refusal(profileController.ref(), err)
	}
	return e.parallel(ctx, len(profiles), func(ctx context.Context, i int) error {
		m := profiles[i]
		if !slices.Contains(m.meta.Finalizers, profileFinalizer) {
			return nil
		}
		others := slices.DeleteFunc(slices.Clone(m.meta.Finalizers), func(f string) bool { return f == profileFinalizer })
		// The version makes the patch fail if somebody changed the Profile meanwhile.
		patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"finalizers": others, "resourceVersion": m.meta.ResourceVersion}})
		if err != nil {
			return err
		}
		_, err = e.resource(m).Patch(ctx, m.key.name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: FieldManager})
		if err != nil && !apierrors.IsNotFound(err) {
			return refusal(m.key.ref(), err)
		}
		return nil
	})
}
