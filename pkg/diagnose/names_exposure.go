package diagnose

// Why the gateway has no address.
var exposureWeight = map[string]int{}
