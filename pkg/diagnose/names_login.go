package diagnose

// Why nobody can log in, or everybody is.
var loginWeight = map[string]int{}
