package form

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
)

// VolumeRequest is a volume: a new one of a size, or a claim that is there. Without a path
// it is the home.
type VolumeRequest struct {
	Size  *resource.Quantity
	Claim string
	Path  string
}

// String is as it is typed.
func (v VolumeRequest) String() string {
	s := v.Claim
	if v.Size != nil {
		s = v.Size.String()
	}
	if v.Path != "" {
		s += ":" + v.Path
	}
	return s
}

// ParseVolume reads SIZE or CLAIM, each with :PATH or without.
func ParseVolume(text string) (VolumeRequest, error) {
	what, mount, given := strings.Cut(text, ":")
	v := VolumeRequest{Path: mount}
	if given && (!path.IsAbs(mount) || path.Clean(mount) != strings.TrimSuffix(mount, "/") || mount == "/") {
		return v, refuse("volume", "%q: %q is not an absolute path, such as /data", text, mount)
	}
	v.Path = strings.TrimSuffix(v.Path, "/")
	if q, err := resource.ParseQuantity(what); err == nil {
		if q.Sign() <= 0 {
			return v, refuse("volume", "%q: the size must be positive, such as 20Gi", text)
		}
		v.Size = &q
		return v, nil
	}
	if errs := validation.IsDNS1123Subdomain(what); len(errs) > 0 {
		return v, refuse("volume", "%q is neither a size, such as 20Gi, nor the name of a PersistentVolumeClaim", text)
	}
	v.Claim = what
	return v, nil
}

// placeholder stands in the form for the name of the notebook.
const placeholder = "{notebook-name}"

// volumes mounts shared memory, data and the home, in the order of the web app.
func (f *Form) volumes(r Request, spec, container map[string]any, out *Objects) error {
	mount := func(name, at string, source map[string]any) {
		name = strings.ReplaceAll(name, ".", "-") // a claim may have dots in its name, a volume may not
		volume := map[string]any{"name": name}
		maps.Copy(volume, source)
		spec["volumes"] = append(spec["volumes"].([]any), volume)
		container["volumeMounts"] = append(container["volumeMounts"].([]any), map[string]any{"mountPath": at, "name": name})
	}
	shm := f.SHM.Value
	if r.SHM != nil {
		if f.SHM.ReadOnly && *r.SHM != shm {
			return refuse("shm", "the cluster's form makes it read-only")
		}
		shm = *r.SHM
	}
	if shm {
		mount("dshm", "/dev/shm", map[string]any{"emptyDir": map[string]any{"medium": "Memory"}})
	}
	home, data, err := f.wanted(r)
	if err != nil {
		return err
	}
	all := data
	if home != nil {
		all = append(all, *home)
	}
	at := map[string]bool{}
	for i, v := range all {
		if at[v.Mount] {
			return refuse("volume", "two volumes would be mounted at %s", v.Mount)
		}
		at[v.Mount] = true
		if v.New == nil {
			name, _, _ := unstructured.NestedString(v.Existing, "persistentVolumeClaim", "claimName")
			if name != "" {
				if slices.Contains(out.Mounted, name) {
					return refuse("volume", "claim %s would be mounted twice", name)
				}
				out.Mounted = append(out.Mounted, name)
			} else {
				name = fmt.Sprintf("existing-source-volume-%d", i)
			}
			mount(name, v.Mount, v.Existing)
			continue
		}
		claim := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(v.New)}
		claim.SetAPIVersion("v1")
		claim.SetKind("PersistentVolumeClaim")
		claim.SetNamespace(r.Namespace)
		claim.SetName(strings.ReplaceAll(claim.GetName(), placeholder, r.Name))
		out.Claims = append(out.Claims, claim)
		mount(claim.GetName(), v.Mount, map[string]any{"persistentVolumeClaim": map[string]any{"claimName": claim.GetName()}})
	}
	return nil
}

// usualHome is where Kubeflow's images have it; the form may say otherwise.
const usualHome = "/home/jovyan"

// wanted are the volumes of a request, put together from what the form proposes.
func (f *Form) wanted(r Request) (home *Volume, data []Volume, err error) {
	home, data = f.Workspace.Value, slices.Clone(f.Data.Value)
	at := usualHome
	if home != nil && home.Mount != "" {
		at = home.Mount
	}
	if r.NoVolume {
		if f.Workspace.ReadOnly {
			return nil, nil, refuse("no-volume", "the cluster's form makes the home volume read-only")
		}
		home, data = nil, nil
	}
	homes, added := 0, 0
	for _, v := range r.Volumes {
		if v.Path == "" || v.Path == at {
			if f.Workspace.ReadOnly {
				return nil, nil, refuse("volume", "%s: the cluster's form makes the home volume read-only", v)
			}
			if homes++; homes > 1 || r.NoVolume {
				return nil, nil, refuse("volume", "%s: a notebook has one home volume: specify a path for the others, such as %s:/data", v, v)
			}
			home = f.volume(v, at, "workspace", home)
			continue
		}
		if f.Data.ReadOnly {
			return nil, nil, refuse("volume", "%s: the cluster's form makes data volumes read-only", v)
		}
		added++
		data = append(data, *f.volume(v, v.Path, fmt.Sprintf("datavol-%d", len(f.Data.Value)+added), nil))
	}
	return home, data, nil
}

// volume is a requested one, with what like says about one that is made: class and modes.
func (f *Form) volume(v VolumeRequest, at, name string, like *Volume) *Volume {
	if v.Size == nil {
		return &Volume{Mount: at, Existing: map[string]any{"persistentVolumeClaim": map[string]any{"claimName": v.Claim}}}
	}
	if like == nil || like.New == nil {
		like = f.Workspace.Value
	}
	made := map[string]any{
		"metadata": map[string]any{}, "spec": map[string]any{"accessModes": []any{string(corev1.ReadWriteOnce)}},
	}
	if like != nil && like.New != nil {
		made = runtime.DeepCopyJSON(like.New)
	}
	// The field exists, and nothing else can be in its place: the form has been parsed.
	_ = unstructured.SetNestedField(made, placeholder+"-"+name, "metadata", "name")
	_ = unstructured.SetNestedField(made, v.Size.String(), "spec", "resources", "requests", "storage")
	return &Volume{Mount: at, New: made}
}
