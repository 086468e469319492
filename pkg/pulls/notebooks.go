package pulls

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/form"
)

// Choices of notebook images beside names.
const (
	// DefaultImage is the one that the form proposes.
	DefaultImage = "default"
	// AllImages are those that the form offers.
	AllImages = "all"
	// NoImages are none.
	NoImages = "none"
)

// NotebookImages are the images of notebooks that are chosen, as the form among the rendered
// components offers them: default, all, none, or names of images, in full or from their
// repository alone. Without a form there are none.
func NotebookImages(rendered []components.Rendered, chosen []string) ([]string, error) {
	for _, u := range components.ObjectsOf(rendered) {
		if !components.IsForm(u) {
			continue
		}
		f, err := form.InConfigMap(u)
		if err != nil {
			return nil, err
		}
		return choose(f, chosen)
	}
	return nil, nil
}

func choose(f *form.Form, chosen []string) ([]string, error) {
	offered := unique(slices.Concat([]string{f.Jupyter.Value}, f.Jupyter.Options, f.Code.Options, f.RStudio.Options))
	var out []string
	for _, name := range chosen {
		switch name {
		case NoImages:
		case DefaultImage:
			out = append(out, f.Jupyter.Value)
		case AllImages:
			out = append(out, offered...)
		default:
			i := slices.IndexFunc(offered, func(ref string) bool { return ref == name || short(ref) == name })
			if i < 0 {
				var names []string
				for _, ref := range offered {
					names = append(names, short(ref))
				}
				return nil, fmt.Errorf("--notebook-images: the form offers no image %q: use %s, %s, %s or one of %s", name, DefaultImage, AllImages, NoImages, strings.Join(names, ", "))
			}
			out = append(out, offered[i])
		}
	}
	return unique(out), nil
}

// short is the last part of an image's name.
func short(ref string) string {
	name := components.Repository(ref)
	return name[strings.LastIndex(name, "/")+1:]
}

// unique drops repetitions and what is empty.
func unique(refs []string) []string {
	var out []string
	for _, ref := range refs {
		if ref != "" && !slices.Contains(out, ref) {
			out = append(out, ref)
		}
	}
	return out
}
