#!/usr/bin/env bash
# gotest.sh NAME ARGUMENTS…: runs `go test -vet=off ARGUMENTS…` with short output and repeats all failures at the end: `make lint` runs
# go vet, which in each module, and again for the race detector, takes as long as a stage's tests. Under
# stages.sh it keeps its events as NAME.json, to be counted there; otherwise it prints what was skipped. It tests the module of the
# folder that it is called in.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
name=$1
shift
export ZAE_LIMITER_TEST_ALL=1 # the emulators and tools that a plain `go test` leaves out
[ "$name" = model ] || unset MODEL_STEPS # the long model run is a stage of its own
work=$(mktemp -d)
logs=${STAGE_LOGS:-$work}

# Tests write many small files and sync them, which takes a third of the time of cmd/zae-limiter on a disk. A file system in
# memory serves if it is large enough and runs programs.
if [ -z "${TMPDIR:-}" ] && [ -w /dev/shm ] && [ "$(df -Pk /dev/shm | awk 'NR == 2 {print $4}')" -gt 4000000 ]; then
	memory=$(mktemp -d /dev/shm/zae-limiter.XXXXXX)
	printf '#!/bin/sh\n' >"$memory/probe"
	chmod +x "$memory/probe"
	if "$memory/probe" 2>/dev/null; then export TMPDIR=$memory; fi
fi
trap 'rm -rf "$work" ${memory:+"$memory"}' EXIT

code=0
go tool -modfile="$root/tools/go.mod" gotestsum --format "${GOTESTSUM_FORMAT:-pkgname}" --format-icons text \
	--format-hide-empty-pkg --hide-summary=skipped --jsonfile "$logs/$name.json" -- -vet=off "$@" || code=$?
[ -n "${STAGE_LOGS:-}" ] || "$root/.ci/unrun.sh" "$logs"
exit "$code"
