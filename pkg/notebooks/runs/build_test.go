package runs

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/edits"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/form"
)

const lab = `
apiVersion: kubeflow.org/v1
kind: Notebook
metadata:
  name: lab
  namespace: ada
  labels: {app: lab, access-ml-pipeline: "true", kueue.x-k8s.io/queue-name: gpus}
  annotations: {notebooks.kubeflow.org/server-type: jupyter, kubeflow-resource-stopped: "2026-11-01T00:00:00Z", team: vision}
spec:
  template:
    spec:
      serviceAccountName: default-editor
      tolerations: [{key: team, operator: Exists}]
      initContainers: [{name: prepare, image: prepare:1, volumeMounts: [{name: home, mountPath: /home/jovyan}]}]
      containers:
      - name: lab
        image: scipy:1
        env: [{name: HF_HOME, value: /data/hf}]
        ports: [{containerPort: 8888}]
        readinessProbe: {httpGet: {path: /, port: 8888}}
        resources: {requests: {cpu: "1", memory: 2Gi}, limits: {memory: 2Gi, nvidia.com/gpu: "1"}}
        volumeMounts: [{name: dshm, mountPath: /dev/shm}, {name: home, mountPath: /home/jovyan}]
      - {name: helper, image: helper:1}
      volumes:
      - {name: dshm, emptyDir: {medium: Memory}}
      - {name: home, persistentVolumeClaim: {claimName: lab-workspace}}
`

