//go:build e2e

package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/preflight"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// causes of a report by a name, as one text.
func causesOf(r looked, name string) string {
	var lines []string
	for _, c := range r.Causes {
		if c.Name == name {
			lines = append(append(lines, c.Severity.String(), c.Summary, c.Remedy), c.Evidence...)
		}
	}
	return strings.Join(lines, "\n")
}

// TestClustersLikeAKS: whose enforcer is a stand-in here.
func TestClustersLikeAKS(t *testing.T) {
	onlyWithOtherClusters(t)
	b := newBed(t, "--enforcer", "aks")
	b.kubectl("label", "nodes", "--all", "kubernetes.azure.com/cluster=aks")
	if a := b.preflight(t, 0).answer(t, "platform"); !strings.Contains(a.Found, "AKS") {
		t.Errorf("the platform is %s", a.Found)
	}
	// Somebody's webhook shows that the enforcer works.
	b.apply(`
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: somebodys}
webhooks:
- name: somebodys.example.com
  sideEffects: None
  admissionReviewVersions: [v1]
  failurePolicy: Ignore
  rules: [{apiGroups: [example.com], apiVersions: [v1], operations: [CREATE], resources: [things]}]
  clientConfig: {service: {namespace: default, name: somebodys}}`)
	selector := func(kind, name string) string {
		return b.kubectl("get", kind, name, "-o", "jsonpath={.webhooks[*].namespaceSelector}")
	}
	eventually(t, "the enforcer has changed somebody's webhook", func() bool {
		return strings.Contains(selector("validatingwebhookconfiguration", "somebodys"), "control-plane")
	})

	b.must("install", "--timeout", "5m")
	if s := selector("mutatingwebhookconfiguration", "istio-sidecar-injector"); strings.Contains(s, "control-plane") {
		t.Errorf("the enforcer has changed the injector, and namespace kubeflow has the label control-plane: %s", s)
	}
	if r := b.report(); r.State != report.Ready || len(r.Causes) > 0 {
		t.Errorf("status: %s, %+v", r.State, r.Causes)
	}
	was := b.versions(memberSelector)
	wantSays(t, b.must("install", "--timeout", "5m").Stderr, "nothing to change")
	compareVersions(t, was, b.versions(memberSelector))
}

// TestClustersLikeTalos: the API server judges pods in namespaces without labels by the level
// baseline.
func TestClustersLikeTalos(t *testing.T) {
	onlyWithOtherClusters(t)
	b := newBed(t, "--pod-security", "baseline")
	b.preflight(t, 1, "--release", "1.10").want(t, diagnose.PodSecurityViolation, report.Fatal, "NET_ADMIN", "--release 26.03")
	b.refuses(t, "does not admit notebooks with a sidecar", "--release", "1.10")
	if a := b.preflight(t, 0).answer(t, "admission"); a.Result != preflight.OK {
		t.Errorf("26.03: %s, %s", a.Result, a.Found)
	}
	b.must("install", "--timeout", "5m")
	b.notebookRuns(t)
	if r := b.report(); r.State != report.Ready || len(r.Causes) > 0 {
		t.Errorf("status: %s, %+v", r.State, r.Causes)
	}
}

// notebookRuns makes a notebook in the first user's namespace and waits for its pod.
func (b *bed) notebookRuns(t *testing.T) {
	t.Helper()
	b.must("notebook", "create", "lab", "-n", firstProfile)
	b.kubectl("-n", firstProfile, "wait", "--for=create", "pod/lab-0", "--timeout=60s")
	b.kubectl("-n", firstProfile, "wait", "--for=condition=Ready", "pod/lab-0", "--timeout=60s")
}

