//go:build e2e_real

package e2e

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// TestTroubleOnARealNodeIsNamed makes containers fail where containers run: what a kubelet and a runtime say
// about it no simulated node can. It needs the bed's own images only.
func TestTroubleOnARealNodeIsNamed(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("a real node needs root: run it with sudo")
	}
	b := newBed(t, "--nodes", "real")
	dns := strings.TrimSpace(b.kubectl("-n", "kube-system", "get", "deployment", "coredns", "-o", "jsonpath={.spec.template.spec.containers[0].image}"))
	troubles := []struct {
		name, pod, want string
		says            []string
	}{{
		name: "an image of a registry that cannot be reached",
		pod: `
      containers: [{name: web, image: "registry.invalid/web:1"}]`,
		want: diagnose.ImagePullBackOff, says: []string{"registry.invalid/web:1", "dial tcp"},
	}, {
		name: "a name that no image can have",
		pod: `
      containers: [{name: web, image: "Not/A Name"}]`,
		want: diagnose.InvalidImageName, says: []string{`"Not/A Name"`},
	}, {
		name: "a program that ends with an error",
		pod: `
      containers: [{name: web, image: "` + dns + `", args: [-conf, /nowhere]}]`,
		want: diagnose.CrashLoopBackOff, says: []string{"exit code 1", "open /nowhere: no such file or directory"},
	}, {
		name: "a program that is not in the image",
		pod: `
      containers: [{name: web, image: "` + dns + `", command: [/nowhere]}]`,
		want: diagnose.CreateContainerError, says: []string{`exec: "/nowhere"`},
	}, {
		name: "a Secret that does not exist, in the environment",
		pod: `
      containers: [{name: web, image: "` + dns + `", env: [{name: X, valueFrom: {secretKeyRef: {name: oidc, key: k}}}]}]`,
		want: diagnose.CreateContainerConfigError, says: []string{`secret "oidc" not found`},
	}, {
		name: "a Secret that does not exist, as a volume",
		pod: `
      volumes: [{name: certs, secret: {secretName: webhook-certs}}]
      containers: [{name: web, image: "registry.k8s.io/pause:3.10", volumeMounts: [{name: certs, mountPath: /certs}]}]`,
		want: diagnose.MountFailed, says: []string{`secret "webhook-certs" not found`},
	}, {
		name: "a program that runs and does not answer",
		pod: `
      containers: [{name: web, image: "registry.k8s.io/pause:3.10", readinessProbe: {tcpSocket: {port: 1}, periodSeconds: 1}}]`,
		want: diagnose.ProbeFailing, says: []string{"Readiness probe failed", "connection refused"},
	}}
	c := b.connect("")
	b.kubectl("create", "namespace", "trouble")
	// All at once: the kubelet's back-off is the slow part.
	for i, tr := range troubles {
		b.apply(strings.NewReplacer("NS", "trouble", "name: web, namespace", "name: "+troubled[i]+", namespace", "app: web", "app: "+troubled[i]).Replace(deploy(tr.pod)))
	}
	for i, tr := range troubles {
		t.Run(tr.name, func(t *testing.T) {
			subject := diagnose.Subject{Component: "web", Ref: report.Ref{Group: "apps", Kind: "Deployment", Namespace: "trouble", Name: troubled[i]}}
			var causes []report.Cause
			defer func() { t.Logf("%+v", causes) }()
			eventually(t, tr.want+" is the one cause and says "+strings.Join(tr.says, ", "), func() bool {
				causes = diagnose.Explain(t.Context(), c, []diagnose.Subject{subject})
				if len(causes) != 1 || causes[0].Name != tr.want || causes[0].Object != subject.Ref {
					return false
				}
				text := causes[0].Summary + "\n" + strings.Join(causes[0].Evidence, "\n")
				return !slices.ContainsFunc(tr.says, func(w string) bool { return !strings.Contains(text, w) })
			})
		})
	}
}

// troubled are the names of the Deployments, in the order of the troubles.
var troubled = []string{"unreachable", "misnamed", "crashing", "absent", "secretless", "unmounted", "mute"}
