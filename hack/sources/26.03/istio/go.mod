module github.com/kubectl-jupyter/kubectl-jupyter/hack/sources/26.03/istio

go 1.26

require istio.io/api v1.30.8
