package diagnose

// Causes that lie with notebooks, and what is asked before there is one.
const (
	SchedulingGated    = "SchedulingGated"
	LimitRangeExceeded = "LimitRangeExceeded"
	VolumeInUse        = "VolumeInUse"
)

var notebookWeight = map[string]int{VolumeInUse: 83, SchedulingGated: 82, LimitRangeExceeded: 46}
