package diagnose

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

var (
	deniedByWebhook  = regexp.MustCompile(`admission webhook "([^"\n]+)" denied the request`)
	exceededQuota    = regexp.MustCompile(`exceeded quota: ([^,\n]+),`)
	mustSpecify      = regexp.MustCompile(`failed quota: ([^:\n]+): must specify (.*)`)
	unmatchedScopes  = regexp.MustCompile(`insufficient quota to match these scopes: (.*)`)
	specifiedFor     = regexp.MustCompile(` for: ([a-z0-9,-]+)`)
	noConstraint     = regexp.MustCompile(`unable to validate against any security context constraint`)
	nameTooLong      = regexp.MustCompile(`is invalid: metadata\.(?:labels|name): .*must be no more than \d+ (?:bytes|characters)`)
	limitRange       = regexp.MustCompile(`(?:maximum|minimum|max|min) .+ per (?:Container|Pod|PersistentVolumeClaim) is [^,\n]+, but`)
	violatesSecurity = regexp.MustCompile(`violates PodSecurity "([a-z]+)`)
	noServiceAccount = regexp.MustCompile(`error looking up service account ([^/\n]+)/([^:\n]+): serviceaccounts? "[^"\n]+" not found`)
	noMatches        = regexp.MustCompile(`no matches for kind "([^"\n]+)" in (?:version|group) "([^"\n]+)"`)
	userCannot       = regexp.MustCompile(`(?s)User "([^"\n]+)" cannot (\S+) resource "([^"\n]+)"`)
	beingTerminated  = regexp.MustCompile(`unable to create new content in namespace (\S+) because it is being terminated`)
	noNamespace      = regexp.MustCompile(`namespaces "([^"\n]+)" not found`)
	invalidObject    = regexp.MustCompile(`^\S+ "[^"\n]+" is invalid: `)
)

// What needs more than Pod Security's level "baseline" allows.
var needsPrivileged = regexp.MustCompile(`non-default capabilities|privileged|hostPath|host namespaces|hostPort|hostNetwork|NET_ADMIN`)

// findInMessage reads what the API server answered when the subject was sent.
func findInMessage(s *Snapshot, sub Subject) []report.Cause {
	return s.refusal(sub, sub.Message, sub.Ref)
}

