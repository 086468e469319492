module github.com/kubectl-jupyter/kubectl-jupyter/hack/sources/1.10/istio

go 1.26

require istio.io/api v1.24.3
