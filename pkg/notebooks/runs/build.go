package runs

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/utils/ptr"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/edits"
)

// Labels and annotations of a run's objects.
const (
	// LikeLabel is on a run's Job and pod, and has the name of the notebook that it is like.
	LikeLabel = "kubectl-jupyter/run-like"
	// recordAnnotation has the Record of a run, on its Job.
	recordAnnotation = "kubectl-jupyter/run"
	// injectLabel tells Istio whether to add its sidecar.
	injectLabel = "sidecar.istio.io/inject"
)

// container is the one of a run's pod that executes the program.
const container = "program"

// Request is what a person wants to run.
type Request struct {
	Program Program
	// Like has what the run gets.
	Like *unstructured.Unstructured
	// Change is what is to be different from the notebook: hardware, image, variables.
	Change edits.Change
	// NoVolumes leaves out the claims of the notebook.
	NoVolumes bool
	// Sidecar lets Istio add its proxy, as to a notebook.
	Sidecar bool
	// Keep is how long the Job stays after its end.
	Keep time.Duration
	// Deadline ends the program; 0 does not.
	Deadline time.Duration
}

// Record is what is written down of a run, for those who look at it later.
type Record struct {
	Kind ProgramKind `json:"kind"`
	// Program in a few words.
	Program string `json:"program"`
	// Mark begins the lines of the log that carry the executed notebook.
	Mark string `json:"mark,omitempty"`
}

// Objects are what a run is made of.
type Objects struct {
	Job *batchv1.Job
	// Files is nil for a command.
	Files *corev1.ConfigMap
	// Left are containers of the notebook that the run does not have.
	Left []string
}

// Pod is the one that the Job makes.
func (o *Objects) Pod() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: o.Job.Namespace, Name: o.Job.Name, Labels: o.Job.Spec.Template.Labels},
		Spec:       o.Job.Spec.Template.Spec,
	}
}

// What the notebook controller adds to a notebook's pod.
const (
	usualDirectory = "/home/jovyan"
	usualGroup     = int64(100)
)

// notOurs are the labels by which a notebook's Service and controller find its pod. A run
// must not have them: it would get the notebook's requests.
var notOurs = []string{"app", "statefulset", notebooks.Label}

// Build makes the objects of a run. Nothing is asked of the cluster.
func Build(r Request) (*Objects, error) {
	like, err := notebooks.Parse(r.Like)
	if err != nil {
		return nil, err
	}
	suffix := rand.String(5)
	name := like.Name + "-run-" + suffix
	labels := map[string]string{}
	for k, v := range r.Like.GetLabels() {
		if !slices.Contains(notOurs, k) {
			labels[k] = v
		}
	}
	labels[LikeLabel] = like.Name
	mark := "kubectl-jupyter-" + rand.String(12) + ":"
	record := Record{Kind: r.Program.Kind, Program: abridged(r.Program.Title())}
	if r.Program.Kind == Notebook {
		record.Mark = mark
	}
	written, err := json.Marshal(record)
	if err != nil {
		return nil, err
	}
	spec := like.Spec.DeepCopy()
	out := &Objects{}
	for i := range spec.Containers {
		if c := &spec.Containers[i]; c.Name != like.Container().Name {
			out.Left = append(out.Left, c.Name)
		}
	}
	program := like.Container().DeepCopy()
	if err := r.Change.Apply(program); err != nil {
		return nil, err
	}
	program.Name = container
	program.Ports, program.Lifecycle = nil, nil
	program.LivenessProbe, program.ReadinessProbe, program.StartupProbe = nil, nil, nil
	if program.WorkingDir == "" {
		program.WorkingDir = usualDirectory
	}
	if r.NoVolumes {
		withoutClaims(spec, program)
	}
	program.Command, program.Args = r.Program.command(mark, shelf(spec, program)), nil
	if files := r.Program.files(); files != nil {
		out.Files = &corev1.ConfigMap{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
			ObjectMeta: metav1.ObjectMeta{Namespace: like.Namespace, Name: name, Labels: map[string]string{LikeLabel: like.Name}},
			BinaryData: files,
		}
		spec.Volumes = append(spec.Volumes, corev1.Volume{Name: "kubectl-jupyter-run", VolumeSource: corev1.VolumeSource{
			ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: name}},
		}})
		program.VolumeMounts = append(program.VolumeMounts, corev1.VolumeMount{Name: "kubectl-jupyter-run", MountPath: at, ReadOnly: true})
	}
	spec.Containers = []corev1.Container{*program}
	// Of a container that goes on, such as a sidecar of the notebook's own, a Job would wait in vain.
	spec.RestartPolicy, spec.Hostname, spec.Subdomain = corev1.RestartPolicyNever, "", ""
	if spec.SecurityContext == nil {
		spec.SecurityContext = &corev1.PodSecurityContext{FSGroup: ptr.To(usualGroup)}
	}
	if g := r.Change.GPU; g != nil && g.Count > 0 {
		tolerate(spec, g.Resource)
	}
	podLabels := maps.Clone(labels)
	if !r.Sidecar {
		podLabels[injectLabel] = "false"
	}
	out.Job = &batchv1.Job{
		TypeMeta: metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: like.Namespace, Name: name, Labels: labels, Annotations: map[string]string{recordAnnotation: string(written)},
		},
		Spec: batchv1.JobSpec{
			// A program that has failed is not started again: it may have changed its volume.
			BackoffLimit:            ptr.To(int32(0)),
			TTLSecondsAfterFinished: ptr.To(int32(min(r.Keep, maxKeep).Seconds())),
			Template:                corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: podLabels, Annotations: podAnnotations(r.Like)}, Spec: *spec},
		},
	}
	if r.Deadline > 0 {
		out.Job.Spec.ActiveDeadlineSeconds = ptr.To(int64(r.Deadline.Seconds()))
	}
	return out, nil
}

