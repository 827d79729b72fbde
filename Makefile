# Shorthand for what is otherwise typed. Whatever needs more than a line or two is a script in .ci.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c

MODULES := $(dir $(wildcard ./go.mod tools/go.mod bench/peers/go.mod))
TOOL     = go tool -modfile=$(CURDIR)/tools/go.mod

# Of a benchmark that is run once, the numbers mean nothing.
VERDICTS = grep -vE '^(Benchmark|goos:|goarch:|pkg:|cpu:|PASS|\?)'

TIMEOUT      ?= 40m
FUZZTIME     ?= 10s
RAPID_CHECKS ?= 1000
MODEL_STEPS  ?= 30000000

BENCH ?= .
COUNT ?= 6
OLD   ?= bench/baseline.txt
NEW   ?= new.bench

.DEFAULT_GOAL := help
.PHONY: help setup tools build test check race conformance rapid fuzz model docker bench bench-once bench-compare \
	bench-peers peers golden life lint fmt release portable clean

help: ## show this help
	@awk -F ':.*## ' '/^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' Makefile

##@ Every day
setup: ## fetch what a fresh machine lacks: Java and Maven, the modules, and the tools compiled once
	@.ci/setup.sh
	@$(foreach m,$(MODULES),(cd $(m) && go mod download) &&) $(MAKE) --no-print-directory tools

build: ## compile everything
	go build ./...

test: export FUZZTIME     := 5s
test: export RAPID_CHECKS := 300
test: export MODEL_STEPS  := 1000000
test: export MODEL_SEED   := 20261124
test: ## everything: lint, race, conformance, properties, model, fuzz, benchmarks once, peers, the binary's life
	@.ci/stages.sh build lint race conformance rapid model fuzz bench-once peers life

check: ## what CI runs: `make test`, the DynamoDB store over Docker, and compiling for other platforms
	@.ci/stages.sh tools test docker portable

lint: ## tidy modules, formatting, go vet, golangci-lint, in all modules
	@.ci/lint.sh

fmt: ## format all Go files
	$(TOOL) gofumpt -w .

##@ Tests
race: ## all tests with the race detector, in random order
	@.ci/gotest.sh race -race -shuffle=on -timeout=$(TIMEOUT) ./...

conformance: ## the conformance suite on every store, without the race detector (RAPID_CHECKS=1000)
	@packages=$$(.ci/testers.sh conformance) && \
	.ci/gotest.sh conformance -count=1 -shuffle=on -timeout=$(TIMEOUT) $$packages -args -rapid.checks=$(RAPID_CHECKS)

rapid: ## the random properties of all other packages (RAPID_CHECKS=1000)
	@packages=$$(.ci/testers.sh rapid) && \
	.ci/gotest.sh rapid -count=1 -shuffle=on -timeout=$(TIMEOUT) $$packages -args -rapid.checks=$(RAPID_CHECKS)

model: ## the engine against its exact model, at length (MODEL_STEPS=30000000)
	@go test -list Model ./engine/... | grep '^Test' > /dev/null || { echo "no test of ./engine/... is called Model"; exit 1; }
	@MODEL_STEPS=$(MODEL_STEPS) .ci/gotest.sh model -count=1 -timeout=$(TIMEOUT) -run Model ./engine/...

fuzz: ## every fuzz target in turn (FUZZTIME=10s, or a count such as 100000x)
	@.ci/fuzz.sh $(FUZZTIME)

docker: ## the DynamoDB store on Docker; as root on Debian with an engine installed, started and ended, where there is none
	@.ci/docker.sh .ci/gotest.sh docker -count=1 -timeout=$(TIMEOUT) -run '^(TestConformance|TestTable|TestTTL|TestProxy)$$' \
		./backend/dynamo ./internal/dynamotest

peers: ## the tests of bench/peers, its benchmarks once
	cd bench/peers && go test -count=1 -timeout=$(TIMEOUT) -bench . -benchtime=1x ./... | $(VERDICTS)

life: ## the built binary through a whole life, the calls that must fail included; and how long its commands take
	@.ci/life.sh
	@.ci/brisk.sh

golden: ## renew the golden files; look at the difference before committing it
	UPDATE_GOLDEN=1 go test -count=1 ./cmd/...

##@ Benchmarks
bench: ## measure (BENCH=regexp COUNT=6), written to NEW=new.bench for benchstat
	go test -run '^$$' -bench '$(BENCH)' -benchmem -count=$(COUNT) -timeout=2h ./bench/... | tee $(NEW)

bench-once: ## every benchmark once, so that none of them rots
	go test -run '^$$' -bench . -benchtime=1x -timeout=$(TIMEOUT) ./... | $(VERDICTS)

bench-compare: ## compare OLD=bench/baseline.txt with NEW=new.bench
	$(TOOL) benchstat $(OLD) $(NEW)

bench-peers: ## measure other rate limiters beside this one (BENCH, COUNT)
	cd bench/peers && go test -run '^$$' -bench '$(BENCH)' -benchmem -count=$(COUNT) -timeout=2h ./...

##@ The rest
tools: ## compile the tools of tools/go.mod
	go build -modfile=tools/go.mod -o /dev/null tool

release: ## archives with checksums in dist/ for linux, darwin and windows: the same bytes for the same commit
	go run ./internal/release -o dist

portable: ## compile for another system, and for 32 bits
	GOOS=windows GOARCH=amd64 CGO_ENABLED=0 go build ./...
	GOOS=linux GOARCH=386 CGO_ENABLED=0 go build ./...

clean: ## remove what was built or measured here
	rm -rf dist zae-limiter *.bench coverage.out
	find . -name '*.test' -type f -delete
