package diagnose

// Why the gateway has no address, or one that does not answer.
const (
	NoLoadBalancerController  = "NoLoadBalancerController"
	MetalLBModesMixed         = "MetalLBModesMixed"
	AddressControllerDown     = "AddressControllerDown"
	AddressPoolMissing        = "AddressPoolMissing"
	AddressPoolExhausted      = "AddressPoolExhausted"
	AddressRefused            = "AddressRefused"
	LoadBalancerClassUnserved = "LoadBalancerClassUnserved"
	AdvertisementMissing      = "AdvertisementMissing"
	AnnouncerDown             = "AnnouncerDown"
	ExcludedFromLoadBalancers = "ExcludedFromLoadBalancers"
	StrictARPOff              = "StrictARPOff"
	AddressUnreachable        = "AddressUnreachable"
	HostPortsTaken            = "HostPortsTaken"
)

// A pool that nobody serves explains the address that does not come, and an address that
// nobody announces the one that does not answer.
var exposureWeight = map[string]int{
	NoLoadBalancerController: 40, MetalLBModesMixed: 40, AddressControllerDown: 39,
	LoadBalancerClassUnserved: 38, AddressPoolMissing: 37, AddressPoolExhausted: 36, AddressRefused: 35,
	AnnouncerDown: 34, AdvertisementMissing: 33, ExcludedFromLoadBalancers: 32, StrictARPOff: 28, AddressUnreachable: 24, HostPortsTaken: 37,
}
