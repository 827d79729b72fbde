#!/usr/bin/env bash
# gotest.sh NAME ARGUMENTS…: runs `go test ARGUMENTS…` with short output and repeats all failures at the end. Under
# stages.sh it keeps its events as NAME.json, to be counted there; otherwise it prints what was skipped.
set -euo pipefail
name=$1
shift
export ZAE_LIMITER_TEST_ALL=1 # the emulators and tools that a plain `go test` leaves out
[ "$name" = model ] || unset MODEL_STEPS # the long model run is a stage of its own
logs=${STAGE_LOGS:-$(mktemp -d)}
code=0
go tool -modfile=tools/go.mod gotestsum --format "${GOTESTSUM_FORMAT:-pkgname}" --format-icons text \
	--format-hide-empty-pkg --hide-summary=skipped --jsonfile "$logs/$name.json" -- "$@" || code=$?
if [ -z "${STAGE_LOGS:-}" ]; then
	.ci/unrun.sh "$logs"
	rm -rf "$logs"
fi
exit "$code"
