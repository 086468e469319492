module github.com/kubectl-jupyter/kubectl-jupyter/hack/sources/istio

go 1.26

require istio.io/api v1.24.3
