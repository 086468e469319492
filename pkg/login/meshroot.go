package login

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// MeshRootRef names where istiod publishes the certificate that it signs those of the
// sidecars with. Each namespace has the same.
var MeshRootRef = report.Ref{Kind: "ConfigMap", Namespace: istioNamespace, Name: "istio-ca-root-cert"}

const (
	// MeshRootKey is the field of MeshRootRef.
	MeshRootKey = "root-cert.pem"
	// MeshPods selects the pods that the injector has given a sidecar.
	MeshPods = "security.istio.io/tlsMode=istio"
	// notebookLabel is on a notebook's pod, and has the notebook's name.
	notebookLabel = "notebook-name"
	// meshProxy is the container of the sidecar and of the gateway.
	meshProxy = "istio-proxy"
	// meshCertificate is how long a sidecar's certificate is valid (SECRET_TTL of Istio's
	// agent, 24 hours unless somebody changes it): whoever runs longer has a newer one.
	meshCertificate = 24 * time.Hour
)

// MeshRootCauses names the pods whose sidecars have a certificate from before the mesh's
// root certificate, in PEM: the gateway does not accept it, and they do not accept the
// gateway's. Nothing that is public tells whose certificate a sidecar has, but one that
// started before there was a root cannot have one of it, until it gets its next. At a time
// of zero it is taken for granted that it has not.
func MeshRootCauses(root string, pods []corev1.Pod, now time.Time) []report.Cause {
	since := rootSince(root)
	if since.IsZero() || !now.IsZero() && now.Sub(since) > meshCertificate {
		return nil
	}
	c := report.Cause{
		Name: diagnose.MeshRootChanged, Severity: report.Error, Component: istioComponent,
		Summary:  "the mesh has a new root certificate, and some pods still have certificates of the old one: the gateway answers 503 for them",
		Evidence: []string{fmt.Sprintf("%s: valid since %s", MeshRootRef, since.UTC().Format(time.RFC3339))},
	}
	var remedies []string
	seen := map[report.Ref]bool{}
	for i := range pods {
		p := &pods[i]
		pod := report.Ref{Kind: "Pod", Namespace: p.Namespace, Name: p.Name}
		started := proxyStart(p)
		if seen[pod] || started.IsZero() || !started.Before(since) || p.DeletionTimestamp != nil {
			continue
		}
		seen[pod] = true
		ref, again := restarted(p)
		// Programs of the stack may start before istiod; they are not ready until it answers.
		if ref.Kind != "Notebook" && !readySince(p).Before(since) {
			continue
		}
		if c.Object == (report.Ref{}) {
			c.Object = ref
		} else if ref != c.Object && !slices.Contains(c.Also, ref) {
			c.Also = append(c.Also, ref)
		}
		c.Evidence = append(c.Evidence, fmt.Sprintf("%s: istio-proxy of pod %s started at %s", ref, p.Name, started.UTC().Format(time.RFC3339)))
		if !slices.Contains(remedies, again) {
			remedies = append(remedies, again)
		}
	}
	if c.Object == (report.Ref{}) {
		return nil
	}
	c.Remedy = "restart them (running kernels are lost):"
	const shown = 5
	for _, line := range remedies[:min(len(remedies), shown)] {
		c.Remedy += "\n" + line
	}
	if more := len(remedies) - shown; more > 0 {
		c.Remedy += fmt.Sprintf("\nand %d more: kubectl get pods -A -l %s", more, MeshPods)
	}
	return []report.Cause{c}
}

// rootSince is when the oldest of the root certificates began to be valid, which is when
// istiod made it; zero where there is none.
func rootSince(text string) time.Time {
	var since time.Time
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return since
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return time.Time{}
		}
		if since.IsZero() || cert.NotBefore.Before(since) {
			since = cert.NotBefore
		}
	}
}

// proxyStart is when the sidecar of a pod started; zero where it does not run. It asks for
// a certificate at each start, and keeps it in memory.
func proxyStart(p *corev1.Pod) time.Time {
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if s.Name == meshProxy && s.State.Running != nil {
			return s.State.Running.StartedAt.Time
		}
	}
	return time.Time{}
}

// readySince is when a pod became ready; now where it is not.
func readySince(p *corev1.Pod) time.Time {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return c.LastTransitionTime.Time
		}
	}
	return time.Now()
}

// restarted is what a pod belongs to, and the command that makes it anew.
func restarted(p *corev1.Pod) (report.Ref, string) {
	if name := p.Labels[notebookLabel]; name != "" {
		return report.Ref{Group: "kubeflow.org", Kind: "Notebook", Namespace: p.Namespace, Name: name},
			fmt.Sprintf("kubectl -n %s delete pod %s", p.Namespace, p.Name)
	}
	if ref := cluster.WorkloadOf(p); ref.Kind == "Deployment" {
		return ref, fmt.Sprintf("kubectl -n %s rollout restart deployment %s", p.Namespace, ref.Name)
	}
	return report.Ref{Kind: "Pod", Namespace: p.Namespace, Name: p.Name}, fmt.Sprintf("kubectl -n %s delete pod %s", p.Namespace, p.Name)
}
