package diagnose

// Why nobody can log in, or everybody is.
const (
	// Worse than not working.
	ApplicationUnprotected = "ApplicationUnprotected"
	ForgedIdentityAccepted = "ForgedIdentityAccepted"
	CredentialsForwarded   = "CredentialsForwarded"
	SharedOrigin           = "SharedOrigin"

	// A hop that does not answer.
	GatewayUnreachable     = "GatewayUnreachable"
	DexUnreachable         = "DexUnreachable"
	OAuth2ProxyUnreachable = "OAuth2ProxyUnreachable"
	RouteMissing           = "RouteMissing"

	// What the mesh is told.
	PolicyMissing           = "PolicyMissing"
	PolicyChanged           = "PolicyChanged"
	ExtAuthzProviderMissing = "ExtAuthzProviderMissing"
	JWTIssuerUnknown        = "JWTIssuerUnknown"
	JWKSKeyMissing          = "JWKSKeyMissing"
	TokenRejected           = "TokenRejected"
	ClockSkew               = "ClockSkew"
	StrangeFilter           = "StrangeFilter"
	HeadersTooLarge         = "HeadersTooLarge"

	// The login itself.
	RedirectURIUnregistered = "RedirectURIUnregistered"
	OIDCClientMismatch      = "OIDCClientMismatch"
	SecureCookiesOverHTTP   = "SecureCookiesOverHTTP"
	LoginLoop               = "LoginLoop"
	PasswordChangeIgnored   = "PasswordChangeIgnored"
	LoginRefused            = "LoginRefused"

	// What comes after it.
	ProfileMissing       = "ProfileMissing"
	NamespaceListFails   = "NamespaceListFails"
	WebSocketDropped     = "WebSocketDropped"
	WebAppUnreachable    = "WebAppUnreachable"
	CertificateUntrusted = "CertificateUntrusted"
	MeshRootChanged      = "MeshRootChanged"
	NotebookUnreachable  = "NotebookUnreachable"
	NetworkPolicyBlocks  = "NetworkPolicyBlocks"
)

// A policy that is missing explains what is unprotected; a hop that does not answer,
// why the login stops there.
var loginWeight = map[string]int{
	ApplicationUnprotected: 99, ForgedIdentityAccepted: 98, CredentialsForwarded: 97, SharedOrigin: 96,
	PolicyMissing: 43, ExtAuthzProviderMissing: 43, PolicyChanged: 42,
	GatewayUnreachable: 41, CertificateUntrusted: 41, DexUnreachable: 40, OAuth2ProxyUnreachable: 40, WebAppUnreachable: 39,
	JWTIssuerUnknown: 38, JWKSKeyMissing: 37, TokenRejected: 37, ClockSkew: 44, StrangeFilter: 45, HeadersTooLarge: 44, RedirectURIUnregistered: 36, OIDCClientMismatch: 36, RouteMissing: 35,
	SecureCookiesOverHTTP: 34, LoginLoop: 33, PasswordChangeIgnored: 32, LoginRefused: 31,
	ProfileMissing: 29, NamespaceListFails: 28, WebSocketDropped: 27, MeshRootChanged: 42, NetworkPolicyBlocks: 42, NotebookUnreachable: 26,
}
