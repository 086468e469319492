package rollout

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestWhatIsMarkedGoesBeforeAnythingIsSent(t *testing.T) {
	marked := func(name, mark string) member {
		m := member{key: key{"networking.istio.io", "EnvoyFilter", "istio-system", name}, meta: &metav1.PartialObjectMetadata{}}
		if mark != "" {
			m.meta.Annotations = map[string]string{GoesFirstAnnotation: mark}
		}
		return m
	}
	got := goFirst([]member{marked("redirect", "true"), marked("other", ""), marked("not", "false")})
	if len(got) != 1 || got[0].key.name != "redirect" {
		t.Errorf("first to go are %v, want the redirect alone", got)
	}
}
