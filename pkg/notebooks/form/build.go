package form

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
)

// Request is what a person wants of a notebook; what is not set is as the form proposes it.
type Request struct {
	Namespace, Name string
	// Creator is the person's address.
	Creator string
	Type    notebooks.Type
	// Image is a short name of the form, or any reference.
	Image       string
	CPU, Memory *resource.Quantity
	// GPUs is nil for what the form proposes, which is none as a rule.
	GPUs    *GPURequest
	Volumes []VolumeRequest
	// NoVolume leaves the home without one.
	NoVolume bool
	SHM      *bool
	Env      []corev1.EnvVar
	// Labels ask for PodDefaults; nil leaves those that the form ticks.
	Labels map[string]string
	// Tolerations and Affinity are keys of the form.
	Tolerations, Affinity *string
}

// GPURequest is how many of which resource; zero asks for none.
type GPURequest struct {
	Count    int64
	Resource string
}

// Objects are what is to be created: the claims first, which the notebook mounts.
type Objects struct {
	Claims   []*unstructured.Unstructured
	Notebook *unstructured.Unstructured
	// Mounted are claims that have to be there.
	Mounted []string
}

// All are the objects in the order in which they are created.
func (o *Objects) All() []*unstructured.Unstructured {
	return append(slices.Clone(o.Claims), o.Notebook)
}

// Build makes the objects that the web app makes of its form.
func (f *Form) Build(r Request) (*Objects, error) {
	image, t, err := f.image(r.Image, r.Type)
	if err != nil {
		return nil, err
	}
	resources, err := f.resources(r)
	if err != nil {
		return nil, err
	}
	labels, err := f.labels(r)
	if err != nil {
		return nil, err
	}
	container := map[string]any{
		"name": r.Name, "image": image, "env": environment(r.Env), "resources": resources, "volumeMounts": []any{},
	}
	if policy := f.PullPolicy.Value; policy != "" {
		container["imagePullPolicy"] = policy
	}
	spec := map[string]any{"serviceAccountName": notebooks.Account, "tolerations": []any{}, "volumes": []any{}}
	if err := f.place(r, spec); err != nil {
		return nil, err
	}
	out := &Objects{}
	if err := f.volumes(r, spec, container, out); err != nil {
		return nil, err
	}
	spec["containers"] = []any{container}
	out.Notebook = &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": notebooks.Resource.GroupVersion().String(), "kind": notebooks.Kind.Kind,
		"metadata": map[string]any{"name": r.Name, "namespace": r.Namespace, "labels": labels, "annotations": annotations(r, t)},
		"spec":     map[string]any{"template": map[string]any{"spec": spec}},
	}}
	return out, nil
}

func annotations(r Request, t notebooks.Type) map[string]any {
	out := map[string]any{notebooks.TypeAnnotation: t.Group()}
	if r.Creator != "" {
		out[notebooks.CreatorAnnotation] = r.Creator
	}
	if t == notebooks.Code || t == notebooks.RStudio {
		out[notebooks.RewriteAnnotation] = "/"
	}
	if t == notebooks.RStudio {
		out[notebooks.HeadersAnnotation] = fmt.Sprintf(`{"X-RStudio-Root-Path":%q}`, notebooks.Path(r.Namespace, r.Name))
	}
	return out
}

func environment(vars []corev1.EnvVar) []any {
	out := []any{}
	for _, v := range vars {
		out = append(out, map[string]any{"name": v.Name, "value": v.Value})
	}
	return out
}

func (f *Form) labels(r Request) (map[string]any, error) {
	out := map[string]any{"app": r.Name}
	wanted := r.Labels
	switch {
	case wanted == nil:
		wanted = map[string]string{}
		for _, l := range f.Configurations.Value {
			wanted[l] = "true"
		}
	case f.Configurations.ReadOnly:
		return nil, refuse("config", "the cluster's form makes configurations read-only")
	}
	for k, v := range wanted {
		out[k] = v
	}
	return out, nil
}

// resources are requests and limits, in the words of the web app.
func (f *Form) resources(r Request) (map[string]any, error) {
	requests, limits := map[string]any{}, map[string]any{}
	for _, s := range []struct {
		field string
		size  Size
		asked *resource.Quantity
		unit  string
		scale float64
	}{
		{"cpu", f.CPU, r.CPU, "", 1},
		{"memory", f.Memory, r.Memory, "Gi", 1 << 30},
	} {
		amount, err := s.size.amount(s.field, s.asked, s.scale)
		if err != nil {
			return nil, err
		}
		requests[s.field] = decimal(amount) + s.unit
		limit, err := s.size.limit(s.field, amount)
		if err != nil {
			return nil, err
		}
		if limit != "" {
			limits[s.field] = limit + s.unit
		}
	}
	gpus, err := f.gpus(r)
	if err != nil {
		return nil, err
	}
	if gpus.Count > 0 {
		limits[gpus.Resource] = strconv.FormatInt(gpus.Count, 10)
	}
	return map[string]any{"requests": requests, "limits": limits}, nil
}

// amount is what is requested, in cores or Gi.
func (s Size) amount(field string, asked *resource.Quantity, scale float64) (float64, error) {
	if asked == nil {
		q, err := resource.ParseQuantity(string(s.Value))
		if err != nil {
			return 0, refuse(field, "the cluster's form has the default %q, which is not a quantity: specify one", s.Value)
		}
		return q.AsApproximateFloat64() / scale, nil
	}
	if s.ReadOnly {
		return 0, refuse(field, "the cluster's form makes it read-only: %s", s.Value)
	}
	return asked.AsApproximateFloat64() / scale, nil
}

