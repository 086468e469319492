package lifecycle

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
)

func mounting(name string, claims ...string) notebooks.Notebook {
	n := notebooks.Notebook{Namespace: "ada", Name: name}
	for _, c := range claims {
		n.Spec.Volumes = append(n.Spec.Volumes, corev1.Volume{VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: c}}})
	}
	return n
}

func TestVolumesThatOthersMountAreKept(t *testing.T) {
	list := &notebooks.List{Notebooks: []notebooks.Notebook{mounting("lab", "home", "data"), mounting("twin", "data", "twins"), mounting("other", "data")}}
	for name, tc := range map[string]struct {
		names   []string
		volumes bool
		lost    []string
		says    string
	}{
		"without the flag all stay":                   {[]string{"lab"}, false, nil, "Kept: volumes data, home, with all files"},
		"one that another notebook mounts stays":      {[]string{"lab"}, true, []string{"home"}, "Kept: volume data, which is also mounted by other, twin"},
		"one that only those mount that go, goes too": {[]string{"lab", "twin", "other"}, true, []string{"home", "data", "twins"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := &DeleteOptions{options: options{Names: tc.names}, Volumes: tc.volumes}
			all, err := list.Find("ada", tc.names)
			if err != nil {
				t.Fatal(err)
			}
			lost, kept := o.claims(list, all)
			if !slices.Equal(lost, tc.lost) || !strings.Contains(strings.Join(kept, "\n"), tc.says) {
				t.Errorf("lost %q, said %q", lost, kept)
			}
		})
	}
}

func TestOnlyWhatIsNotSoYetIsChanged(t *testing.T) {
	var out bytes.Buffer
	o := &options{base: &plugin.Base{IOStreams: genericiooptions.IOStreams{Out: &out}}}
	on, off := &notebooks.Notebook{Name: "on"}, &notebooks.Notebook{Name: "off", Stopped: time.Unix(1, 0)}
	todo, err := o.split([]*notebooks.Notebook{on, off}, func(n *notebooks.Notebook) bool { return !n.Stopped.IsZero() }, "is already stopped")
	if err != nil || len(todo) != 1 || todo[0] != on || out.String() != "notebook.kubeflow.org/off is already stopped\n" {
		t.Errorf("%v, %v, %q", todo, err, out.String())
	}
	if _, err := o.split([]*notebooks.Notebook{{Namespace: "ada", Name: "gone", State: notebooks.Deleting}}, func(*notebooks.Notebook) bool { return false }, ""); err == nil || !strings.Contains(err.Error(), "is being deleted") {
		t.Error(err)
	}
}
