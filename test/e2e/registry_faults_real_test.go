//go:build e2e_real

package e2e

import (
	"strings"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// pullFault is a pull that fails, and what is said about it.
type pullFault struct {
	name, image string
	// secret is USER:PASSWORD of the pod's pull secret; none when empty.
	secret string
	// says is in the cause's summary, remedy in what helps.
	says, remedy string
}

const echoRepository = "/devcluster.test/notebook-echo"

var pullFaults = []pullFault{
	{"no such tag", bedRegistry + echoRepository + ":v2", "", "is not in its registry", "check name and tag"},
	{"no such image", "ghcr.io/kubeflow/nothing:v1", "", "is not in its registry", "check name and tag"},
	{"login wanted", "login.devcluster.test" + echoRepository + ":v1", "", "login.devcluster.test requires a login", "--image-pull-secret"},
	{"a token wanted", "token.devcluster.test" + echoRepository + ":v1", "", "it is not there, or needs a login", "--image-pull-secret"},
	{"login refused", "login.devcluster.test" + echoRepository + ":v1", "visitor:visit-me", "refuses the login", "may pull"},
	{"a wrong password", "login.devcluster.test" + echoRepository + ":v1", "puller:wrong", "refuses the login", "may pull"},
	{"a token refused", "token.devcluster.test" + echoRepository + ":v1", "puller:wrong", "refuses the login", "may pull"},
	{"CA unknown", "untrusted.devcluster.test" + echoRepository + ":v1", "", "does not trust the certificate of registry untrusted.devcluster.test", "certs.d/untrusted.devcluster.test/hosts.toml"},
	{"plain HTTP", "plain.devcluster.test:5000" + echoRepository + ":v1", "", "plain.devcluster.test:5000 serves plain HTTP", "certs.d/plain.devcluster.test:5000/hosts.toml"},
	{"no route", "unreachable.devcluster.test" + echoRepository + ":v1", "", "does not reach registry unreachable.devcluster.test", "install with --registry"},
	{"rate limit", "limited.devcluster.test" + echoRepository + ":v1", "", "limits image pulls", "wait"},
}

// TestPullsThatFailAreNamed has the real containerd and kubelet fail to pull from a real
// registry in every way that there is a name for.
func TestPullsThatFailAreNamed(t *testing.T) {
	b := registryBed(t)
	b.kubectl("create", "namespace", "trouble")
	b.explainPulls(t, pullFaults)
}

// TestANodeWithoutRoomForAnImageIsNamed has a disk that CoreDNS' image fits on, and little else.
func TestANodeWithoutRoomForAnImageIsNamed(t *testing.T) {
	b := registryBed(t, "--node-disk", "140Mi")
	b.kubectl("create", "namespace", "trouble")
	b.explainPulls(t, []pullFault{{"out of disk", "devcluster.test/notebook-echo:v1", "", "has no disk space for image", "kubectl describe node"}})
}

// explainPulls starts all pods at once, since the kubelet's back-off is the slow part.
func (b *bed) explainPulls(t *testing.T, faults []pullFault) {
	for i, f := range faults {
		name := troubleName(i)
		spec := ""
		if f.secret != "" {
			host, _, _ := strings.Cut(f.image, "/")
			user, password, _ := strings.Cut(f.secret, ":")
			b.kubectl("-n", "trouble", "create", "secret", "docker-registry", name, "--docker-server="+host, "--docker-username="+user, "--docker-password="+password)
			spec = "\n      imagePullSecrets: [{name: " + name + "}]"
		}
		b.apply(strings.NewReplacer("NS", "trouble", "name: web, namespace", "name: "+name+", namespace", "app: web", "app: "+name).
			Replace(deploy(spec + "\n      containers: [{name: web, image: \"" + f.image + "\"}]")))
	}
	c := b.connect("")
	for i, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			subject := diagnose.Subject{Component: "web", Ref: report.Ref{Group: "apps", Kind: "Deployment", Namespace: "trouble", Name: troubleName(i)}}
			var causes []report.Cause
			defer func() { t.Logf("%+v", causes) }()
			eventually(t, f.says, func() bool {
				causes = diagnose.Explain(t.Context(), c, []diagnose.Subject{subject})
				return len(causes) == 1 && causes[0].Name == diagnose.ImagePullBackOff && strings.Contains(causes[0].Summary, f.says) && strings.Contains(causes[0].Remedy, f.remedy)
			})
		})
	}
}

func troubleName(i int) string { return "trouble-" + string(rune('a'+i)) }
