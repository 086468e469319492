package components

import "k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

// Pause is how long, in seconds, a program that serves requests goes on after its pod has
// been deleted. Whoever asks it hears of that later: kube-proxy within a second or so, the
// gateway and the sidecars from istiod, which gathers changes for up to 10 s
// (PILOT_DEBOUNCE_MAX) as long as there are more, as in an upgrade, and then has to send
// them. Until then they ask the pod that has been deleted too, and where that is
// oauth2-proxy the gateway answers 403 when nobody listens there.
const Pause = 15

// PausesSince is the minor version of Kubernetes that has the action sleep of a preStop hook
// (KEP-3960) switched on. An older server drops the field, or refuses an object that has it.
const PausesSince = 30

// ForServer leaves out what a server of version 1.MINOR does not understand.
func (o *Options) ForServer(minor int) {
	o.OrdinarySidecars = minor < NativeSidecarsSince
	o.NoPause = minor < PausesSince
}

// endAtOnce removes the pauses from a workload's pods.
func endAtOnce(u *unstructured.Unstructured) {
	eachContainer(u, func(container map[string]any) {
		if _, pauses, _ := unstructured.NestedMap(container, "lifecycle", "preStop", "sleep"); pauses {
			delete(container, "lifecycle")
		}
	})
}
