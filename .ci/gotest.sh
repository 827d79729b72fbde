#!/usr/bin/env bash
# gotest.sh NAME ARGUMENTS…: `go test ARGUMENTS…` with short output, all failures repeated at the end. Its events are
# kept as NAME.json under stages.sh, to be counted; else it says itself what was skipped.
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
