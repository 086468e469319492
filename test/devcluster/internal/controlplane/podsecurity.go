package controlplane

import (
	"fmt"
	"os"
)

// admissionFile configures the API server's admission.
const admissionFile = "admission.yaml"

// podSecurity is what Talos and others start an API server with: a level for all namespaces
// that have no label of their own, but for the cluster's own.
const podSecurity = `apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: PodSecurity
  configuration:
    apiVersion: pod-security.admission.config.k8s.io/v1
    kind: PodSecurityConfiguration
    defaults: {enforce: %[1]s, enforce-version: latest, audit: %[1]s, audit-version: latest, warn: %[1]s, warn-version: latest}
    exemptions: {usernames: [], runtimeClasses: [], namespaces: [kube-system]}
`

func (c Config) writePodSecurity() error {
	if c.PodSecurity == "" {
		return nil
	}
	if err := os.WriteFile(c.path(admissionFile), fmt.Appendf(nil, podSecurity, c.PodSecurity), 0o600); err != nil {
		return fmt.Errorf("configuration of admission: %w", err)
	}
	return nil
}
