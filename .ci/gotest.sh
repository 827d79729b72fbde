#!/usr/bin/env bash
# gotest.sh NAME ARGUMENTS…: `go test ARGUMENTS…` with short output, all failures repeated at the end, and, under
# stages.sh, its events kept as NAME.json to be counted.
set -euo pipefail
name=$1
shift
[ "$name" = model ] || unset MODEL_STEPS # the long model run is a stage of its own
set -- -- "$@"
[ -z "${STAGE_LOGS:-}" ] || set -- --jsonfile "$STAGE_LOGS/$name.json" "$@"
exec go tool -modfile=tools/go.mod gotestsum --format "${GOTESTSUM_FORMAT:-pkgname}" --format-icons text \
	--format-hide-empty-pkg "$@"
