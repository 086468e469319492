// Package edits changes what a notebook asks for: it stops it, writes the new values,
// starts it, and puts the old values back when it does not start with the new ones.
package edits

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/form"
)

// Change is what is to be different; what is not set stays.
type Change struct {
	Image       string
	CPU, Memory *resource.Quantity
	// GPU takes the place of all devices; a count of zero leaves none.
	GPU *form.GPURequest
	Env []EnvChange
}

// EnvChange sets a variable, or removes it.
type EnvChange struct {
	Name, Value string
	Remove      bool
}

// ParseEnv reads KEY=VALUE, or KEY- to remove a variable.
func ParseEnv(text string) (EnvChange, error) {
	name, value, sets := strings.Cut(text, "=")
	e := EnvChange{Name: name, Value: value}
	if !sets {
		e.Name, e.Remove = strings.CutSuffix(text, "-")
		if !e.Remove {
			return e, fmt.Errorf("--env: %q is neither KEY=VALUE nor KEY-", text)
		}
	}
	if errs := validation.IsEnvVarName(e.Name); len(errs) > 0 {
		return e, fmt.Errorf("--env: %q is not a valid name for a variable: %s", e.Name, errs[0])
	}
	return e, nil
}

// Empty tells that nothing is asked for.
func (c Change) Empty() bool {
	return c.Image == "" && c.CPU == nil && c.Memory == nil && c.GPU == nil && len(c.Env) == 0
}

// Apply makes the change to a container. A variable that is to be removed and is not there
// is an error, for a typing error looks like that.
func (c Change) Apply(to *corev1.Container) error {
	if c.Image != "" {
		to.Image = c.Image
	}
	if c.CPU != nil {
		scale(&to.Resources, corev1.ResourceCPU, *c.CPU)
	}
	if c.Memory != nil {
		scale(&to.Resources, corev1.ResourceMemory, *c.Memory)
	}
	if c.GPU != nil {
		device := func(name corev1.ResourceName, _ resource.Quantity) bool {
			return diagnose.IsDevice(name) && !strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix)
		}
		maps.DeleteFunc(to.Resources.Limits, device)
		maps.DeleteFunc(to.Resources.Requests, device)
		if c.GPU.Count > 0 {
			set(&to.Resources.Limits, corev1.ResourceName(c.GPU.Resource), *resource.NewQuantity(c.GPU.Count, resource.DecimalSI))
		}
	}
	for _, e := range c.Env {
		i := slices.IndexFunc(to.Env, func(v corev1.EnvVar) bool { return v.Name == e.Name })
		switch {
		case e.Remove && i < 0:
			return fmt.Errorf("--env: the notebook has no variable %s: it has %s", e.Name, names(to.Env))
		case e.Remove:
			to.Env = slices.Delete(slices.Clone(to.Env), i, i+1)
		case i < 0:
			to.Env = append(slices.Clip(to.Env), corev1.EnvVar{Name: e.Name, Value: e.Value})
		default:
			to.Env = slices.Clone(to.Env)
			to.Env[i] = corev1.EnvVar{Name: e.Name, Value: e.Value}
		}
	}
	return nil
}

func names(env []corev1.EnvVar) string {
	if len(env) == 0 {
		return "none"
	}
	var out []string
	for _, v := range env {
		out = append(out, v.Name)
	}
	return strings.Join(out, ", ")
}

// scale sets a request, and the limit to as many times as much as it was: that factor is
// what the form of the cluster says about limits.
func scale(r *corev1.ResourceRequirements, name corev1.ResourceName, to resource.Quantity) {
	request, asked := r.Requests[name]
	limit, limited := r.Limits[name]
	set(&r.Requests, name, to)
	if !limited {
		return
	}
	factor := 1.0
	if asked && request.Sign() > 0 {
		factor = max(1, limit.AsApproximateFloat64()/request.AsApproximateFloat64())
	}
	if factor == 1 {
		set(&r.Limits, name, to)
		return
	}
	// A factor that was written down with one digit comes back with a trace of rounding.
	up := func(f float64) int64 { return int64(math.Ceil(math.Round(f*1e3) / 1e3)) }
	amount := to.AsApproximateFloat64() * factor
	if name == corev1.ResourceCPU {
		set(&r.Limits, name, *resource.NewMilliQuantity(up(amount*1000), resource.DecimalSI))
		return
	}
	set(&r.Limits, name, *resource.NewQuantity(up(amount/mebi)*mebi, resource.BinarySI))
}

const mebi = 1 << 20

func set(list *corev1.ResourceList, name corev1.ResourceName, q resource.Quantity) {
	if *list == nil {
		*list = corev1.ResourceList{}
	}
	(*list)[name] = q
}

// Difference is one value that changes.
type Difference struct {
	Field  string `json:"field"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// Differences between two containers, in the order in which people speak of them. Values
// of variables are not in it: they may be passwords.
func Differences(before, after *corev1.Container) []Difference {
	var out []Difference
	add := func(field, was, is string) {
		if was != is {
			out = append(out, Difference{field, was, is})
		}
	}
	add("image", before.Image, after.Image)
	known := map[corev1.ResourceName]bool{}
	for _, r := range []corev1.ResourceRequirements{before.Resources, after.Resources} {
		for _, list := range []corev1.ResourceList{r.Requests, r.Limits} {
			for name := range list {
				known[name] = true
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if diagnose.IsDevice(name) {
			add(string(name), count(before, name), count(after, name))
			continue
		}
		add(string(name), text(before.Resources.Requests, name), text(after.Resources.Requests, name))
		add(string(name)+" limit", text(before.Resources.Limits, name), text(after.Resources.Limits, name))
	}
	variables := map[string]bool{}
	for _, v := range slices.Concat(before.Env, after.Env) {
		variables[v.Name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		was, had := variable(before.Env, name)
		is, has := variable(after.Env, name)
		switch {
		case had && !has:
			add("env "+name, "set", "")
		case has && !had:
			add("env "+name, "", "set")
		case !equality.Semantic.DeepEqual(was, is):
			add("env "+name, "set", "set to another value")
		}
	}
	return out
}

func count(c *corev1.Container, name corev1.ResourceName) string {
	q := c.Resources.Limits[name]
	return strconv.FormatInt(q.Value(), 10)
}

func text(list corev1.ResourceList, name corev1.ResourceName) string {
	q, ok := list[name]
	if !ok {
		return ""
	}
	// The web app writes 1.2Gi, of which the API makes thousandths of bytes.
	if name == corev1.ResourceMemory && strings.HasSuffix(q.String(), "m") {
		return strconv.FormatFloat(q.AsApproximateFloat64()/(1<<30), 'g', 4, 64) + "Gi"
	}
	return q.String()
}

func variable(env []corev1.EnvVar, name string) (corev1.EnvVar, bool) {
	for _, v := range env {
		if v.Name == name {
			return v, true
		}
	}
	return corev1.EnvVar{}, false
}
