package notebooks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

func TestTheNamespaceIsTheOneThatAPersonMeans(t *testing.T) {
	forbidden := apierrors.NewForbidden(corev1.Resource("namespaces"), "", errors.New("no"))
	many := func() (all []string) {
		for i := range 12 {
			all = append(all, fmt.Sprintf("p%02d", i))
		}
		return all
	}()
	for name, tc := range map[string]struct {
		given, current string
		profiles       []string
		mayUse         []string
		blind          error // of reading namespaces
		want, says     string
	}{
		"the one that was given":                      {given: "x", current: "ada", profiles: []string{"ada"}, want: "x"},
		"that of the context, if it is a Profile's":   {current: "ada", profiles: []string{"ada", "bob"}, mayUse: []string{"bob"}, want: "ada"},
		"the only one that the user may use":          {current: "default", profiles: []string{"bob", "ada"}, mayUse: []string{"ada"}, want: "ada"},
		"nobody chooses between two":                  {current: "default", profiles: []string{"bob", "ada"}, mayUse: []string{"ada", "bob"}, says: "you can use ada, bob"},
		"of many, ten are named":                      {current: "default", profiles: many, mayUse: many, says: "p09 and 2 more"},
		"without a Profile there is none":             {current: "default", says: "no Profiles"},
		"without rights there is none":                {current: "default", profiles: []string{"ada"}, says: "request permission"},
		"who may not list namespaces has to give one": {current: "default", blind: forbidden, says: "specify the namespace with -n"},
		"a cluster that does not answer is an error":  {current: "default", blind: errors.New("timeout"), says: "timeout"},
		"a context without a namespace has no say":    {current: "", profiles: []string{"ada"}, mayUse: []string{"ada"}, want: "ada"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := chooser{
				profile: func(_ context.Context, n string) (bool, error) { return slices.Contains(tc.profiles, n), tc.blind },
				list:    func(context.Context) ([]string, error) { return slices.Clone(tc.profiles), tc.blind },
				may:     func(_ context.Context, n string) (bool, error) { return slices.Contains(tc.mayUse, n), nil },
			}.choose(t.Context(), tc.given, tc.current)
			if got != tc.want || (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %q, %v; want %q, %q", got, err, tc.want, tc.says)
			}
		})
	}
}
