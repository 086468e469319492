package holders

import (
	"context"
	"encoding/json"
	"time"

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
	return []string{"owners of notebooks are unknown: " + o.why().Reason}
}

// activityAnnotation is where the notebook controller writes when something was last done
// in a notebook, if culling is on.
const activityAnnotation = "notebooks.kubeflow.org/last-activity"

// activity is when something was last done in notebooks.
type activity struct {
	texts  map[string]string
	failed error
}

func readActivity(ctx context.Context, c *cluster.Cluster, namespace string) activity {
	out := activity{texts: map[string]string{}}
	// Metadata is enough, and a tenth of it.
	body, err := usage.Body(ctx, c.REST().Get().AbsPath("/apis/kubeflow.org/v1"+usage.Below(namespace)+"/notebooks").Param("resourceVersion", "0").
		SetHeader("Accept", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"))
	var list metav1.PartialObjectMetadataList
	if err == nil {
		err = json.Unmarshal(body, &list)
	}
	if err != nil {
		out.failed = err
		return out
	}
	for _, n := range list.Items {
		out.texts[n.Namespace+"/"+n.Name] = n.Annotations[activityAnnotation]
	}
	return out
}

func (a activity) of(namespace, name string) usage.Maybe[time.Time] {
	if a.failed != nil {
		return usage.Missing[time.Time](usage.AbsenceOf("notebooks.kubeflow.org", a.failed))
	}
	text := a.texts[namespace+"/"+name]
	if text == "" {
		return usage.Missing[time.Time](usage.Absence{Reason: "the notebook controller has not recorded its last activity: it does so only if culling is enabled"})
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return usage.Missing[time.Time](usage.Absence{Reason: "the annotation " + activityAnnotation + " is not a time: " + text})
	}
	return usage.Known(t)
}

// problems leaves out a cluster without Notebooks: it has no activity either.
func (a activity) problems() []string {
	if a.failed == nil || apierrors.IsNotFound(a.failed) {
		return nil
	}
	return []string{"last activity of notebooks is unknown: " + usage.AbsenceOf("notebooks.kubeflow.org", a.failed).Reason}
}
