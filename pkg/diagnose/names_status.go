package diagnose

// What the status of a running stack can find beside its pods.
var statusWeight = map[string]int{}
