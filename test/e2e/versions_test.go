//go:build e2e || e2e_real

package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

const memberSelector = "applyset.kubernetes.io/part-of"

// versions maps every object that a selector finds to its resourceVersion. An autoscaler's
// moves whenever its controller looks, so its generation stands for it.
func (b *bed) versions(selector string) map[string]string {
	b.t.Helper()
	kinds := strings.Fields(b.kubectl("api-resources", "--verbs=list", "-o", "name"))
	kinds = slices.DeleteFunc(kinds, func(k string) bool {
		return k == "events" || k == "events.events.k8s.io" || strings.HasSuffix(k, "metrics.k8s.io") || k == "componentstatuses"
	})
	args := []string{"get", strings.Join(kinds, ","), "-A", "-o", "json", "--ignore-not-found"}
	if selector != "" {
		args = append(args, "-l", selector)
	}
	var list struct {
		Items []struct {
			APIVersion string
			Kind       string
			Metadata   struct {
				Namespace, Name, ResourceVersion string
				Generation                       int
			}
		}
	}
	if text := b.kubectl(args...); text != "" {
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			b.t.Fatal(err)
		}
	}
	out := map[string]string{}
	for _, i := range list.Items {
		version := i.Metadata.ResourceVersion
		if i.Kind == "HorizontalPodAutoscaler" {
			version = fmt.Sprint("generation ", i.Metadata.Generation)
		}
		out[i.Kind+"."+i.APIVersion+" "+i.Metadata.Namespace+"/"+i.Metadata.Name] = version
	}
	return out
}

// compareVersions fails the test for whatever has changed between two looks; events, leases and what controllers keep
// writing are not counted.
func compareVersions(t *testing.T, was, is map[string]string) {
	t.Helper()
	quiet := func(name string) bool {
		return slices.ContainsFunc([]string{"Event.", "Lease.", "Node.", "EndpointSlice.", "Endpoints."}, func(p string) bool { return strings.HasPrefix(name, p) })
	}
	for name, version := range was {
		if is[name] != version && !quiet(name) {
			t.Errorf("%s changed from %s to %q", name, version, is[name])
		}
	}
	for name := range is {
		if _, ok := was[name]; !ok && !quiet(name) {
			t.Errorf("%s is new", name)
		}
	}
}
