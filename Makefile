# Short names for commands. A command of more than two lines is a script in .ci.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c

# Adapters are modules of their own, since they bring libraries. They are released with the root, under the same version.
ADAPTERS := grpclimit otellimit
MODULES  := $(dir $(wildcard ./go.mod tools/go.mod bench/peers/go.mod examples/go.mod $(ADAPTERS:%=%/go.mod)))
TOOL      = go tool -modfile=$(CURDIR)/tools/go.mod

# The numbers of a benchmark that runs once mean nothing, so that only the verdicts are printed.
VERDICTS = grep -vE '^(Benchmark|goos:|goarch:|pkg:|cpu:|PASS|\?)'

# The race detector multiplies a test's time by ten, so it watches where goroutines of this module meet. It leaves out the
# packages whose code has few of them or none, but for the tests that concern those, and the long tests of one goroutine.
# `make tests` and `make model` run what it leaves out.
PLAIN = . ./aggregator/lambda/... ./cmd/... ./stack/... ./engine/internal/pocket ./engine/internal/reserve
MEET  = ^Test(Together|Top|Loadtest|Compact|Command[A-Z]|ExitIn|LimitsInterrupted|Local|Progress|Store(IsClosed|Waits|Heeds|Shared))|^TestScenes$$/^life$$
ALONE = ^TestAllocations$$|^TestManifest(Interrupted|Property)$$|^TestDeleteInterrupted$$|^TestSweepOfASlowWriter$$|^TestSweepIsBounded$$|^TestFileLevelsOff$$|^TestDamagedPages$$|^TestMutants$$|^TestFleet|^TestPrefetchFleet$$|^TestTables|^TestRatios$$|^TestPathOfAnAcquire$$|^TestCheckAndApply$$|^TestCompareReports$$|^TestHeap$$|^TestEngineWithIO$$|^TestEngine$$/^(Vectors|AllLegalNames|RecordsLevelOff|Saturation)$$

TIMEOUT      ?= 40m
FUZZTIME     ?= 10s
RAPID_CHECKS ?= 1000
MODEL_STEPS  ?= 30000000

BENCH ?= .
COUNT ?= 6
SEED  ?= 1
OLD   ?= old.bench
NEW   ?= new.bench

.DEFAULT_GOAL := help
.PHONY: help setup tools build test check tests race dynamodb conformance random fuzz model docker bench bench-once bench-compare \
	bench-peers sim peers examples adapters golden life lint fmt tag release release-check portable clean

help: ## print this help
	@awk -F ':.*## ' '/^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' Makefile

##@ Every day
setup: ## install what the tests need and this machine lacks; `make test` does it too, without compiling the tools
	@.ci/setup.sh
	@$(foreach m,$(MODULES),(cd $(m) && go mod download) &&) $(MAKE) --no-print-directory tools

build: ## compile everything
	go build ./...

test: export FUZZTIME     := 3s
test: export RAPID_CHECKS := 300
test: export MODEL_STEPS  := 1000000
test: export MODEL_SEED   := 20261124
# `make dynamodb` comes later, because two of its tests measure how many calls a second there are. life measures, too.
test: ## run everything: lint, all tests, the race detector, DynamoDB, the model, fuzzing, each benchmark once
	@.ci/setup.sh
	@.ci/stages.sh build race+tests+lint+random+bench-once+examples+model+peers+adapters dynamodb+fuzz life

# Each suite on DynamoDB runs once: those of `race` with Java, those of `dynamodb` with Docker.
check: export OVER = .ci/docker.sh
check: ## run what CI runs: `make test` with some DynamoDB suites on Docker, `make portable` and `make release-check`
	@.ci/stages.sh tools test portable release-check

lint: ## check formatting, modules, scripts and code
	@.ci/lint.sh

fmt: ## format all Go files
	$(TOOL) gofumpt -w .

##@ Tests
tests: ## run the tests that `make race` leaves out, with emulators and tools
	@.ci/gotest.sh tests -shuffle=on -timeout=$(TIMEOUT) $(PLAIN)
	@packages=$$(.ci/testers.sh outside $(PLAIN)) && packages=$$(.ci/testers.sh declare '$(ALONE)' $$packages) && \
	.ci/gotest.sh tests-alone -count=1 -timeout=$(TIMEOUT) -run '$(ALONE)' $$packages

race: ## run the tests in which goroutines meet, with the race detector
	@packages=$$(.ci/testers.sh outside $(PLAIN)) && \
	.ci/gotest.sh race -race -shuffle=on -timeout=$(TIMEOUT) -skip '^TestSlow|^TestModel(Equal|Bound|Local)$$|$(ALONE)' $$packages ./cmd/zae-limiter/internal/load
	@.ci/gotest.sh race-plain -race -shuffle=on -timeout=$(TIMEOUT) -run '$(MEET)' ./cmd/zae-limiter ./stack

dynamodb: ## run the suites on DynamoDB that take too long with the race detector
	@$(OVER) .ci/gotest.sh dynamodb -count=1 -timeout=$(TIMEOUT) -run '^(TestSlow.*|TestTable|TestTTL|TestProxy)$$' \
		./backend/dynamo ./backend/dynamo/dynamotest

