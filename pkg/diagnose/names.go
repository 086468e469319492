package diagnose

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Names of causes. They are stable: documentation is found by them and programs may
// compare them. Where Kubernetes has a word of its own, the name is that word.
const (
	// Pods and their containers.
	ImagePullBackOff           = "ImagePullBackOff"
	InvalidImageName           = "InvalidImageName"
	ImagePulling               = "ImagePulling"
	CrashLoopBackOff           = "CrashLoopBackOff"
	OOMKilled                  = "OOMKilled"
	IstioInitCrash             = "IstioInitCrash"
	TooManyOpenFiles           = "TooManyOpenFiles"
	WrongArchitecture          = "WrongArchitecture"
	CreateContainerConfigError = "CreateContainerConfigError"
	CreateContainerError       = "CreateContainerError"
	MountFailed                = "MountFailed"
	PodSandboxFailed           = "PodSandboxFailed"
	ProbeFailing               = "ProbeFailing"
	SidecarMissing             = "SidecarMissing"
	Evicted                    = "Evicted"
	ContainerStarting          = "ContainerStarting"

	// Scheduling and nodes.
	InsufficientCPU      = "InsufficientCPU"
	InsufficientMemory   = "InsufficientMemory"
	InsufficientResource = "InsufficientResource"
	ResourceMissing      = "ResourceMissing"
	ResourceFragmented   = "ResourceFragmented"
	UntoleratedTaint     = "UntoleratedTaint"
	NodeSelectorMismatch = "NodeSelectorMismatch"
	Unschedulable        = "Unschedulable"
	NoNodes              = "NoNodes"
	NodeNotReady         = "NodeNotReady"
	NodePressure         = "NodePressure"
	NotScheduledYet      = "NotScheduledYet"

	// Volumes.
	NoDefaultStorageClass = "NoDefaultStorageClass"
	StorageClassMissing   = "StorageClassMissing"
	StorageDriverMissing  = "StorageDriverMissing"
	ProvisioningFailed    = "ProvisioningFailed"
	VolumePending         = "VolumePending"
	VolumeMissing         = "VolumeMissing"

	// What the API server or a controller refuses.
	QuotaExceeded              = "QuotaExceeded"
	PodSecurityViolation       = "PodSecurityViolation"
	SecurityContextConstraints = "SecurityContextConstraints"
	ServiceAccountMissing      = "ServiceAccountMissing"
	FailedCreate               = "FailedCreate"
	ScaledToZero               = "ScaledToZero"
	ProgressDeadlineExceeded   = "ProgressDeadlineExceeded"
	InvalidObject              = "InvalidObject"
	Forbidden                  = "Forbidden"
	KindMissing                = "KindMissing"
	ObjectMissing              = "ObjectMissing"

	// Webhooks.
	WebhookRefused             = "WebhookRefused"
	WebhookServiceMissing      = "WebhookServiceMissing"
	WebhookWithoutEndpoints    = "WebhookWithoutEndpoints"
	WebhookCABundleMissing     = "WebhookCABundleMissing"
	WebhookCertificateRejected = "WebhookCertificateRejected"
	WebhookTimeout             = "WebhookTimeout"
	WebhookUnreachable         = "WebhookUnreachable"

	// Certificates.
	CertificateNotReady = "CertificateNotReady"
	CertificateIgnored  = "CertificateIgnored"
	IssuerNotReady      = "IssuerNotReady"
	IssuerMissing       = "IssuerMissing"

	// Namespaces, definitions, services, anything.
	NamespaceMissing     = "NamespaceMissing"
	NamespaceTerminating = "NamespaceTerminating"
	CRDNamesConflict     = "CRDNamesConflict"
	CRDNonStructural     = "CRDNonStructural"
	CRDNotEstablished    = "CRDNotEstablished"
	LoadBalancerPending  = "LoadBalancerPending"
	StuckTerminating     = "StuckTerminating"
	NotReady             = "NotReady"

	// What could not be found out.
	Unreadable      = "Unreadable"
	DiagnosisFailed = "DiagnosisFailed"
)