// refusal names the reason for which the API server has refused object, if message is
// such a refusal. The same sentences come as errors to whoever applies something, and
// as events to what controllers could not create.
func (s *Snapshot) refusal(sub Subject, message string, object report.Ref) []report.Cause {
	if message == "" {
		return nil
	}
	said := event("", message)
	c := report.Cause{Severity: report.Error, Component: sub.Component, Object: object, Evidence: []string{said}}
	one := func(name, summary, remedy string) []report.Cause {
		c.Name, c.Summary, c.Remedy = name, summary, remedy
		return []report.Cause{c}
	}
	if call, ok := parseWebhookCall(message); ok {
		return s.webhookFailed(sub, call, object, said)
	}
	if m := deniedByWebhook.FindStringSubmatch(message); m != nil {
		return one(WebhookRefused, fmt.Sprintf("webhook %s denies %s", m[1], object), "correct what the webhook names, or ask its owner for an exception")
	}
	if m := violatesSecurity.FindStringSubmatch(message); m != nil {
		level := "baseline"
		if m[1] == "baseline" || needsPrivileged.MatchString(message) {
			level = "privileged"
		}
		return one(PodSecurityViolation, fmt.Sprintf("namespace %s enforces Pod Security %q, which the pod does not meet", object.Namespace, m[1]),
			fmt.Sprintf("kubectl label namespace %s pod-security.kubernetes.io/enforce=%s --overwrite", object.Namespace, level))
	}
	if m := exceededQuota.FindStringSubmatch(message); m != nil {
		return one(QuotaExceeded, fmt.Sprintf("quota %s of namespace %s is used up", m[1], object.Namespace),
			fmt.Sprintf("free some of it or raise it: kubectl -n %s describe resourcequota %s", object.Namespace, m[1]))
	}
	if m := mustSpecify.FindStringSubmatch(message); m != nil {
		return one(QuotaExceeded, fmt.Sprintf("quota %s of namespace %s requires requests and limits that %s not have", m[1], object.Namespace, lackingSpecs(m[2])),
			fmt.Sprintf("add a LimitRange with defaults to the namespace, or change the quota: kubectl -n %s describe resourcequota %s", object.Namespace, m[1]))
	}
	if m := limitRange.FindString(message); m != "" {
		return one(LimitRangeExceeded, fmt.Sprintf("a LimitRange of namespace %s does not allow it: %s", object.Namespace, strings.TrimSuffix(m, ", but")),
			fmt.Sprintf("request what it allows, or change it: kubectl -n %s describe limitrange", object.Namespace))
	}
	if m := unmatchedScopes.FindStringSubmatch(message); m != nil {
		return one(QuotaExceeded, fmt.Sprintf("the cluster admits pods of this kind only where a quota counts them, and namespace %s has none that does", object.Namespace),
			"create a ResourceQuota in the namespace whose scopeSelector matches what the evidence names, or remove the pod's priorityClassName")
	}
	if noConstraint.MatchString(message) {
		level := "anyuid"
		if needsPrivileged.MatchString(message) {
			level = "privileged"
		}
		return one(SecurityContextConstraints, fmt.Sprintf("OpenShift's security context constraints do not admit the pods of namespace %s", object.Namespace),
			fmt.Sprintf("oc adm policy add-scc-to-group %s system:serviceaccounts:%s", level, object.Namespace))
	}
	if nameTooLong.MatchString(message) && (object.Kind == "Notebook" || object.Kind == "StatefulSet") {
		return one(InvalidObject, fmt.Sprintf("the name of %s is too long: labels of its pods are made from it, and have 63 characters at most", object),
			"create it again with a shorter name, of 50 characters at most")
	}
	if m := noServiceAccount.FindStringSubmatch(message); m != nil {
		remedy := fmt.Sprintf("kubectl -n %s get serviceaccounts", m[1])
		if m[2] == "default-editor" || m[2] == "default-viewer" {
			remedy = fmt.Sprintf("the namespace has no Profile, or the profile controller has not processed it: kubectl get profile %s; kubectl -n kubeflow get pods -l kustomize.component=profiles", m[1])
		}
		return one(ServiceAccountMissing, fmt.Sprintf("ServiceAccount %s/%s does not exist", m[1], m[2]), remedy)
	}
	if m := noMatches.FindStringSubmatch(message); m != nil {
		return one(KindMissing, fmt.Sprintf("the server does not know kind %s in %s", m[1], m[2]),
			fmt.Sprintf("kubectl get crds | grep %s; install what defines it, and try again", strings.SplitN(m[2], "/", 2)[0]))
	}
	if m := beingTerminated.FindStringSubmatch(message); m != nil {
		return one(NamespaceTerminating, fmt.Sprintf("namespace %s is being deleted", m[1]),
			fmt.Sprintf("wait until it is gone, then install again: kubectl wait --for=delete namespace/%s --timeout=5m", m[1]))
	}
	if m := userCannot.FindStringSubmatch(message); m != nil {
		if other := OtherAuthorizer(message); other != "" {
			return one(Forbidden, fmt.Sprintf("the platform does not let %s %s %s", m[1], m[2], m[3]),
				"no role changes it: the evidence has the platform's reason; ask who runs the cluster")
		}
		return one(Forbidden, fmt.Sprintf("%s cannot %s %s", m[1], m[2], m[3]),
			fmt.Sprintf("request the permission, and check it: kubectl auth can-i %s %s --as %s", m[2], m[3], m[1]))
	}
	if m := noNamespace.FindStringSubmatch(message); m != nil {
		return one(NamespaceMissing, fmt.Sprintf("namespace %s does not exist", m[1]), namespaceRemedy)
	}
	if invalidObject.MatchString(message) {
		return one(InvalidObject, fmt.Sprintf("the API server rejects %s as invalid", object), "correct the fields that it names (from your kustomization, --image or other flags)")
	}
	return nil
}

// lackingSpecs names the containers that a quota finds without requests or limits: those of
// the sidecar are nobody's of the pod's author.
func lackingSpecs(specs string) string {
	var names []string
	for _, m := range specifiedFor.FindAllStringSubmatch(specs, -1) {
		for _, n := range strings.Split(m[1], ",") {
			if n != "" && !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	switch {
	case len(names) == 1:
		return "container " + names[0] + " does"
	case len(names) > 1 && len(names) <= maxNodeLines:
		return "containers " + strings.Join(names, ", ") + " do"
	}
	return "the pod does"
}

// namespaceRemedy: an empty namespace in the place of somebody's would help nobody.
const namespaceRemedy = "kubectl jupyter install creates the namespaces of its components; any other is its owner's to create"

// otherAuthorizer matches the reason that an authorizer other than RBAC adds to the API
// server's own sentence, as GKE Autopilot's does for its managed namespaces.
var otherAuthorizer = regexp.MustCompile(`(?:in the namespace "[^"\n]*"|at the cluster scope): (.*)`)

// OtherAuthorizer is the reason of a refusal that is not for want of a role: a platform that
// denies it to everybody. Empty where RBAC decided.
func OtherAuthorizer(message string) string {
	m := otherAuthorizer.FindStringSubmatch(strings.Join(strings.Fields(message), " "))
	if m == nil || strings.HasPrefix(m[1], "RBAC: ") {
		return ""
	}
	return m[1]
}
