package diagnose

// Why nobody can log in by an identity provider, or finds nothing behind it.
const (
	// The provider.
	ProviderUnreachable  = "ProviderUnreachable"
	ProviderUntrusted    = "ProviderUntrusted"
	ProviderRefuses      = "ProviderRefuses"
	IssuerMismatch       = "IssuerMismatch"
	CallbackUnregistered = "CallbackUnregistered"

	// What it says of people.
	EmailClaimEmpty  = "EmailClaimEmpty"
	EmailNotVerified = "EmailNotVerified"
	GroupMissing     = "GroupMissing"
)

// What does not answer explains what is missing of its answer.
var identityWeight = map[string]int{
	ProviderUnreachable: 37, ProviderUntrusted: 37, ProviderRefuses: 36, IssuerMismatch: 35, CallbackUnregistered: 35,
	EmailClaimEmpty: 31, EmailNotVerified: 31, GroupMissing: 30,
}
