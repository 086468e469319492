package holders

import (
	"context"
	"encoding/json"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
)

// ownerAnnotation is what the profile controller writes on a Profile's namespace: a user
// who may not list Profiles may still read the own namespace.
const ownerAnnotation = "owner"

// Owners of namespaces: a Profile owns the namespace of its name.
type Owners struct {
	byNamespace map[string]string
	failed      error
}

// ReadOwners reads those of one namespace, or of all when it is empty.
func ReadOwners(ctx context.Context, c *cluster.Cluster, namespace string) Owners {
	out := Owners{byNamespace: map[string]string{}}
	body, err := usage.Body(ctx, c.REST().Get().AbsPath("/apis/kubeflow.org/v1/profiles").Param("resourceVersion", "0"))
	if err == nil {
		var list struct {
			Items []struct {
				Metadata metav1.ObjectMeta `json:"metadata"`
				Spec     struct {
					Owner struct {
						Name string `json:"name"`
					} `json:"owner"`
				} `json:"spec"`
			} `json:"items"`
		}
		if err = json.Unmarshal(body, &list); err == nil {
			for _, p := range list.Items {
				out.byNamespace[p.Metadata.Name] = p.Spec.Owner.Name
			}
			return out
		}
	}
	out.failed = err
	if namespace == "" || !apierrors.IsForbidden(err) {
		return out
	}
	if own := ReadOwner(ctx, c, namespace); own.failed == nil && own.byNamespace[namespace] != "" {
		return own
	}
	return out
}

// ReadOwner reads that of one namespace alone, by what the profile controller writes there.
func ReadOwner(ctx context.Context, c *cluster.Cluster, namespace string) Owners {
	out := Owners{byNamespace: map[string]string{}}
	body, err := usage.Body(ctx, c.REST().Get().AbsPath("/api/v1/namespaces", namespace).SetHeader("Accept", "application/json"))
	var n metav1.PartialObjectMetadata
	if err == nil {
		err = json.Unmarshal(body, &n)
	}
	out.byNamespace[namespace], out.failed = n.Annotations[ownerAnnotation], err
	return out
}

// Of is the owner of a namespace, empty where it is no Profile's.
func (o Owners) Of(namespace string) usage.Maybe[string] {
	if o.failed == nil {
		return usage.Known(o.byNamespace[namespace])
	}
	return usage.Missing[string](o.why())
}

func (o Owners) why() usage.Absence {
	if apierrors.IsNotFound(o.failed) {
		return usage.Absence{Reason: "the cluster does not serve Profiles: run `kubectl jupyter install`"}
	}
	return usage.AbsenceOf("profiles.kubeflow.org", o.failed)
}

func (o Owners) problems() []string {
	if o.failed == nil {
		return nil
	}
	return []string{"owners of namespaces are unknown: " + o.why().Reason}
}
