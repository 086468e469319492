package diagnose

// What a look at the cluster before an installation can find.
const (
	ServerUnsupported    = "ServerUnsupported"
	ServerUntested       = "ServerUntested"
	PermissionMissing    = "PermissionMissing"
	ObjectRefused        = "ObjectRefused"
	BelongsToOthers      = "BelongsToOthers"
	ExistingInstallation = "ExistingInstallation"
	EarlierInstallation  = "EarlierInstallation"
	CapacityTooSmall     = "CapacityTooSmall"
	NodesExcluded        = "NodesExcluded"
	MemoryOverstated     = "MemoryOverstated"
	CNIChainUnsupported  = "CNIChainUnsupported"
	PoliciesNotEnforced  = "PoliciesNotEnforced"
	IstioLayoutDiffers   = "IstioLayoutDiffers"
	ImagesMissing        = "ImagesMissing"
	RegistryUnanswered   = "RegistryUnanswered"
)

var preflightWeight = map[string]int{
	ServerUnsupported: 110, PermissionMissing: 105, BelongsToOthers: 96, ObjectRefused: 94,
	CapacityTooSmall: 90, ServerUntested: 40, MemoryOverstated: 38, ExistingInstallation: 36,
	CNIChainUnsupported: 37, IstioLayoutDiffers: 95, PoliciesNotEnforced: 39, ImagesMissing: 92, RegistryUnanswered: 35, EarlierInstallation: 8, NodesExcluded: 7,
}
