package components

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Needed lists the images of the workloads, in the order in which an installation waits for
// them: early those of workloads that nothing holds up, first of components whose gates others
// wait for, the most awaited one first and what its gate asks before the rest of it; late those
// of workloads alone that wait for a gate. Lacks tells whether a workload's image may be
// missing on the nodes; the sidecar's is asked for in the name of the workload that gets it.
func Needed(rendered []Rendered, o Options, lacks func(workload *unstructured.Unstructured, image string) bool) (early, late []string, err error) {
	requests, err := Requests(rendered)
	if err != nil {
		return nil, nil, err
	}
	sidecars := map[string]bool{}
	for _, p := range requests.Pods {
		sidecars[p.Kind+"/"+p.Namespace+"/"+p.Name] = p.Sidecar
	}
	ordered := slices.Clone(rendered)
	awaited := awaitedBy(rendered)
	slices.SortStableFunc(ordered, func(a, b Rendered) int {
		return cmp.Or(cmp.Compare(awaited[b.Component.Name], awaited[a.Component.Name]), cmp.Compare(waits(a.Component), waits(b.Component)))
	})
	injects := injectedImages(rendered, o)
	for _, r := range ordered {
		list := &early
		if waits(r.Component) > 0 {
			list = &late
		}
		add := func(u *unstructured.Unstructured, image string) {
			if !slices.Contains(early, image) && !slices.Contains(late, image) && lacks(u, image) {
				*list = append(*list, image)
			}
		}
		for _, u := range gateFirst(r) {
			injected := sidecars[u.GetKind()+"/"+u.GetNamespace()+"/"+u.GetName()]
			eachContainer(u, func(c map[string]any) {
				switch image, _ := c["image"].(string); image {
				case "":
				case "auto":
					injected = true
				default:
					add(u, image)
				}
			})
			if injected {
				for _, image := range injects {
					add(u, image)
				}
			}
		}
	}
	return early, late, nil
}

// awaitedBy counts for each component the others whose workloads wait for its gates.
func awaitedBy(rendered []Rendered) map[string]int {
	gated, out := map[string]bool{}, map[string]int{}
	for _, r := range rendered {
		gated[r.Component.Name] = len(r.Component.Gates) > 0
	}
	for _, r := range rendered {
		if !slices.ContainsFunc(r.Objects, func(u *unstructured.Unstructured) bool { return slices.Contains(WorkloadKinds, u.GetKind()) }) {
			continue
		}
		for _, n := range r.Component.Needs {
			if gated[n.Component] && n.proven() && slices.ContainsFunc(WorkloadKinds, n.Gates) {
				out[n.Component]++
			}
		}
	}
	return out
}

// proven tells of a condition that a gate proves, which takes programs that run.
func (n Need) proven() bool { return n.Condition == Admission || n.Condition == Injection }

// waits is 1 for a component whose workloads wait for the programs of another one.
func waits(c *Component) int {
	if slices.ContainsFunc(c.Needs, func(n Need) bool { return n.proven() && slices.ContainsFunc(WorkloadKinds, n.Gates) }) {
		return 1
	}
	return 0
}

// gateFirst are the objects of a component, what its gates ask before the others.
func gateFirst(r Rendered) []*unstructured.Unstructured {
	asked := func(u *unstructured.Unstructured) int {
		name := u.GetNamespace() + "/" + u.GetName()
		if slices.ContainsFunc(r.Component.Gates, func(g Gate) bool {
			return u.GetKind() == "Deployment" && g.Workload == name || u.GetKind() == "DaemonSet" && g.Agent == name
		}) {
			return 0
		}
		return 1
	}
	out := slices.Clone(r.Objects)
	slices.SortStableFunc(out, func(a, b *unstructured.Unstructured) int { return cmp.Compare(asked(a), asked(b)) })
	return out
}

// injectedImages are those that the sidecar injector puts into pods.
func injectedImages(rendered []Rendered, o Options) []string {
	var out []string
	for _, r := range rendered {
		if r.Component.Gate(Injection) == nil {
			continue
		}
		for _, ref := range r.Component.ConfigImages {
			out = append(out, o.image(ref))
		}
	}
	return out
}
