package bed

import (
	"fmt"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/node"
)

// SimulatedProvisioner is the provisioner of the StorageClasses of a bed
// without a real node.
const SimulatedProvisioner = "devcluster.test/simulated"

// storageClass is one of a bed.
const storageClass = `---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: %s, annotations: {storageclass.kubernetes.io/is-default-class: "%t"}}
provisioner: %s
reclaimPolicy: Delete
volumeBindingMode: %s
`

// storageClasses are those of a bed.
func (c Config) storageClasses() string {
	name, provisioner, binding := "simulated", SimulatedProvisioner, "Immediate"
	if c.Nodes == RealNodes {
		name, provisioner, binding = "standard", node.Provisioner, "WaitForFirstConsumer"
	}
	var all string
	if c.Unprovisioned {
		// As on EKS since 1.23: the class of the driver that has been taken out of Kubernetes.
		all += fmt.Sprintf(storageClass, "gp2", true, "kubernetes.io/aws-ebs", "WaitForFirstConsumer")
	} else {
		all += fmt.Sprintf(storageClass, name, true, provisioner, binding)
	}
	if c.SecondClass {
		all += fmt.Sprintf(storageClass, "second", false, provisioner, binding)
	}
	return all
}

// metricsObjects make the API server find metrics-server, which runs beside
// the cluster and not in a pod.
const metricsObjects = `
apiVersion: v1
kind: Service
metadata: {name: metrics-server, namespace: kube-system}
spec: {ports: [{name: https, port: 443, targetPort: PORT, protocol: TCP}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: metrics-server, namespace: kube-system, labels: {kubernetes.io/service-name: metrics-server}}
addressType: FAMILY
ports: [{name: https, port: PORT, protocol: TCP}]
endpoints: [{addresses: [ADDRESS], conditions: {ready: true}}]
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1beta1.metrics.k8s.io}
spec:
  service: {name: metrics-server, namespace: kube-system, port: 443}
  group: metrics.k8s.io
  version: v1beta1
  insecureSkipTLSVerify: true
  groupPriorityMinimum: 100
  versionPriority: 100
`
