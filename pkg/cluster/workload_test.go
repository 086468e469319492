package cluster

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

func TestAPodBelongsToTheWorkloadThatItsControllerIsOf(t *testing.T) {
	yes := true
	by := func(kind, name string) []metav1.OwnerReference {
		return []metav1.OwnerReference{{Kind: kind, Name: name, Controller: &yes}}
	}
	hash := map[string]string{"pod-template-hash": "5d9f"}
	for name, c := range map[string]struct {
		owners []metav1.OwnerReference
		labels map[string]string
		want   report.Ref
	}{
		"of a Deployment, through its ReplicaSet": {by("ReplicaSet", "dex-5d9f"), hash, report.Ref{Group: "apps", Kind: "Deployment", Namespace: "auth", Name: "dex"}},
		"of a ReplicaSet without a Deployment":    {by("ReplicaSet", "dex-5d9f"), nil, report.Ref{Group: "apps", Kind: "ReplicaSet", Namespace: "auth", Name: "dex-5d9f"}},
		"of a StatefulSet":                        {by("StatefulSet", "dex"), hash, report.Ref{Group: "apps", Kind: "StatefulSet", Namespace: "auth", Name: "dex"}},
		"of nothing":                              {nil, hash, report.Ref{Kind: "Pod", Namespace: "auth", Name: "dex-5d9f-x"}},
		"of what only owns it":                    {[]metav1.OwnerReference{{Kind: "Other", Name: "o"}}, nil, report.Ref{Kind: "Pod", Namespace: "auth", Name: "dex-5d9f-x"}},
	} {
		t.Run(name, func(t *testing.T) {
			pod := &metav1.ObjectMeta{Namespace: "auth", Name: "dex-5d9f-x", Labels: c.labels, OwnerReferences: c.owners}
			if got := WorkloadOf(pod); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}
