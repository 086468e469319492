# Start with `make demo`, which shows the plugin, and `make test`, which tests it.
# Requirements: Go and make. Only Go modules are downloaded.

BIN     := bin
RELEASE ?= 26.03
MODULE  := github.com/kubectl-jupyter/kubectl-jupyter
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null)
# The commit's date, not the clock's: two builds of one commit are the same.
DATE    ?= $(shell TZ=UTC git log -1 --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ 2>/dev/null)
LDFLAGS := -s -w -X $(MODULE)/pkg/version.version=$(VERSION) -X $(MODULE)/pkg/version.commit=$(COMMIT) -X $(MODULE)/pkg/version.date=$(DATE)

# The same flags everywhere, so that the build cache is shared.
export CGO_ENABLED := 0
export GOFLAGS     := -trimpath -buildvcs=false

.DEFAULT_GOAL := help

##@ Use

.PHONY: build
build: ## Build bin/kubectl-jupyter
	go build -ldflags '$(LDFLAGS)' -o $(BIN)/kubectl-jupyter ./cmd/kubectl-jupyter

.PHONY: demo
demo: build devcluster ## Run the main commands on a throwaway cluster with simulated nodes
	go run ./test/demo -bin $(BIN)

.PHONY: demo-real
demo-real: build devcluster ## The same with a real node that runs containers (requires root and Debian packages)
	go run ./test/demo -bin $(BIN) -nodes real

##@ Test

.PHONY: test
test: test-unit e2e-simulated ## Run all tests that do not require root: unit tests, then end-to-end tests with simulated nodes

.PHONY: test-unit
test-unit: ## Run unit tests and tests of whole commands, without a cluster
	go test ./...

.PHONY: e2e-simulated
e2e-simulated: build devcluster ## Run end-to-end tests on real control planes with simulated nodes, four at a time
	go test -tags e2e -count=1 -timeout 40m -parallel 4 -v ./test/e2e/

.PHONY: e2e
e2e: build devcluster $(BIN)/browser ## Run end-to-end tests on a real node, with real components (requires root and Debian packages)
	go test -tags e2e_real -count=1 -timeout 60m -v ./test/e2e/

.PHONY: e2e-clones
e2e-clones: build devcluster ## Install clones of kubeflow/manifests on clusters with simulated nodes; CLONES=DIR is a directory with clones
	@test -d "$(CLONES)" || { echo 'set CLONES=DIR to a directory with clones of kubeflow/manifests' >&2; exit 1; }
	go test -tags e2e -count=1 -timeout 60m -parallel 2 -v -run TestClones ./test/e2e/ -clones "$(abspath $(CLONES))"

.PHONY: e2e-clones-real
e2e-clones-real: build devcluster ## Install clones of kubeflow/manifests on a real node and log in; CLONES=DIR is a clone or a directory with clones (requires root)
	@test -d "$(CLONES)" || { echo 'set CLONES=DIR to a clone of kubeflow/manifests, or to a directory with clones' >&2; exit 1; }
	go test -tags e2e_real -count=1 -timeout 60m -v -run TestClonesOnARealNode ./test/e2e/ -clones "$(abspath $(CLONES))"

.PHONY: e2e-releases
e2e-releases: build devcluster $(BIN)/browser ## Run the end-to-end test of release 1.10 on a real node (requires root; builds images for about ten minutes the first time)
	go test -tags e2e_real -count=1 -timeout 60m -v -run TestRelease ./test/e2e/ -other-releases

.PHONY: e2e-clusters
e2e-clusters: build devcluster ## Install on clusters of other kinds: with the rules of AKS, k3s and Talos on simulated nodes; with IPv6 alone and another domain on a real node (requires root)
	go test -tags e2e -count=1 -timeout 40m -parallel 2 -v -run TestClustersLike ./test/e2e/ -clusters
	go test -tags e2e_real -count=1 -timeout 60m -v -run TestClustersOnARealNode ./test/e2e/ -clusters

.PHONY: e2e-registry
e2e-registry: build devcluster ## Fill a mirror with a private CA and a login, install from it on a real node, and have pulls fail in every way that has a name (requires root)
	go test -tags e2e_real -count=1 -timeout 60m -v -run "TestAMirror|TestPulls|TestANodeWithoutRoom" ./test/e2e/ -registry

.PHONY: e2e-servers
e2e-servers: build devcluster ## Install every release on control planes of other versions, with simulated nodes (compiles each version of Kubernetes the first time)
	go run ./test/bedbuild -bin $(BIN)/servers -servers test/servers
	go test -tags e2e -count=1 -timeout 60m -parallel 2 -v -run 'TestServers$$' ./test/e2e/ -servers "$(abspath $(BIN)/servers)"

.PHONY: e2e-emulated
e2e-emulated: build devcluster ## Install every release on control planes that emulate older versions, with simulated nodes
	go test -tags e2e -count=1 -timeout 60m -parallel 2 -v -run TestServersThatEmulateOlderOnes ./test/e2e/ -emulated

KILLS ?= 3

.PHONY: e2e-upgrade
e2e-upgrade: build devcluster ## Upgrade from 1.10 to 26.03 on a real node, then kill KILLS (3) upgrades at random moments (requires root; builds images of both releases the first time)
	go test -tags e2e_real -count=1 -timeout 180m -v -run "TestUpgrade|RolloutsLeaveNobody" ./test/e2e/ -upgrades -kills $(KILLS)

