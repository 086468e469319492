package bed

// SimulatedProvisioner is the provisioner of the default StorageClass of a
// bed without a real node.
const SimulatedProvisioner = "devcluster.test/simulated"

const simulatedStorageClass = `
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: simulated
  annotations: {storageclass.kubernetes.io/is-default-class: "true"}
provisioner: ` + SimulatedProvisioner + `
reclaimPolicy: Delete
volumeBindingMode: Immediate
`

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
addressType: IPv4
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
