package pulls

import (
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/form"
)

func TestImagesOfNotebooksAreChosenFromTheForm(t *testing.T) {
	const hub = "ghcr.io/kubeflow/kubeflow/notebook-servers/"
	f := &form.Form{
		Jupyter: form.Images{Value: hub + "jupyter-scipy:v1", Options: []string{hub + "jupyter-scipy:v1", hub + "jupyter-pytorch-full:v1"}},
		Code:    form.Images{Options: []string{hub + "codeserver-python:v1"}}, RStudio: form.Images{Options: []string{hub + "rstudio-tidyverse:v1"}},
	}
	for name, test := range map[string]struct {
		chosen, want []string
		refused      string
	}{
		"the proposed one": {[]string{DefaultImage}, []string{"jupyter-scipy"}, ""},
		"all, each once":   {[]string{DefaultImage, AllImages}, []string{"jupyter-scipy", "jupyter-pytorch-full", "codeserver-python", "rstudio-tidyverse"}, ""},
		"none":             {[]string{NoImages}, nil, ""},
		"by names, in full or short": {
			[]string{"rstudio-tidyverse", hub + "codeserver-python:v1"},
			[]string{"rstudio-tidyverse", "codeserver-python"},
			"",
		},
		"one that is not offered": {[]string{"jupyter"}, nil, `--notebook-images: the form offers no image "jupyter": use default, all, none or one of jupyter-scipy, jupyter-pytorch-full, `},
	} {
		t.Run(name, func(t *testing.T) {
			images, err := choose(f, test.chosen)
			if test.refused != "" {
				if err == nil || !strings.Contains(err.Error(), test.refused) {
					t.Fatalf("got error %v, want %q", err, test.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, ref := range images {
				got = append(got, short(ref))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