.PHONY: e2e-identity
e2e-identity: build devcluster $(BIN)/browser ## Log in by identity providers on a real node: Debian's slapd, a second Dex over HTTPS, the issuer's move (requires root; Debian packages slapd, chromium)
	go test -tags e2e_real -count=1 -timeout 30m -v -run TestIdentity ./test/e2e/ -identity

$(BIN)/browser: $(wildcard test/browser/*)
	go build -C test/browser -o $(CURDIR)/$(BIN)/ .

FUZZTIME ?= 1m
FUZZ     ?= .

# The targets are those that the tests have, in every module. What is found is kept below
# testdata/fuzz, where `go test` runs it from then on.
.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (1m), one after the other; FUZZ=NAME selects some
	@grep -rHo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | grep '$(FUZZ)' | sort | \
	sed 's|^\./\(.*\)/[^/]*:func \(.*\)|\1 \2|' | { failed=; while read -r dir name; do \
		echo "=== $$dir $$name"; \
		go test -C "$$dir" -vet=off -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x . </dev/null || failed="$$failed $$name"; \
	done; test -z "$$failed" || { echo "failed:$$failed" >&2; exit 1; }; }

.PHONY: bench
bench: need-upstream build devcluster ## Compare times with upstream's installation; UPSTREAM=DIR is a clone of kubeflow/manifests 26.03.1
	go run ./test/bench -bin $(BIN) -upstream $(UPSTREAM) -only a,b,c,d,e
	$(MAKE) bench-top bench-status bench-people

.PHONY: bench-status
bench-status: build devcluster ## Compare time and requests of status with kubectl get all in the namespaces of the stack
	go run ./test/bench -bin $(BIN) -only g -out docs/benchmarks-status.md

.PHONY: bench-people
bench-people: build devcluster ## Measure user apply with 500 people and user list with 2,000
	go run ./test/bench -bin $(BIN) -only h -out docs/benchmarks-people.md

.PHONY: bench-top
bench-top: build devcluster ## Compare time and memory of top with kubectl top, at 500, 1,500 and 5,000 nodes (requires 14 GB of memory)
	go run ./test/bench -bin $(BIN) -only f -out docs/benchmarks-top.md

.PHONY: bench-pulls
bench-pulls: need-upstream build devcluster ## Time installations that pull all images, and the first notebook, beside upstream's (requires root); UPSTREAM=DIR as for bench
	go run ./test/bench -bin $(BIN) -upstream $(UPSTREAM) -runs 1 -only i,j -out docs/benchmarks-pulls.md

.PHONY: fidelity
fidelity: need-upstream ## Compare all objects of RELEASE (26.03) with those of upstream; UPSTREAM=DIR is a clone of kubeflow/manifests
	go run ./internal/fidelity/cmd/fidelity -release $(RELEASE) -unexplained diff $(UPSTREAM)

.PHONY: need-upstream
need-upstream:
	@test -d "$(UPSTREAM)" || { echo 'set UPSTREAM=DIR to a clone of kubeflow/manifests, at the version of the release' >&2; exit 1; }

##@ Development

# The control plane's own sources are compiled here, once: etcd, kube-apiserver,
# kube-controller-manager, kube-scheduler, kubelet, kwok, the real cert-manager, and
# kubectl, which may not be installed.
.PHONY: devcluster
devcluster: ## Build the programs of the throwaway cluster (takes about nine minutes the first time)
	go run ./test/bedbuild -bin $(BIN)

.PHONY: generate
generate: ## Regenerate the CRDs from their API modules
	go run -C hack ./crdgen -out ../pkg/components

.PHONY: verify-generate
verify-generate: ## Verify that the committed CRDs are up to date
	go run -C hack ./crdgen -verify -out ../pkg/components

.PHONY: reference
reference: ## Regenerate docs/reference from the help texts
	go run ./internal/reference -out docs/reference

.PHONY: verify-reference
verify-reference: ## Verify that docs/reference is up to date
	go run ./internal/reference -out docs/reference -verify

.PHONY: golden
golden: ## Regenerate the expected outputs of tests; review the diff before committing
	go test ./cmd/kubectl-jupyter ./pkg/view ./pkg/diagnose ./pkg/usage ./pkg/usage/holders ./pkg/users -update

# The linters are pinned in a module of their own. staticcheck takes one set of build tags
# at a time.
.PHONY: lint
lint: $(BIN)/staticcheck $(BIN)/gofumpt ## Run gofumpt, go vet and staticcheck; check the licenses of dependencies and the links in the documentation
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
vulnerabilities: $(BIN)/govulncheck ## Check for known vulnerabilities in the code that is called (requires network access)
	$(BIN)/govulncheck ./...

.PHONY: release-check
release-check: devcluster $(BIN)/goreleaser ## Build a release twice without publishing it, and test it as krew would install it
	$(BIN)/goreleaser check
	go test -tags release -count=1 -timeout 60m -v ./test/release/

.PHONY: clean
clean: ## Delete the build output
	rm -rf $(BIN) dist

.PHONY: help
help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
