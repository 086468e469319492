// Package standin has programs that act in the place of Kubeflow's own, which
// are in no module registry: the profile controller, the notebook controller
// and the PodDefaults webhook. Each is a function on a rest.Config, so that
// it runs in the bed's process for a simulated pod and as the main of an image
// on a real node. They do what installing and using a stack needs, no more,
// and are called stand-ins wherever they appear.
package standin
