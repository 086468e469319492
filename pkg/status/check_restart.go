package status

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// settling is how long something new may take before it is told as a fault.
const settling = 2 * time.Minute

// once are what programs read when they start, and never again.
var once = []struct {
	ref                  report.Ref
	namespace, workload  string
	component, container string
	cause, summary       string
}{
	{
		report.Ref{Kind: "Secret", Namespace: "auth", Name: "dex-passwords"},
		"auth", "dex", "dex", "dex", diagnose.PasswordChangeIgnored,
		"a password was changed after Dex read it: Dex still uses the old one",
	},
	{
		report.Ref{Kind: "ConfigMap", Namespace: "auth", Name: "dex"},
		"auth", "dex", "dex", "dex", diagnose.PasswordChangeIgnored,
		"Dex's configuration was changed after Dex read it: users and passwords are still the old ones",
	},
	{
		report.Ref{Kind: "Secret", Namespace: "auth", Name: "dex-oidc-client"},
		"auth", "dex", "dex", "dex", diagnose.OIDCClientMismatch,
		"the client secret was changed after Dex read it",
	},
	{
		report.Ref{Kind: "Secret", Namespace: "oauth2-proxy", Name: "oauth2-proxy"},
		"oauth2-proxy", "oauth2-proxy", "oauth2-proxy", "oauth2-proxy", diagnose.LoginLoop,
		"oauth2-proxy's secrets were changed after one of its pods read them: the pods do not accept each other's sessions, and Dex may reject it",
	},
}

// checkRestarts: Secrets and settings that were changed after the programs that read
// them once had started.
func checkRestarts(s *Snapshot) []report.Cause {
	var causes []report.Cause
	for _, o := range once {
		u := s.Object(o.ref)
		if u == nil && o.ref.Kind == "ConfigMap" {
			u = s.suffixed(o.ref)
		}
		if u == nil || s.Component(o.component) == nil {
			continue
		}
		at, who := changed(u)
		var old []string
		for _, p := range s.Pods() {
			if p.Namespace != o.namespace || cluster.WorkloadOf(&p).Name != o.workload || p.DeletionTimestamp != nil {
				continue
			}
			// Times have whole seconds: only what is later by more than one is later.
			if started := startOf(&p, o.container); !started.IsZero() && at.Sub(started) > time.Second {
				old = append(old, fmt.Sprintf("pod %s/%s: started %s", p.Namespace, p.Name, started.UTC().Format(time.RFC3339)))
			}
		}
		if len(old) == 0 {
			continue
		}
		causes = append(causes, report.Cause{
			Name: o.cause, Severity: report.Error, Component: o.component, Object: cluster.RefOf(u), Summary: o.summary,
			Evidence: append([]string{fmt.Sprintf("%s: %s at %s", cluster.RefOf(u), who, at.UTC().Format(time.RFC3339))}, old...),
			Remedy:   fmt.Sprintf("kubectl -n %s rollout restart deployment %s", o.namespace, o.workload),
		})
	}
	return causes
}

// changed is when the content of a Secret or ConfigMap was written last, and by whom.
// This plugin restarts what reads a Secret when it changes it, and touches annotations
// at other times: of its own writes only the creation counts.
func changed(u *unstructured.Unstructured) (time.Time, string) {
	at, who := u.GetCreationTimestamp().Time, "created"
	for _, f := range u.GetManagedFields() {
		if f.Manager == rollout.FieldManager || f.Time == nil || f.FieldsV1 == nil || !strings.Contains(f.FieldsV1.GetRawString(), `"f:data"`) {
			continue
		}
		if f.Time.After(at) {
			at, who = f.Time.Time, "changed by "+f.Manager
		}
	}
	return at, who
}

// startOf is when a container of a pod started; zero where it does not run.
func startOf(p *corev1.Pod, container string) time.Time {
	i := slices.IndexFunc(p.Status.ContainerStatuses, func(c corev1.ContainerStatus) bool { return c.Name == container })
	if i < 0 || p.Status.ContainerStatuses[i].State.Running == nil {
		return time.Time{}
	}
	return p.Status.ContainerStatuses[i].State.Running.StartedAt.Time
}
