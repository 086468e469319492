package diagnose

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

func TestOnlyAClaimThatExistsHasWaitedForItsVolume(t *testing.T) {
	now, class := metav1.Now(), "standard"
	for name, tt := range map[string]struct {
		created metav1.Time
		want    report.Severity
	}{
		"one that is about to be created": {metav1.Time{}, report.Delay},
		"one that was created just now":   {now, report.Delay},
		"one of yesterday":                {metav1.NewTime(now.Add(-24 * time.Hour)), report.Error},
	} {
		t.Run(name, func(t *testing.T) {
			claim := corev1.PersistentVolumeClaim{
				ObjectMeta: metav1.ObjectMeta{Namespace: "ada", Name: "lab-workspace", CreationTimestamp: tt.created},
				Spec:       corev1.PersistentVolumeClaimSpec{StorageClassName: &class},
				Status:     corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimPending},
			}
			s := &Snapshot{
				Time: now, Claims: []corev1.PersistentVolumeClaim{claim}, Read: []string{"storageclasses", "persistentvolumeclaims ada"},
				Classes: []storagev1.StorageClass{{ObjectMeta: metav1.ObjectMeta{Name: class}, Provisioner: "example.com/disk"}},
			}
			causes := Classify(s, []Subject{{Ref: report.Ref{Kind: "PersistentVolumeClaim", Namespace: "ada", Name: "lab-workspace"}}})
			if len(causes) != 1 || causes[0].Name != VolumePending || causes[0].Severity != tt.want {
				t.Errorf("causes = %+v, want %s of severity %s", causes, VolumePending, tt.want)
			}
		})
	}
}