// weight orders causes of one severity: what others follow from comes first. A pod
// that cannot be scheduled explains the webhook that does not answer, and the webhook
// explains the pods that are refused.
var weight = merged(stackWeight, notebookWeight, statusWeight, preflightWeight, exposureWeight, loginWeight, identityWeight)

var stackWeight = map[string]int{
	NoNodes: 100, NodeNotReady: 98, NodePressure: 97,
	KindMissing: 95, CRDNamesConflict: 95, CRDNonStructural: 95, CRDNotEstablished: 94,
	NamespaceTerminating: 93, NamespaceMissing: 92, Forbidden: 91,
	InsufficientCPU: 90, InsufficientMemory: 90, InsufficientResource: 90, ResourceMissing: 90, ResourceFragmented: 90,
	UntoleratedTaint: 89, NodeSelectorMismatch: 89, Unschedulable: 85,
	NoDefaultStorageClass: 88, StorageClassMissing: 88, StorageDriverMissing: 88, ProvisioningFailed: 87, VolumeMissing: 86, VolumePending: 84,
	InvalidImageName: 80, ImagePullBackOff: 80, WrongArchitecture: 79, OOMKilled: 78, TooManyOpenFiles: 78,
	IstioInitCrash: 77, CrashLoopBackOff: 76, CreateContainerConfigError: 75, CreateContainerError: 75,
	PodSandboxFailed: 74, Evicted: 74, ScaledToZero: 73, ImagePulling: 72, ProbeFailing: 70, ContainerStarting: 68,
	IssuerMissing: 62, IssuerNotReady: 61, CertificateIgnored: 60, CertificateNotReady: 60, MountFailed: 58,
	WebhookServiceMissing: 52, WebhookWithoutEndpoints: 52, WebhookCABundleMissing: 51, WebhookCertificateRejected: 51,
	WebhookTimeout: 50, WebhookUnreachable: 50, WebhookRefused: 48,
	QuotaExceeded: 46, PodSecurityViolation: 46, SecurityContextConstraints: 46, ServiceAccountMissing: 45, InvalidObject: 45, SidecarMissing: 44,
	FailedCreate: 42, ProgressDeadlineExceeded: 30, LoadBalancerPending: 25, StuckTerminating: 20, ObjectMissing: 15,
	NotScheduledYet: 10, NotReady: 5, Unreadable: 2, DiagnosisFailed: 1,
}

func merged(themes ...map[string]int) map[string]int {
	all := map[string]int{}
	for _, theme := range themes {
		maps.Copy(all, theme)
	}
	return all
}

// Names are all names of causes, in alphabetical order.
func Names() []string { return slices.Sorted(maps.Keys(weight)) }

// Docs is where a cause is documented, for a browser.
func Docs(name string) string {
	return "https://github.com/kubectl-jupyter/kubectl-jupyter/blob/main/" + Page(name)
}

// Documented adds to causes where they are documented.
func Documented(causes []report.Cause) []report.Cause {
	for i := range causes {
		causes[i].Docs = Docs(causes[i].Name)
	}
	return causes
}

// Page is where a cause is documented, relative to the repository:
// docs/troubleshooting/image-pull-back-off.md for ImagePullBackOff.
func Page(name string) string {
	name = strings.ReplaceAll(name, "OAuth", "Oauth") // one word, although it looks like two
	name = acronym.ReplaceAllString(name, "$1-$2")
	name = boundary.ReplaceAllString(name, "$1-$2")
	return "docs/troubleshooting/" + strings.ToLower(name) + ".md"
}

var (
	acronym  = regexp.MustCompile(`([A-Z]+)([A-Z][a-z])`)
	boundary = regexp.MustCompile(`([a-z0-9])([A-Z])`)
)