func notebook(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(lab), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

func build(t *testing.T, change ...func(*Request)) *Objects {
	t.Helper()
	p, err := NewProgram("train.ipynb", []byte(train), nil)
	if err != nil {
		t.Fatal(err)
	}
	r := Request{Program: p, Like: notebook(t), Keep: 24 * time.Hour}
	for _, c := range change {
		c(&r)
	}
	o, err := Build(r)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestARunHasWhatItsNotebookHas(t *testing.T) {
	o := build(t)
	pod := o.Pod()
	spec, c := pod.Spec, pod.Spec.Containers[0]
	for what, ok := range map[string]bool{
		"a name that begins like the notebook's": strings.HasPrefix(o.Job.Name, "lab-run-") && o.Job.Namespace == "ada",
		"the image":                              c.Image == "scipy:1",
		"the account":                            spec.ServiceAccountName == "default-editor",
		"the variables":                          len(c.Env) == 1 && c.Env[0].Name == "HF_HOME",
		"the hardware":                           c.Resources.Limits.Name("nvidia.com/gpu", resource.DecimalSI).Value() == 1 && c.Resources.Requests.Memory().String() == "2Gi",
		"the tolerations":                        len(spec.Tolerations) == 1 && spec.Tolerations[0].Key == "team",
		"the init containers":                    len(spec.InitContainers) == 1,
		"the volumes, and one for its files":     len(spec.Volumes) == 3 && len(c.VolumeMounts) == 3 && spec.Volumes[1].PersistentVolumeClaim.ClaimName == "lab-workspace",
		"the labels that ask for PodDefaults":    pod.Labels["access-ml-pipeline"] == "true" && o.Job.Labels["kueue.x-k8s.io/queue-name"] == "gpus",
		"the notebook's own annotations":         len(o.Job.Spec.Template.Annotations) == 1 && o.Job.Spec.Template.Annotations["team"] == "vision",
		"the directory and the group that the controller gives": c.WorkingDir == "/home/jovyan" && *spec.SecurityContext.FSGroup == 100,
		"one try, an end, and time to look at it":               *o.Job.Spec.BackoffLimit == 0 && spec.RestartPolicy == corev1.RestartPolicyNever && *o.Job.Spec.TTLSecondsAfterFinished == 86400,
	} {
		if !ok {
			t.Errorf("it does not have %s: %+v", what, o.Job)
		}
	}
	if !slices.Equal(o.Left, []string{"helper"}) || len(spec.Containers) != 1 {
		t.Errorf("left out %v of %d containers: want helper", o.Left, len(spec.Containers))
	}
	if o.Files == nil || o.Files.Name != o.Job.Name || len(o.Files.BinaryData) != 2 || spec.Volumes[2].ConfigMap.Name != o.Files.Name {
		t.Errorf("files %v: want the notebook and its driver, mounted", o.Files)
	}
}

func TestARunIsNotTakenForItsNotebook(t *testing.T) {
	pod := build(t).Pod()
	for _, label := range []string{"app", "statefulset", "notebook-name"} {
		if v, has := pod.Labels[label]; has {
			t.Errorf("its pod has the label %s=%s: it would get the notebook's requests", label, v)
		}
	}
	if c := pod.Spec.Containers[0]; c.Ports != nil || c.ReadinessProbe != nil {
		t.Errorf("its container has ports %v and the probe %v: it serves nothing", c.Ports, c.ReadinessProbe)
	}
	if pod.Labels[LikeLabel] != "lab" {
		t.Errorf("labels %v: want the notebook that it is like", pod.Labels)
	}
}

func TestARunEndsThoughTheMeshInjects(t *testing.T) {
	if got := build(t).Pod().Labels[injectLabel]; got != "false" {
		t.Errorf("%s is %q, want false: the pod would not end before its sidecar", injectLabel, got)
	}
	if got, has := build(t, func(r *Request) { r.Sidecar = true }).Pod().Labels[injectLabel]; has {
		t.Errorf("%s is %q, want it to be the mesh's choice", injectLabel, got)
	}
}

func TestARunMayHaveOtherHardware(t *testing.T) {
	pod := build(t, func(r *Request) {
		memory := resource.MustParse("64Gi")
		r.Change = edits.Change{Memory: &memory, GPU: &form.GPURequest{Count: 2, Resource: "nvidia.com/mig-1g.10gb"}, Image: "torch:2"}
		r.Deadline = time.Hour
	}).Pod()
	c := pod.Spec.Containers[0]
	limits := c.Resources.Limits
	if gpus := limits["nvidia.com/mig-1g.10gb"]; gpus.Value() != 2 || limits.Memory().String() != "64Gi" || c.Image != "torch:2" {
		t.Errorf("limits %v, image %s: want two slices, 64Gi, torch:2", limits, c.Image)
	}
	if _, has := limits["nvidia.com/gpu"]; has {
		t.Errorf("limits %v: want none of the notebook's GPUs", limits)
	}
	if got := pod.Spec.Tolerations; len(got) != 2 || got[1].Key != "nvidia.com/mig-1g.10gb" {
		t.Errorf("tolerations %v: want one of the taint that is named like the resource", got)
	}
}

func TestARunWithoutVolumesKeepsWhatIsNoClaim(t *testing.T) {
	pod := build(t, func(r *Request) { r.NoVolumes = true }).Pod()
	if n := len(pod.Spec.Volumes); n != 2 || len(pod.Spec.Containers[0].VolumeMounts) != 2 || len(pod.Spec.InitContainers[0].VolumeMounts) != 0 {
		t.Errorf("volumes %v: want shared memory and the files", pod.Spec.Volumes)
	}
	if got := pod.Spec.Containers[0].Command[5]; got != "" {
		t.Errorf("a notebook that is too large would be left at %q, which is no volume", got)
	}
}

func TestTwoRunsOfOneNotebookHaveTwoNamesAndTwoMarks(t *testing.T) {
	a, b := build(t), build(t)
	first, err := recordOf(a.Job)
	if err != nil {
		t.Fatal(err)
	}
	second, err := recordOf(b.Job)
	if err != nil {
		t.Fatal(err)
	}
	if a.Job.Name == b.Job.Name || first.Mark == second.Mark || first.Mark == "" || first.Program != "train.ipynb" {
		t.Errorf("%s %+v and %s %+v: want them to differ", a.Job.Name, first, b.Job.Name, second)
	}
}
