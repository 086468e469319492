# The two that matter: `make demo` shows the plugin, `make test` proves it.
# Needed: Go and make. Nothing else is fetched but Go modules.

BIN     := bin
RELEASE ?= 1.10
MODULE  := github.com/kubectl-jupyter/kubectl-jupyter
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null)
# The commit's date, not the clock's: two builds of one commit are the same.
DATE    ?= $(shell TZ=UTC git log -1 --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ 2>/dev/null)
LDFLAGS := -s -w -X $(MODULE)/pkg/version.version=$(VERSION) -X $(MODULE)/pkg/version.commit=$(COMMIT) -X $(MODULE)/pkg/version.date=$(DATE)

# One set of flags everywhere, or the build cache is filled twice.
export CGO_ENABLED := 0
export GOFLAGS     := -trimpath -buildvcs=false

.DEFAULT_GOAL := help

##@ Use

.PHONY: build
build: ## Build bin/kubectl-jupyter
	go build -ldflags '$(LDFLAGS)' -o $(BIN)/kubectl-jupyter ./cmd/kubectl-jupyter

.PHONY: demo
demo: build devcluster ## Install onto a throwaway cluster with simulated nodes, and show it
	go run ./test/demo -bin $(BIN)

.PHONY: demo-real
demo-real: build devcluster ## The same with a real node: containers run (root, Debian packages)
	go run ./test/demo -bin $(BIN) -nodes real

##@ Test

.PHONY: test
test: test-unit e2e-simulated ## Everything that needs no root: unit tests, then the whole plugin on real control planes

.PHONY: test-unit
test-unit: ## Unit tests and whole commands, in seconds, without a cluster
	go test ./...

.PHONY: e2e-simulated
e2e-simulated: build devcluster ## The plugin on real control planes with simulated nodes, one for each test, two at a time
	go test -tags e2e -count=1 -timeout 40m -parallel 2 -v ./test/e2e/

.PHONY: e2e
e2e: build devcluster $(BIN)/browser ## The plugin on a real node, with real components (root, Debian packages)
	go test -tags e2e_real -count=1 -timeout 60m -v ./test/e2e/

$(BIN)/browser: test/browser/main.go test/browser/go.mod
	go build -C test/browser -o $(CURDIR)/$(BIN)/ .

.PHONY: bench
bench: need-upstream build devcluster ## Times against upstream's own sequence; UPSTREAM=DIR is a clone of kubeflow/manifests v1.10.1
	go run ./test/bench -bin $(BIN) -upstream $(UPSTREAM) -only a,b,c,d,e
	$(MAKE) bench-top bench-status

.PHONY: bench-status
bench-status: build devcluster ## Time of status of the whole stack against kubectl get all in its namespaces, and its requests
	go run ./test/bench -bin $(BIN) -only g -out docs/benchmarks-status.md

.PHONY: bench-top
bench-top: build devcluster ## Time and memory of top at 500, 1,500 and 5,000 nodes against kubectl's; takes 14 GB of memory
	go run ./test/bench -bin $(BIN) -only f -out docs/benchmarks-top.md

.PHONY: fidelity
fidelity: need-upstream ## Compare every object of RELEASE (1.10) with upstream's; UPSTREAM=DIR is a clone of kubeflow/manifests
	go run ./internal/fidelity/cmd/fidelity -release $(RELEASE) -unexplained diff $(UPSTREAM)

.PHONY: need-upstream
need-upstream:
	@test -d "$(UPSTREAM)" || { echo 'name a clone of kubeflow/manifests, at the version that the release follows: UPSTREAM=DIR' >&2; exit 1; }

##@ Work on it

# The control plane's own sources are compiled here, once: etcd, kube-apiserver,
# kube-controller-manager, kube-scheduler, kubelet, kwok, the real cert-manager, and
# kubectl, which a fresh machine may not have.
.PHONY: devcluster
devcluster: ## Build the throwaway cluster's programs (the first time takes about nine minutes)
	go run ./test/bedbuild -bin $(BIN)

.PHONY: generate
generate: ## Write the CRDs anew, from the API modules they come from
	go run -C hack ./crdgen -out ../pkg/components

.PHONY: verify-generate
verify-generate: ## Fail when the committed CRDs are not what the generator writes
	go run -C hack ./crdgen -verify -out ../pkg/components

.PHONY: reference
reference: ## Write docs/reference anew, from the help texts
	go run ./internal/reference -out docs/reference

.PHONY: verify-reference
verify-reference: ## Fail when docs/reference is not what the help says
	go run ./internal/reference -out docs/reference -verify

.PHONY: golden
golden: ## Write expected outputs of tests anew; look at the difference before committing
	go test ./cmd/kubectl-jupyter ./pkg/view ./pkg/diagnose ./pkg/usage ./pkg/usage/holders -update

# The linters are pinned in a module of their own. staticcheck takes one set of build tags
# at a time.
.PHONY: lint
lint: $(BIN)/staticcheck $(BIN)/gofumpt ## gofumpt, go vet, staticcheck, licences of what is compiled in, links in the documents
	@unformatted=$$($(BIN)/gofumpt -l cmd hack internal pkg test); test -z "$$unformatted" || { echo "not formatted with gofumpt:"; echo "$$unformatted"; exit 1; } >&2
	go vet ./...
	go vet -tags e2e ./test/e2e/
	go vet -tags e2e_real ./test/e2e/
	go vet -tags release ./test/release/
	$(BIN)/staticcheck ./...
	$(BIN)/staticcheck -tags e2e ./test/e2e/
	$(BIN)/staticcheck -tags e2e_real ./test/e2e/
	go run -C hack ./licenses
	go run -C hack ./links ..

$(BIN)/staticcheck $(BIN)/gofumpt $(BIN)/govulncheck &: hack/tools/lint/go.mod
	go build -C hack/tools/lint -o $(CURDIR)/$(BIN)/ honnef.co/go/tools/cmd/staticcheck mvdan.cc/gofumpt golang.org/x/vuln/cmd/govulncheck

$(BIN)/goreleaser: hack/tools/release/go.mod
	go build -C hack/tools/release -o $(CURDIR)/$(BIN)/ github.com/goreleaser/goreleaser/v2

.PHONY: vulnerabilities
vulnerabilities: $(BIN)/govulncheck ## Look for known vulnerabilities in what is called (needs the network)
	$(BIN)/govulncheck ./...

.PHONY: release-check
release-check: devcluster $(BIN)/goreleaser ## Make a release without publishing it, twice, and do with it what krew would
	$(BIN)/goreleaser check
	go test -tags release -count=1 -timeout 60m -v ./test/release/

.PHONY: clean
clean: ## Remove what was built
	rm -rf $(BIN) dist

.PHONY: help
help: ## Show this
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