docker: ## run `make dynamodb` on Docker; as root on Debian, install and start an engine if there is none
	@$(MAKE) --no-print-directory dynamodb OVER=.ci/docker.sh

conformance: ## run the conformance suite on memory and bbolt with many random checks (RAPID_CHECKS=1000)
	@packages=$$(.ci/testers.sh conformance) && \
	.ci/gotest.sh conformance -count=1 -shuffle=on -timeout=$(TIMEOUT) $$packages -args -rapid.checks=$(RAPID_CHECKS)

random: ## run the tests that draw at random, with many draws (RAPID_CHECKS=1000)
	@packages=$$(.ci/testers.sh conformance) && \
	.ci/gotest.sh random-stores -count=1 -timeout=$(TIMEOUT) -run '^TestModel$$|^TestCompare$$|^TestEngine/^NeverOverAdmits$$' \
		$$packages -args -rapid.checks=$(RAPID_CHECKS)
	@packages=$$(.ci/testers.sh properties) && \
	.ci/gotest.sh random -count=1 -shuffle=on -timeout=$(TIMEOUT) -skip '^TestModel|^TestMutants' $$packages -args -rapid.checks=$(RAPID_CHECKS)

model: ## compare the engine with its exact model in many steps (MODEL_STEPS=30000000)
	@packages=$$(.ci/testers.sh declare '^TestModel' ./engine/...) && \
	MODEL_STEPS=$(MODEL_STEPS) .ci/gotest.sh model -count=1 -timeout=$(TIMEOUT) -run '^TestModel' $$packages

fuzz: ## run each fuzz target for a time (FUZZTIME=10s, or a count such as 100000x)
	@.ci/fuzz.sh $(FUZZTIME)

peers: ## run the tests of bench/peers, and each of its benchmarks once
	cd bench/peers && go test -vet=off -count=1 -timeout=$(TIMEOUT) -bench . -benchtime=1x ./... | $(VERDICTS)

examples: ## run the tests of the examples, which are a module of their own, with DynamoDB Local
	@cd examples && ../.ci/gotest.sh examples -count=1 -p 1 -timeout=$(TIMEOUT) ./...

adapters: ## build the adapters and run their tests, each in its own module
	@for m in $(ADAPTERS); do (cd $$m && go build ./... && ../.ci/gotest.sh $$m -count=1 -timeout=$(TIMEOUT) ./...) || exit; done

life: ## run the compiled program through a whole life, failures included, and time its commands
	@.ci/life.sh
	@.ci/brisk.sh

golden: ## update the golden files; read the difference before you commit it
	UPDATE_GOLDEN=1 go test -count=1 -run '^(TestTemplateGolden|TestDeployerPolicy|TestBoundaryPolicy|TestUpgradeReplacesNothing)$$' ./stack
	UPDATE_GOLDEN=1 go test -count=1 ./cmd/...

##@ Benchmarks
bench: ## run benchmarks (BENCH=regexp COUNT=6) and write NEW=new.bench for benchstat
	go test -run '^$$' -bench '$(BENCH)' -benchmem -count=$(COUNT) -timeout=2h ./bench/... | tee $(NEW)

bench-once: ## run each benchmark once, to see that it works
	@packages=$$(.ci/testers.sh declare '^Benchmark' ./...) && \
	go test -vet=off -run '^$$' -bench . -benchtime=1x -timeout=$(TIMEOUT) $$packages | $(VERDICTS)

bench-compare: ## compare OLD=old.bench with NEW=new.bench
	$(TOOL) benchstat $(OLD) $(NEW)

bench-peers: ## benchmark other rate limiters beside this one (BENCH, COUNT)
	cd bench/peers && go test -run '^$$' -bench '$(BENCH)' -benchmem -count=$(COUNT) -timeout=2h ./...

sim: ## run the full tables of fleets in virtual time, which takes most of an hour (SIM=Wait for some, SEED=1)
	go test -count=1 -timeout=6h -v -run '^TestTables$(SIM)' ./bench/sim -args -sim.full -sim.seed=$(SEED) | grep -vE '^(=== | *---)'

##@ The rest
tools: ## compile the tools of lint and tests
	@$(TOOL) golangci-lint --version
	@$(TOOL) gotestsum --version
	@$(TOOL) gofumpt --version

tag: ## tag the last commit as VERSION, and the adapters with it (VERSION=v0.1.0); publish it with git push --tags
	@.ci/tag.sh '$(VERSION)' $(ADAPTERS)

release: $(if $(VERSION),tag) ## build the archives of a release, with checksums, into dist/; with VERSION=v0.1.0, `make tag` first
	@.ci/release.sh

release-check: ## build the last commit twice, compare the archives, run the program in one, and require the tagged adapters
	@.ci/release-check.sh

portable: ## compile for another system, of 32 bits
	GOOS=windows GOARCH=386 CGO_ENABLED=0 go build -trimpath -tags=lambda.norpc ./...

clean: ## remove what was built or measured
	rm -rf dist zae-limiter *.bench coverage.out
	find . -name '*.test' -type f -delete
