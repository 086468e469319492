package list

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func class() *notebooks.List {
	home := corev1.PodSpec{Volumes: []corev1.Volume{{VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "lab-workspace"}}}}}
	return &notebooks.List{Time: noon, Notebooks: []notebooks.Notebook{
		{
			Namespace: "ada", Name: "lab", Type: notebooks.Jupyter, Image: "ghcr.io/kubeflow/jupyter-scipy:v1", State: notebooks.Running, Creator: "ada@example.com", Node: "gpu-0",
			GPUs: map[string]int64{"nvidia.com/gpu": 2}, Created: noon.Add(-25 * time.Hour), Annotations: map[string]string{notebooks.ActivityAnnotation: "2026-11-27T09:00:00Z"}, Spec: home,
		},
		{
			Namespace: "bob", Name: "vision", Type: notebooks.Code, Image: "code:1", State: notebooks.Failed, Created: noon.Add(-time.Minute),
			Cause: &report.Cause{Name: diagnose.QuotaExceeded, Severity: report.Error, Summary: "quota small of namespace bob is used up"},
		},
		{Namespace: "bob", Name: "old", Type: notebooks.RStudio, Image: "r:1", State: notebooks.Stopped, Created: noon.Add(-48 * time.Hour), Stopped: noon.Add(-time.Hour)},
		{Namespace: "bob", Name: "plain", Type: notebooks.Jupyter, Image: "p:1", State: notebooks.Running, Created: noon.Add(-48 * time.Hour)},
	}}
}

func TestTheListShowsStatesWithTheirCauses(t *testing.T) {
	for name, tc := range map[string]struct {
		all, wide bool
		want      string
	}{
		"of one namespace": {want: `NAME     TYPE      IMAGE           STATE     CAUSE           GPU                AGE   IDLE
lab      jupyter   jupyter-scipy   Running   -               nvidia.com/gpu:2   25h   3h
vision   code      code            Failed    QuotaExceeded   -                  60s   -
old      rstudio   r               Stopped   -               -                  2d    -
plain    jupyter   p               Running   -               -                  2d    <unknown>
`},
		"of all, wide": {all: true, wide: true, want: `NAMESPACE   NAME     TYPE      IMAGE                               STATE     CAUSE           GPU                AGE   IDLE        CREATOR           NODE    VOLUMES         WHY
ada         lab      jupyter   ghcr.io/kubeflow/jupyter-scipy:v1   Running   -               nvidia.com/gpu:2   25h   3h          ada@example.com   gpu-0   lab-workspace   -
bob         vision   code      code:1                              Failed    QuotaExceeded   -                  60s   -           -                 -       -               quota small of namespace bob is used up
bob         old      rstudio   r:1                                 Stopped   -               -                  2d    -           -                 -       -               -
bob         plain    jupyter   p:1                                 Running   -               -                  2d    <unknown>   -                 -       -               -
`},
	} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			if err := grid(class(), tc.all, tc.wide).Print(&b, view.GridOptions{}); err != nil {
				t.Fatal(err)
			}
			if b.String() != tc.want {
				t.Errorf("got\n%swant\n%s", b.String(), tc.want)
			}
		})
	}
}

func TestCSVIsInBaseUnits(t *testing.T) {
	var b strings.Builder
	all := rows(class())
	if err := view.CSV(&b, all[0], all[1:3]); err != nil {
		t.Fatal(err)
	}
	const want = `namespace,name,type,image,state,cause,why,gpus,creator,node,volumes,created,stopped,last_activity,idle_seconds
ada,lab,jupyter,ghcr.io/kubeflow/jupyter-scipy:v1,Running,,,nvidia.com/gpu:2,ada@example.com,gpu-0,lab-workspace,2026-11-26T11:00:00Z,,2026-11-27T09:00:00Z,10800
bob,vision,code,code:1,Failed,QuotaExceeded,quota small of namespace bob is used up,,,,,2026-11-27T11:59:00Z,,,
`
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

func TestAnEmptyNamespaceIsSaidToBeOne(t *testing.T) {
	if p := face(&notebooks.List{}, "ada").Problems; len(p) != 1 || p[0] != "no notebooks found in namespace ada: use -A for all namespaces" {
		t.Errorf("%q", p)
	}
	if p := face(&notebooks.List{}, "").Problems; len(p) != 1 || p[0] != "no notebooks found" {
		t.Errorf("%q", p)
	}
	if names := face(class(), "").Names(); names[0] != "notebook.kubeflow.org/lab" {
		t.Errorf("%q", names)
	}
}
