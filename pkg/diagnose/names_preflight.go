package diagnose

// What a look at the cluster before an installation can find.
var preflightWeight = map[string]int{}
