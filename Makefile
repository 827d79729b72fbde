# Shorthand for what is otherwise typed. Whatever needs more than a line or two is a script in .ci.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c

MODULES := $(dir $(wildcard ./go.mod tools/go.mod bench/peers/go.mod))
TOOL     = go tool -modfile=$(CURDIR)/tools/go.mod

# Of a benchmark that is run once, the numbers mean nothing.
VERDICTS = grep -vE '^(Benchmark|goos:|goarch:|pkg:|cpu:|PASS|\?)'

# The race detector multiplies a test's time by ten, so it watches where goroutines of this module meet. It leaves out the
# packages whose code has few of them or none, but for the tests that concern those, and the long tests of one goroutine.
# `make tests` and `make model` run what it leaves out.
PLAIN = . ./aggregator/lambda/... ./cmd/... ./stack/...
MEET  = ^Test(Together|Top|Loadtest|Compact|Command[A-Z]|ExitIn|LimitsInterrupted|Local|Progress|Store(IsClosed|Waits|Heeds|Shared))|^TestScenes$$/^life$$
ALONE = ^TestManifest(Interrupted|Property)$$|^TestDeleteInterrupted$$|^TestSweepOfASlowWriter$$|^TestSweepIsBounded$$|^TestFileLevelsOff$$|^TestDamagedPages$$|^TestMutants$$|^TestEngine(WithIO)?$$/^(Vectors|AllLegalNames|RecordsLevelOff)$$

TIMEOUT      ?= 40m
FUZZTIME     ?= 10s
RAPID_CHECKS ?= 1000
MODEL_STEPS  ?= 30000000

BENCH ?= .
COUNT ?= 6
OLD   ?= bench/baseline.txt
NEW   ?= new.bench

.DEFAULT_GOAL := help
.PHONY: help setup tools build test check tests race dynamodb conformance random fuzz model docker bench bench-once bench-compare \
	bench-peers peers golden life lint fmt release release-check portable clean

help: ## show this help
	@awk -F ':.*## ' '/^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' Makefile

##@ Every day
setup: ## fetch what a fresh machine lacks: Java and Maven, the modules, and the tools compiled once
	@.ci/setup.sh
	@$(foreach m,$(MODULES),(cd $(m) && go mod download) &&) $(MAKE) --no-print-directory tools

build: ## compile everything
	go build ./...

test: export FUZZTIME     := 3s
test: export RAPID_CHECKS := 300
test: export MODEL_STEPS  := 1000000
test: export MODEL_SEED   := 20261124
test: ## everything: lint, race, the engine on DynamoDB, properties, model, fuzz, benchmarks once, peers, the binary's life
	@.ci/setup.sh
	@.ci/stages.sh build lint tests race dynamodb+fuzz random model bench-once+peers life

# Of the suites on DynamoDB each is run once: those of `race` on Java, those of `dynamodb` on Docker.
check: export OVER = .ci/docker.sh
check: ## what CI runs: `make test`, with one part of the DynamoDB suites on Docker, compiling for another platform, and the release
	@.ci/stages.sh tools test portable release-check

lint: ## tidy modules, formatting, golangci-lint with go vet in it
	@.ci/lint.sh

fmt: ## format all Go files
	$(TOOL) gofumpt -w .

##@ Tests
tests: ## the tests that `race` leaves out, with the emulators and tools that they need
	@.ci/gotest.sh tests -shuffle=on -timeout=$(TIMEOUT) -skip '^TestColdStart$$' $(PLAIN)
	@.ci/gotest.sh cold-start -count=1 -timeout=$(TIMEOUT) -run '^TestColdStart$$' ./aggregator/lambda
	@packages=$$(.ci/testers.sh outside $(PLAIN)) && \
	.ci/gotest.sh tests-alone -count=1 -timeout=$(TIMEOUT) -run '$(ALONE)' $$packages