// limit of an amount as the web app calculates it, with one digit; with more where that
// would be below what is requested, which the API server refuses.
func (s Size) limit(field string, amount float64) (string, error) {
	if s.LimitFactor == "none" || s.LimitFactor == "" {
		return "", nil
	}
	factor, err := strconv.ParseFloat(string(s.LimitFactor), 64)
	if err != nil {
		return "", refuse(field, "the cluster's form has the limitFactor %q, which is not a number", s.LimitFactor)
	}
	limit := strconv.FormatFloat(amount*factor, 'f', 1, 64)
	if rounded, _ := strconv.ParseFloat(limit, 64); rounded < amount {
		limit = decimal(max(amount, amount*factor))
	}
	return limit, nil
}

// decimal writes a number with as many digits as it needs, three at most: what is smaller
// nobody measures.
func decimal(f float64) string {
	return strconv.FormatFloat(math.Ceil(f*1000-1e-6)/1000, 'f', -1, 64)
}

func (f *Form) gpus(r Request) (GPURequest, error) {
	if r.GPUs == nil {
		n, _ := strconv.ParseInt(string(f.GPUs.Value.Num), 10, 64) // "none" is none
		return GPURequest{n, f.GPUs.Value.Vendor}, nil
	}
	if f.GPUs.ReadOnly {
		return GPURequest{}, refuse("gpu", "the cluster's form makes it read-only")
	}
	g := *r.GPUs
	if g.Count > 0 && g.Resource == "" {
		return g, refuse("gpu", "the resource is missing: write %d:RESOURCE, such as %d:nvidia.com/gpu", g.Count, g.Count)
	}
	return g, nil
}

// GPUResource is the resource of GPUs that a name means: a resource itself, what the form
// calls a vendor, or, without a name, the one that there is no choice about. offered are
// the resources that the nodes have, nil where that is not known.
func (f *Form) GPUResource(name string, offered []string) (string, error) {
	if name != "" {
		found := f.vendor(name)
		if !strings.Contains(found, "/") {
			return "", refuse("gpu", "%q is not a GPU resource: %s", name, f.kinds(offered))
		}
		return found, nil
	}
	if v := f.GPUs.Value.Vendor; v != "" {
		return v, nil
	}
	candidates := offered
	if offered == nil {
		for _, v := range f.GPUs.Value.Vendors {
			candidates = append(candidates, v.Resource)
		}
	}
	switch len(candidates) {
	case 0:
		return "", refuse("gpu", "no node has a GPU")
	case 1:
		return candidates[0], nil
	}
	// Whole GPUs are what people mean who say no more than how many.
	whole := slices.DeleteFunc(slices.Clone(candidates), func(c string) bool { return c != "nvidia.com/gpu" && c != "amd.com/gpu" })
	if len(whole) == 1 && offered != nil {
		return whole[0], nil
	}
	return "", refuse("gpu", "there are several GPU resources, write COUNT:RESOURCE: %s", f.kinds(offered))
}

func (f *Form) kinds(offered []string) string {
	if offered != nil {
		if len(offered) == 0 {
			return "no node has any"
		}
		return "the nodes have " + strings.Join(offered, ", ")
	}
	var names []string
	for _, v := range f.GPUs.Value.Vendors {
		names = append(names, v.Resource)
	}
	return "the form has " + strings.Join(names, ", ")
}

// place sets tolerations and affinity.
func (f *Form) place(r Request, spec map[string]any) error {
	group, err := chosen("toleration-group", f.Tolerations, r.Tolerations, func(t Tolerations) string { return t.Key })
	if err != nil {
		return err
	}
	if group != nil {
		spec["tolerations"] = runtime.DeepCopyJSONValue(group.Tolerations)
	}
	affinity, err := chosen("affinity", f.Affinity, r.Affinity, func(a Affinity) string { return a.Key })
	if err != nil {
		return err
	}
	if affinity != nil {
		spec["affinity"] = runtime.DeepCopyJSON(affinity.Affinity)
	}
	return nil
}

// chosen is the option with the key that a person gave, or that the form proposes; none
// where nobody chooses one.
func chosen[T any](field string, c Choice[T], asked *string, key func(T) string) (*T, error) {
	want := c.Value
	if asked != nil {
		if c.ReadOnly && *asked != c.Value {
			return nil, refuse(field, "the cluster's form makes it read-only: %q", c.Value)
		}
		want = *asked
	}
	if want == "" || want == "none" {
		return nil, nil
	}
	var keys []string
	for i := range c.Options {
		if key(c.Options[i]) == want {
			return &c.Options[i], nil
		}
		keys = append(keys, key(c.Options[i]))
	}
	if asked == nil {
		return nil, nil // the web app passes over a proposal that it has not
	}
	if len(keys) == 0 {
		return nil, refuse(field, "%q is not in the form, which has none", want)
	}
	return nil, refuse(field, "%q is not in the form: choose from %s", want, strings.Join(keys, ", "))
}

// reference of an image: registry, path, tag and digest.
var reference = regexp.MustCompile(`^([a-zA-Z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._/-]+[a-z0-9]+)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$`)

func validImage(image string) bool { return reference.MatchString(image) }
