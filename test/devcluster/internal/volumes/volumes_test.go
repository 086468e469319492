package volumes

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/utils/ptr"
)

func TestMissing(t *testing.T) {
	there := func(kind, namespace, name string) string {
		if name == "there" {
			return ""
		}
		return kind + " " + namespace + "/" + name
	}
	volume := func(s corev1.VolumeSource) corev1.PodSpec {
		return corev1.PodSpec{Volumes: []corev1.Volume{{Name: "v", VolumeSource: s}}}
	}
	secret := func(name string, optional bool) corev1.VolumeSource {
		return corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: name, Optional: ptr.To(optional)}}
	}
	for name, tc := range map[string]struct {
		spec corev1.PodSpec
		want string
	}{
		"nothing is asked for":           {corev1.PodSpec{}, ""},
		"a secret that is there":         {volume(secret("there", false)), ""},
		"a secret that is not":           {volume(secret("gone", false)), "secret ns/gone"},
		"a secret that may be":           {volume(secret("gone", true)), ""},
		"a config map":                   {volume(corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "gone"}}}), "configmap ns/gone"},
		"a claim":                        {volume(corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "gone"}}), "claim ns/gone"},
		"a claim of the pod":             {volume(corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{}}), "claim ns/p-v"},
		"a part of a projection":         {volume(corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{Secret: &corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "gone"}}}}}}), "secret ns/gone"},
		"a variable":                     {corev1.PodSpec{Containers: []corev1.Container{{Env: []corev1.EnvVar{{ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "gone"}}}}}}}}, "secret ns/gone"},
		"variables of an init container": {corev1.PodSpec{InitContainers: []corev1.Container{{EnvFrom: []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "gone"}}}}}}}, "configmap ns/gone"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p"}, Spec: tc.spec}
			if got := Missing(p, there); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestAPodMayStartOnceItsSecretIsThereAndAClaimGetsAVolume(t *testing.T) {
	class := &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "simulated"}, Provisioner: "test"}
	client := fake.NewClientset(class,
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "cpu-0", Annotations: map[string]string{"kwok.x-k8s.io/node": "fake"}}},
		&corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p", UID: "1"},
			Spec:       corev1.PodSpec{NodeName: "cpu-0", Volumes: []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "late"}}}}},
			Status:     corev1.PodStatus{PodIP: "10.244.0.1"},
		},
		&corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "data", UID: "7"},
			Spec:       corev1.PersistentVolumeClaimSpec{StorageClassName: ptr.To("simulated")},
		},
	)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	pods, err := client.CoreV1().Pods("ns").Watch(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	volumes, err := client.CoreV1().PersistentVolumes().Watch(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- Run(ctx, client, "test") }()

	select {
	case e := <-volumes.ResultChan():
		pv := e.Object.(*corev1.PersistentVolume)
		if pv.Name != "pvc-7" || pv.Spec.ClaimRef == nil || pv.Spec.ClaimRef.Name != "data" {
			t.Errorf("volume %+v", pv)
		}
	case <-ctx.Done():
		t.Fatal("the claim got no volume")
	}
	if p, err := client.CoreV1().Pods("ns").Get(ctx, "p", metav1.GetOptions{}); err != nil || started(p) {
		t.Fatalf("the pod may start without its secret (%v)", err)
	}
	if _, err := client.CoreV1().Secrets("ns").Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "late"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for {
		select {
		case e := <-pods.ResultChan():
			if started(e.Object.(*corev1.Pod)) {
				cancel()
				<-done
				return
			}
		case <-ctx.Done():
			t.Fatal("the pod may not start although its secret is there")
		}
	}
}