race: ## the tests in which goroutines meet, with the race detector, in random order, but those of `make dynamodb`
	@packages=$$(.ci/testers.sh outside $(PLAIN)) && \
	.ci/gotest.sh race -race -shuffle=on -timeout=$(TIMEOUT) -skip '^TestSlow|^TestModel(Equal|Bound)$$|$(ALONE)' $$packages ./cmd/zae-limiter/internal/load
	@.ci/gotest.sh race-plain -race -shuffle=on -timeout=$(TIMEOUT) -run '$(MEET)' ./cmd/zae-limiter ./stack

dynamodb: ## the suites on DynamoDB that are too long for the race detector: engine, model, comparison of the stores
	@$(OVER) .ci/gotest.sh dynamodb -count=1 -timeout=$(TIMEOUT) -run '^(TestSlow.*|TestTable|TestTTL|TestProxy)$$' \
		./backend/dynamo ./backend/dynamo/dynamotest

docker: ## the same on Docker; as root on Debian with an engine installed, started and ended, where there is none
	@$(MAKE) --no-print-directory dynamodb OVER=.ci/docker.sh

conformance: ## the conformance suite on memory and bbolt, at length and without the race detector (RAPID_CHECKS=1000)
	@packages=$$(.ci/testers.sh conformance) && \
	.ci/gotest.sh conformance -count=1 -shuffle=on -timeout=$(TIMEOUT) $$packages -args -rapid.checks=$(RAPID_CHECKS)

random: ## what draws at random, more often than `race` does: properties, stores against the model (RAPID_CHECKS=1000)
	@packages=$$(.ci/testers.sh conformance) && \
	.ci/gotest.sh random-stores -count=1 -timeout=$(TIMEOUT) -run '^TestModel$$|^TestCompare$$|^TestEngine/^NeverOverAdmits$$' \
		$$packages -args -rapid.checks=$(RAPID_CHECKS)
	@packages=$$(.ci/testers.sh properties) && \
	.ci/gotest.sh random -count=1 -shuffle=on -timeout=$(TIMEOUT) -skip '^TestModel|^TestMutants' $$packages -args -rapid.checks=$(RAPID_CHECKS)

model: ## the engine against its exact model, at length (MODEL_STEPS=30000000)
	@go test -list Model ./engine/... | grep '^Test' > /dev/null || { echo "no test of ./engine/... is called Model"; exit 1; }
	@MODEL_STEPS=$(MODEL_STEPS) .ci/gotest.sh model -count=1 -timeout=$(TIMEOUT) -run Model ./engine/...

fuzz: ## every fuzz target in turn (FUZZTIME=10s, or a count such as 100000x)
	@.ci/fuzz.sh $(FUZZTIME)

peers: ## the tests of bench/peers, its benchmarks once
	cd bench/peers && go test -count=1 -timeout=$(TIMEOUT) -bench . -benchtime=1x ./... | $(VERDICTS)

life: ## the built binary through a whole life, the calls that must fail included; and how long its commands take
	@.ci/life.sh
	@.ci/brisk.sh

golden: ## renew the golden files; look at the difference before committing it
	UPDATE_GOLDEN=1 go test -count=1 -run '^(TestTemplateGolden|TestDeployerPolicy|TestBoundaryPolicy|TestUpgradeReplacesNothing)$$' ./stack
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
tools: ## compile the tools that lint and tests are run with
	@$(TOOL) golangci-lint --version
	@$(TOOL) gotestsum --version
	@$(TOOL) gofumpt --version

release: ## archives with checksums in dist/ for linux, darwin and windows: the same bytes for the same commit
	@.ci/release.sh

release-check: ## build two releases of the last commit in clones, and compare and try them
	@.ci/release-check.sh

portable: ## compile for another system, of 32 bits
	GOOS=windows GOARCH=386 CGO_ENABLED=0 go build -trimpath -tags=lambda.norpc ./...

clean: ## remove what was built or measured here
	rm -rf dist zae-limiter *.bench coverage.out
	find . -name '*.test' -type f -delete
