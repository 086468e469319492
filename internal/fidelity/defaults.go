package fidelity

import (
	"regexp"
	"slices"
)

// defaulted is a value that the API server fills in when a manifest does not
// say it, so that saying it makes no difference.
type defaulted struct {
	kinds []string // empty: every kind
	path  *regexp.Regexp
	value string // canonical JSON
}

var (
	workloads = []string{"Deployment", "StatefulSet", "DaemonSet"}
	webhooks  = []string{"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"}
)

// defaults follow the API reference of Kubernetes for the kinds that a release
// installs.
var defaults = []defaulted{
	{[]string{"Deployment"}, regexp.MustCompile(`^\.spec\.replicas$`), `1`},
	{[]string{"Deployment"}, regexp.MustCompile(`^\.spec\.revisionHistoryLimit$`), `10`},
	{[]string{"Deployment"}, regexp.MustCompile(`^\.spec\.progressDeadlineSeconds$`), `600`},
	{[]string{"Deployment"}, regexp.MustCompile(`^\.spec\.strategy\.type$`), `"RollingUpdate"`},
	{[]string{"Deployment"}, regexp.MustCompile(`^\.spec\.strategy$`), `{}`},
	{[]string{"Deployment"}, regexp.MustCompile(`^\.spec\.strategy\.rollingUpdate\.max(Surge|Unavailable)$`), `"25%"`},
	{workloads, regexp.MustCompile(`\.spec\.restartPolicy$`), `"Always"`},
	{workloads, regexp.MustCompile(`\.spec\.dnsPolicy$`), `"ClusterFirst"`},
	{workloads, regexp.MustCompile(`\.spec\.schedulerName$`), `"default-scheduler"`},
	{workloads, regexp.MustCompile(`\.spec\.terminationGracePeriodSeconds$`), `30`},
	{workloads, regexp.MustCompile(`\.spec\.enableServiceLinks$`), `true`},
	{workloads, regexp.MustCompile(`\.(securityContext|resources|affinity|nodeAffinity|nodeSelector|annotations|labels)$`), `{}`},
	{workloads, regexp.MustCompile(`\.(tolerations|volumes|args|env)$`), `[]`},
	{workloads, regexp.MustCompile(`\.terminationMessagePath$`), `"/dev/termination-log"`},
	{workloads, regexp.MustCompile(`\.terminationMessagePolicy$`), `"File"`},
	{workloads, regexp.MustCompile(`\.ports\[[^]]*\]\.protocol$`), `"TCP"`},
	{workloads, regexp.MustCompile(`Probe\.(timeoutSeconds|successThreshold)$`), `1`},
	{workloads, regexp.MustCompile(`Probe\.periodSeconds$`), `10`},
	{workloads, regexp.MustCompile(`Probe\.failureThreshold$`), `3`},
	{workloads, regexp.MustCompile(`Probe\.initialDelaySeconds$`), `0`},
	{workloads, regexp.MustCompile(`Probe\.httpGet\.scheme$`), `"HTTP"`},
	{workloads, regexp.MustCompile(`\.fieldRef\.apiVersion$`), `"v1"`},
	{workloads, regexp.MustCompile(`\.resourceFieldRef\.divisor$`), `"0"`},
	{workloads, regexp.MustCompile(`\.(configMap|secret|downwardAPI|projected)\.defaultMode$`), `420`},
	{workloads, regexp.MustCompile(`\.(optional|readOnly|privileged|hostNetwork|hostPID|hostIPC)$`), `false`},
	{workloads, regexp.MustCompile(`\.env\[[^]]*\]\.value$`), `""`},
	{[]string{"Service"}, regexp.MustCompile(`^\.spec\.type$`), `"ClusterIP"`},
	{[]string{"Service"}, regexp.MustCompile(`^\.spec\.sessionAffinity$`), `"None"`},
	{[]string{"Service"}, regexp.MustCompile(`^\.spec\.ports\[[^]]*\]\.protocol$`), `"TCP"`},
	{webhooks, regexp.MustCompile(`\.matchPolicy$`), `"Equivalent"`},
	{webhooks, regexp.MustCompile(`\.failurePolicy$`), `"Fail"`},
	{webhooks, regexp.MustCompile(`\.timeoutSeconds$`), `10`},
	{webhooks, regexp.MustCompile(`\.reinvocationPolicy$`), `"Never"`},
	{webhooks, regexp.MustCompile(`\.(namespaceSelector|objectSelector)$`), `{}`},
	{webhooks, regexp.MustCompile(`\.rules\[[^]]*\]\.scope$`), `"*"`},
	{webhooks, regexp.MustCompile(`\.clientConfig\.service\.port$`), `443`},
	{[]string{"CustomResourceDefinition"}, regexp.MustCompile(`^\.spec\.conversion\.strategy$`), `"None"`},
	{[]string{"CustomResourceDefinition"}, regexp.MustCompile(`^\.spec\.preserveUnknownFields$`), `false`},
	{[]string{"ServiceAccount"}, regexp.MustCompile(`^\.automountServiceAccountToken$`), `true`},
	{[]string{"Secret"}, regexp.MustCompile(`^\.type$`), `"Opaque"`},
	{nil, regexp.MustCompile(`^\.metadata(\.labels|\.annotations)?$`), `{}`},
}

// dropDefaults removes the leaves that say what holds anyway.
func dropDefaults(kind string, leaves Leaves) {
	for path, value := range leaves {
		for _, d := range defaults {
			if value == d.value && (len(d.kinds) == 0 || slices.Contains(d.kinds, kind)) && d.path.MatchString(path) {
				delete(leaves, path)
				break
			}
		}
	}
}

// bindingDefaults removes the API groups that a binding implies, and gives an
// account without a namespace the binding's, where RBAC looks for it.
func bindingDefaults(namespace string, object map[string]any) {
	const group = "rbac.authorization.k8s.io"
	if role, ok := object["roleRef"].(map[string]any); ok && role["apiGroup"] == group {
		delete(role, "apiGroup")
	}
	subjects, _ := object["subjects"].([]any)
	for _, entry := range subjects {
		subject, ok := entry.(map[string]any)
		if !ok {
			continue
		}
		switch subject["kind"] {
		case "ServiceAccount":
			if subject["apiGroup"] == "" {
				delete(subject, "apiGroup")
			}
			if subject["namespace"] == nil && namespace != "" {
				subject["namespace"] = namespace
			}
		case "User", "Group":
			if subject["apiGroup"] == group {
				delete(subject, "apiGroup")
			}
		}
	}
}

// serviceDefaults removes a target port that is the port.
func serviceDefaults(object map[string]any) {
	spec, _ := object["spec"].(map[string]any)
	ports, _ := spec["ports"].([]any)
	for _, entry := range ports {
		if port, ok := entry.(map[string]any); ok && port["targetPort"] == port["port"] {
			delete(port, "targetPort")
		}
	}
}
