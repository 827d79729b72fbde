#!/usr/bin/env bash
# testers.sh conformance | rapid: the packages whose tests use the conformance suite, or the random properties of
# rapid without the suite. Those that need an emulator, which takes minutes, are run once, with the race detector.
set -euo pipefail
suite=$(go list -m)/conformance
emulator=$(go list -m)/internal/dynamotest
rapid=pgregory.net/rapid

deps=$(go list -test -f '{{.ImportPath}} {{join .Deps " "}} ' ./...)
case $1 in
conformance) found=$(grep -F " $suite " <<<"$deps" | grep -vF " $emulator " || true) ;;
rapid) found=$(grep -F " $rapid " <<<"$deps" | grep -vF " $suite " || true) ;;
*) echo "testers.sh: conformance or rapid, not $1" >&2 && exit 2 ;;
esac
found=$(sed -n 's/^\([^ ]*\)\.test .*/\1/p' <<<"$found")
[ -n "$found" ] || { echo "testers.sh: no package's tests use $1" >&2 && exit 1; }
echo "$found"