// TestClustersLikeEKS: gp2 is the default and its driver is not installed.
func TestClustersLikeEKS(t *testing.T) {
	onlyWithOtherClusters(t)
	b := newBed(t, "--storage-class-without-provisioner", "--second-storage-class")
	b.preflight(t, 0).want(t, diagnose.StorageDriverMissing, report.Warning, "gp2 (kubernetes.io/aws-ebs)", "CSIDriver ebs.csi.aws.com: not found")
	b.must("install", "--timeout", "5m")
	b.apply(`{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: home, namespace: ` + firstProfile + `}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}
---
{apiVersion: kubeflow.org/v1, kind: Notebook, metadata: {name: lab, namespace: ` + firstProfile + `}, spec: {template: {spec: {containers: [{name: lab, image: "example.com/notebook:1", volumeMounts: [{name: home, mountPath: /home/jovyan}]}], volumes: [{name: home, persistentVolumeClaim: {claimName: home}}]}}}}`)
	b.kubectl("-n", firstProfile, "wait", "--for=create", "pod/lab-0", "--timeout=60s")
	eventually(t, "status names the class whose driver is missing", func() bool {
		return strings.Contains(causesOf(b.report(), diagnose.StorageDriverMissing), "gp2")
	}, func() { t.Log(b.jupyter("status")) })
	wantSays(t, b.must("notebook", "create", "other", "-n", firstProfile, "--storage-class", "second").Stdout, "other")
	b.kubectl("-n", firstProfile, "wait", "--for=condition=Ready", "pod/other-0", "--timeout=60s")
}

// TestClustersLikeK3s: ServiceLB, a stand-in here, gives addresses of nodes, and Traefik has
// their ports.
func TestClustersLikeK3s(t *testing.T) {
	onlyWithOtherClusters(t)
	b := newBed(t, "--load-balancer", "servicelb", "--network", "192.168.108.0/22")
	b.apply(`{apiVersion: v1, kind: Service, metadata: {name: traefik, namespace: kube-system}, spec: {type: LoadBalancer, selector: {app: traefik}, ports: [{name: web, port: 80}, {name: websecure, port: 443}]}}`)
	const address = "jsonpath={.status.loadBalancer.ingress[*].ip}"
	eventually(t, "Traefik has the addresses of the nodes", func() bool {
		return strings.HasPrefix(b.kubectl("-n", "kube-system", "get", "service", "traefik", "-o", address), "192.168.108.10 192.168.108.11 192.168.109.10")
	})
	b.preflight(t, 0).want(t, diagnose.HostPortsTaken, report.Warning, "kube-system/traefik")
	b.must("install", "--timeout", "5m")
	r := b.jupyter("expose", "--timeout", "15s")
	if r.Code == 0 {
		t.Errorf("expose where Traefik has the ports: %s", r)
	}
	wantSays(t, r.Stderr, "Service kube-system/traefik", "--disable traefik")
	wantSays(t, causesOf(b.report(), diagnose.HostPortsTaken), "has port 80 of the nodes, for Service kube-system/traefik")

	b.kubectl("-n", "kube-system", "delete", "service", "traefik")
	wantSays(t, b.must("expose", "--timeout", "2m").Stdout, "http://192.168.108.10/jupyter/")
	if names := strings.Fields(b.kubectl("-n", "kube-system", "get", "daemonsets", "-o", "name")); slices.ContainsFunc(names, func(n string) bool { return strings.Contains(n, "traefik") }) {
		t.Errorf("DaemonSets %v, and Traefik's Service is gone", names)
	}
	if c := causesOf(b.report(), diagnose.HostPortsTaken); c != "" {
		t.Errorf("status: %s", c)
	}
}

// TestClustersLikeOneWithIPv6 has simulated nodes: what the programs do with it is for the real one.
func TestClustersLikeOneWithIPv6(t *testing.T) {
	onlyWithOtherClusters(t)
	b := newBed(t, "--ip-family", "ipv6", "--cluster-domain", "corp.example")
	b.must("install", "--timeout", "5m")
	b.notebookRuns(t)
	if ip := b.kubectl("-n", firstProfile, "get", "pod", "lab-0", "-o", "jsonpath={.status.podIP}"); !strings.HasPrefix(ip, "fd00:10:244:") {
		t.Errorf("the notebook's pod has the address %s", ip)
	}
	if r := b.report(); r.State != report.Ready {
		t.Errorf("status: %s, %+v", r.State, r.Causes)
	}
}
