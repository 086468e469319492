package enforcer

import (
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestEveryWebhookPassesOverThePlatformsNamespaces(t *testing.T) {
	configuration := func(annotations map[string]string, own ...metav1.LabelSelectorRequirement) *admissionv1.MutatingWebhookConfiguration {
		return &admissionv1.MutatingWebhookConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: "c", Annotations: annotations},
			Webhooks:   []admissionv1.MutatingWebhook{{Name: "a"}, {Name: "b", NamespaceSelector: &metav1.LabelSelector{MatchExpressions: own}}},
		}
	}
	own := metav1.LabelSelectorRequirement{Key: "istio-injection", Operator: metav1.LabelSelectorOpIn, Values: []string{"enabled"}}
	for name, tc := range map[string]struct {
		configuration *admissionv1.MutatingWebhookConfiguration
		writes        int
		a, b          int
	}{
		"what is there stays":             {configuration(nil, own), 1, 2, 3},
		"a configuration that is excused": {configuration(map[string]string{Disabled: "true"}, own), 0, 0, 1},
		"an excuse that is none":          {configuration(map[string]string{Disabled: "false"}), 1, 2, 2},
	} {
		t.Run(name, func(t *testing.T) {
			client := fake.NewClientset(tc.configuration)
			// The second time there is nothing to do.
			for range 2 {
				c, err := client.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(t.Context(), "c", metav1.GetOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if err := enforce(t.Context(), client, []*admissionv1.MutatingWebhookConfiguration{c}, nil); err != nil {
					t.Fatal(err)
				}
			}
			writes := 0
			for _, a := range client.Actions() {
				if a.GetVerb() == "update" {
					writes++
				}
			}
			if writes != tc.writes {
				t.Errorf("%d writes, want %d", writes, tc.writes)
			}
			c, err := client.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(t.Context(), "c", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range []int{tc.a, tc.b} {
				got := 0
				if s := c.Webhooks[i].NamespaceSelector; s != nil {
					got = len(s.MatchExpressions)
				}
				if got != want {
					t.Errorf("webhook %s has %d expressions, want %d", c.Webhooks[i].Name, got, want)
				}
			}
		})
	}
}