// maxKeep is what the field holds.
const maxKeep = 1<<31*time.Second - time.Second

// abridged is a text that an annotation and a table can hold.
func abridged(s string) string {
	const most = 200
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// podAnnotations are those that the notebook controller would give to the pod.
func podAnnotations(like *unstructured.Unstructured) map[string]string {
	out := map[string]string{}
	for k, v := range like.GetAnnotations() {
		if !strings.Contains(k, "kubectl") && !strings.Contains(k, "notebook") && k != notebooks.StoppedAnnotation {
			out[k] = v
		}
	}
	return out
}

// withoutClaims leaves out the volumes of claims, and where they are mounted.
func withoutClaims(spec *corev1.PodSpec, program *corev1.Container) {
	claims := map[string]bool{}
	spec.Volumes = slices.DeleteFunc(spec.Volumes, func(v corev1.Volume) bool {
		claims[v.Name] = v.PersistentVolumeClaim != nil
		return claims[v.Name]
	})
	gone := func(m corev1.VolumeMount) bool { return claims[m.Name] }
	program.VolumeMounts = slices.DeleteFunc(program.VolumeMounts, gone)
	for i := range spec.InitContainers {
		spec.InitContainers[i].VolumeMounts = slices.DeleteFunc(spec.InitContainers[i].VolumeMounts, gone)
	}
}

// shelf is a directory on a claim that the program can write to, empty where there is none.
func shelf(spec *corev1.PodSpec, program *corev1.Container) string {
	for _, v := range spec.Volumes {
		if v.PersistentVolumeClaim == nil || v.PersistentVolumeClaim.ReadOnly {
			continue
		}
		for _, m := range program.VolumeMounts {
			if m.Name == v.Name && !m.ReadOnly {
				return m.MountPath
			}
		}
	}
	return ""
}

// tolerate lets the pod onto nodes that are tainted with the resource that it asks for, as
// the ExtendedResourceToleration admission plugin would.
func tolerate(spec *corev1.PodSpec, resource string) {
	for _, t := range spec.Tolerations {
		if t.Operator == corev1.TolerationOpExists && (t.Key == resource || t.Key == "") && t.Effect == "" {
			return
		}
	}
	spec.Tolerations = append(spec.Tolerations, corev1.Toleration{Key: resource, Operator: corev1.TolerationOpExists})
}

// recordOf reads what was written down of a run.
func recordOf(j *batchv1.Job) (Record, error) {
	var r Record
	if err := json.Unmarshal([]byte(j.Annotations[recordAnnotation]), &r); err != nil {
		return r, fmt.Errorf("Job %s/%s: annotation %s: %w", j.Namespace, j.Name, recordAnnotation, err)
	}
	return r, nil
}
