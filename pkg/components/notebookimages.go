package components

// notebookImages are the images of the spawner's form, which nodes pull when a
// person starts a notebook. They must equal the references in the form.
var notebookImages = []string{
	"ghcr.io/kubeflow/kubeflow/notebook-servers/jupyter-scipy:v1.10.0",
	"ghcr.io/kubeflow/kubeflow/notebook-servers/jupyter-pytorch-full:v1.10.0",
	"ghcr.io/kubeflow/kubeflow/notebook-servers/jupyter-pytorch-cuda-full:v1.10.0",
	"ghcr.io/kubeflow/kubeflow/notebook-servers/jupyter-pytorch-gaudi-full:v1.10.0",
	"ghcr.io/kubeflow/kubeflow/notebook-servers/jupyter-tensorflow-full:v1.10.0",
	"ghcr.io/kubeflow/kubeflow/notebook-servers/jupyter-tensorflow-cuda-full:v1.10.0",
	"ghcr.io/kubeflow/kubeflow/notebook-servers/codeserver-python:v1.10.0",
	"ghcr.io/kubeflow/kubeflow/notebook-servers/rstudio-tidyverse:v1.10.0",
}
