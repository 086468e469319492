package diagnose

// What the status of a running stack can find beside its pods.
const (
	Drift                = "Drift"
	CertificateExpiring  = "CertificateExpiring"
	VersionSkew          = "VersionSkew"
	WebhookNotRefusing   = "WebhookNotRefusing"
	InjectorNotInjecting = "InjectorNotInjecting"
	InstallIncomplete    = "InstallIncomplete"
	UpgradeIncomplete    = "UpgradeIncomplete"
	OwnerCaseDiffers     = "OwnerCaseDiffers"
	ProfileFailed        = "ProfileFailed"
	ProfileOwnerInvalid  = "ProfileOwnerInvalid"
	NotebookBreaksList   = "NotebookBreaksList"
	PodDefaultBreaksForm = "PodDefaultBreaksForm"
)

var statusWeight = map[string]int{
	InstallIncomplete: 95, UpgradeIncomplete: 95, VersionSkew: 82, CertificateExpiring: 63, WebhookNotRefusing: 49, InjectorNotInjecting: 49, Drift: 16,
	ProfileOwnerInvalid: 39, ProfileFailed: 38, OwnerCaseDiffers: 37, NotebookBreaksList: 36, PodDefaultBreaksForm: 35,
}
